"""Files that somebody takes away: nothing that went with them is passed over in silence, and the way back is shown."""

from __future__ import annotations

import os
import signal
from contextlib import closing
from pathlib import Path

from attn.bundle.identity import DAEMON_NAME
from attn.store.database import Database
from tests.durability.scene import Scene
from tests.system.processes import named, running
from tests.waiting import wait_until


def killed(scene: Scene) -> None:
    [pid] = named(scene.home, DAEMON_NAME)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not running(pid), 20, "the end of the daemon")


def theme_of(scene: Scene) -> str | None:
    with scene.client() as client:
        settings: dict[str, str] = client.hello_body["settings"]
    return settings.get("theme")


def test_a_log_that_went_after_a_kill_is_told_until_a_stop_in_order(scene: Scene) -> None:
    scene.attn("daemon start")
    with scene.client() as client:
        client.request("set_setting", key="theme", value="dark")
    killed(scene)
    log = Path(f"{scene.home.database}-wal")
    assert log.exists()
    log.unlink()
    assert "log_missing" in scene.run("attn doctor").stdout
    scene.attn("daemon start")
    condition = scene.condition("log_missing")
    assert condition["severity"] == "warning" and str(log) in condition["detail"] and condition["last_good_backup"]
    assert scene.status()["store"]["state"] == "ok" and "log_missing" in scene.attn("status")
    for command in condition["commands"][:1]:
        assert scene.run(command).returncode == 0
    scene.attn("daemon restart")
    assert scene.status()["conditions"] == []


def test_what_was_saved_is_in_the_database_itself_once_it_is_quiet(scene: Scene) -> None:
    scene.attn("daemon start")
    with scene.client() as client:
        client.request("set_setting", key="theme", value="dark")
    log = Path(f"{scene.home.database}-wal")
    wait_until(lambda: log.stat().st_size == 0, 60, "a log that is brought in")
    killed(scene)
    log.unlink()
    with closing(Database.open_copy(scene.home.database)) as database:
        assert database.rows("SELECT value FROM settings WHERE key = 'theme'") == [("dark",)]
    scene.attn("daemon start")
    assert theme_of(scene) == "dark"


def test_a_database_that_was_deleted_while_it_was_open_comes_back_as_it_was_rescued(scene: Scene) -> None:
    scene.attn("daemon start")
    scene.attn("rename first newest")
    with scene.client() as client:
        client.request("set_setting", key="theme", value="dark")
        scene.home.database.unlink()
        client.until(lambda: [each["code"] for each in client.conditions] == ["file_moved"])
    Path(f"{scene.home.database}-wal").write_bytes(b"a log that was left, whatever is in it" * 99)
    scene.attn("daemon restart")
    condition = scene.condition("log_alone")
    assert "rescued" in condition["commands"][0] and "salvage" in condition["commands"][1]
    assert scene.run(condition["commands"][0]).returncode == 0
    assert "newest" in [label for _, label in scene.sessions()] and theme_of(scene) == "dark"
    assert scene.status()["conditions"] == []
