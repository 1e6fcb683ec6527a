"""The daemon as others see it."""

from __future__ import annotations

import socket
from dataclasses import replace

from attn.doctor import control
from attn.doctor.scene import Condition, Scene
from attn.lock import HomeLock
from tests.doctor.conftest import answered, look


def test_nobody_holds_the_home(scene: Scene) -> None:
    assert "no daemon runs" in look(scene, control.lock)["ok"]


def test_somebody_holds_it(scene: Scene) -> None:
    lock = HomeLock(scene.home.lock)
    assert "the daemon runs (pid 4711)" in look(answered(scene), control.lock)["ok"]
    silent = replace(scene, silence="daemon_unreachable: no answer")
    assert "does not answer: daemon_unreachable" in look(silent, control.lock)["fail"]
    lock.release()
    lock = HomeLock(scene.home.lock, what="attn repair reset")
    assert "attn repair reset is at work" in look(scene, control.lock)["warn"]
    lock.release()


def test_a_lock_that_cannot_be_read(scene: Scene) -> None:
    scene.home.lock.mkdir()
    assert "home_unwritable" in look(scene, control.lock)["fail"]


def test_the_socket(scene: Scene) -> None:
    path = scene.home.daemon_socket
    assert not any(look(scene, control.socket).values())
    assert "elsewhere" in look(answered(scene), control.socket)["ok"]
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        assert look(answered(scene), control.socket)["ok"]
        path.parent.chmod(0o755)
        assert "chmod 700" in look(scene, control.socket)["warn"]
    path.parent.chmod(0o700)
    path.unlink()
    path.write_text("")
    assert "something else" in look(scene, control.socket)["fail"]


def test_the_port(scene: Scene) -> None:
    assert "none yet" in look(scene, control.port)["ok"]
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]
        scene.home.port.write_text(f"{number}\n")
        assert "port_taken" in look(scene, control.port)["fail"]
        assert f"{number} (kept" in look(answered(scene), control.port)["ok"]
    assert f"{number} (kept" in look(scene, control.port)["ok"]
    chosen = replace(scene, env={**scene.env, "ATTN_PORT": "1"})
    assert "1 (chosen" in look(chosen, control.port)["ok"]
    scene.home.port.write_text("nonsense")
    assert f"rm {scene.home.port}" in look(scene, control.port)["fail"]


def test_what_the_daemon_says(scene: Scene) -> None:
    assert not any(look(scene, control.conditions).values())
    assert look(answered(scene), control.conditions)["ok"]
    found = (Condition("corrupt", "error", "damaged", "/p", "attn repair salvage --apply"),
             Condition("spawner_gone", "warning", "slow", "", "attn daemon restart"))  # fmt: skip
    told = look(answered(scene, conditions=found), control.conditions)
    assert told["fail"] == "corrupt: damaged | /p | attn repair salvage --apply" and "slow" in told["warn"]
