"""What is left over is found, with how to remove it; what is in use is not."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from pathlib import Path

from attn.doctor import leftovers
from attn.doctor.scene import Scene
from tests.doctor.conftest import answered, look


def test_nothing_is_left(scene: Scene) -> None:
    assert look(scene, leftovers.files)["ok"]


def test_files_that_were_never_finished(scene: Scene) -> None:
    (scene.home.run / "abcde00001").mkdir()
    names = ["attn.db.new", "attn.db.new-wal", ".probe-12", "run/abcde00001/exit.json.tmp", "backups/attn-1.unfinished"]
    for name in names:
        (scene.home.root / name).touch()
        os.utime(scene.home.root / name, (1, 1))
    told = look(scene, leftovers.files)["warn"]
    assert all(f"rm {scene.home.root / name}" in told for name in names) and told.count("\n") == len(names) - 1


def test_what_is_being_written_is_left_alone(scene: Scene) -> None:
    path = scene.home.root / "attn.db.meta.unfinished"
    path.touch()
    now = replace(scene, now_ms=int(path.stat().st_mtime * 1000) + 500)
    assert look(now, leftovers.files)["ok"]


def test_sockets(scene: Scene) -> None:
    path = scene.home.sockets / "w0123"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        assert look(scene, leftovers.files)["ok"]
    assert f"a socket on which nobody listens | {path} | rm {path}" in look(scene, leftovers.files)["warn"]


def test_a_socket_that_was_moved_with_its_home_is_alive(scene: Scene, tmp_path: Path) -> None:
    path = scene.home.sockets / "w0123"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "before"))
        listener.listen()
        (tmp_path / "before").rename(path)
        assert not look(scene, leftovers.files)["warn"]
    assert f"rm {path}" in look(scene, leftovers.files)["warn"]


def test_sockets_of_another_home_are_its_own_affair(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "attn").mkdir()
    (scene.home.run / "abcde00001").mkdir()
    (scene.home.run / "abcde00001" / "spec.json").touch()
    shared = replace(scene, home=replace(scene.home, sockets=tmp_path / "attn"))
    ours, theirs = shared.home.worker_socket("abcde00001"), tmp_path / "attn" / "w0123"
    for path in (ours, theirs):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
    told = look(shared, leftovers.files)["warn"]
    assert str(ours) in told and str(theirs) not in told
    assert str(theirs) in look(replace(shared, home=replace(shared.home, is_default=True)), leftovers.files)["warn"]


def test_what_a_start_completes_is_only_left_over_beside_a_daemon(scene: Scene) -> None:
    for name in ("abcde00001.removed", "abcde00002.new", "abcde00003.damaged-1"):
        (scene.home.run / name).mkdir()
    assert look(scene, leftovers.files)["ok"]
    assert look(answered(scene), leftovers.files)["warn"].count("the next start completes it") == 2


def test_what_no_start_can_complete_is_told_as_what_it_is(scene: Scene) -> None:
    folder = scene.home.run / "abcde00001.removed"
    (folder / "spec.json").mkdir(parents=True)
    told = look(answered(scene), leftovers.files)["warn"]
    assert f"did not write what is in it | {folder / 'spec.json'} | ls -l {folder}" in told
    assert "the next start" not in told


def test_directories(scene: Scene) -> None:
    (scene.home.run / "abcde00001").mkdir()
    (scene.home.run / "a name").mkdir()
    (scene.home.run / "a name" / "x").touch()
    (scene.home.aside / "2023").mkdir(parents=True)
    told = look(scene, leftovers.files)["warn"]
    assert f"rmdir {scene.home.run / 'abcde00001'}" in told and f"rmdir {scene.home.aside / '2023'}" in told
    assert f"a directory that is no session's | {scene.home.run / 'a name'} | ls -l" in told
