"""Causes that end by themselves: told while they last, over without a restart, and what waited is written."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from attn.errors import EXIT_BY_CODE
from tests.durability.scene import LABELS, Scene, copied
from tests.store.conftest import at_step
from tests.store.file.test_holders import HOLD
from tests.system.client import Refused
from tests.system.small_disk import small_disk
from tests.waiting import wait_until

# Root may read and write everything; without these two capabilities it is a user like any other.
AS_A_USER = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()


def over_and_written(scene: Scene) -> None:
    """The condition is gone everywhere, and what happened meanwhile stands in the database after a restart too."""
    scene.attn("status")
    assert scene.run("attn ls").stderr == ""
    assert scene.health("?require=store")[0] == 200
    with scene.client() as client:
        client.request("set_setting", key="theme", value="dark")
    known = scene.sessions()
    scene.attn("daemon restart")
    assert scene.sessions() == known
    with scene.client() as client:
        assert client.hello_body["settings"]["theme"] == "dark"


@contextmanager
def holding(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another program that has the database locked."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"held\n"
    try:
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.communicate()


@pytest.mark.parametrize("stopped", [False, True])
def test_a_locked_database_names_its_holder_and_is_used_when_it_is_free(scene: Scene, stopped: bool) -> None:
    with holding(scene.home.database) as holder:
        if stopped:
            holder.send_signal(signal.SIGSTOP)
        assert scene.run("attn daemon start --require-store").returncode == EXIT_BY_CODE["store_locked"]
        scene.attn("daemon start")
        condition = scene.condition("store_locked")
        assert f"pid {holder.pid}" in condition["detail"] and ("stopped" in condition["detail"]) == stopped
        assert str(holder.pid) in scene.run(condition["commands"][0]).stdout
        assert scene.run("attn store retry").returncode == EXIT_BY_CODE["store_locked"]
        scene.attn("new --label meanwhile -- true")
    scene.wait_ok()
    over_and_written(scene)


def test_rights_of_the_database_are_given_back_with_the_printed_command(scene: Scene) -> None:
    scene.wrapper = AS_A_USER
    scene.home.database.chmod(0o400)
    assert scene.run("attn daemon start --require-store").returncode == EXIT_BY_CODE["permission_denied"]
    scene.attn("daemon start")
    condition = scene.condition("permission_denied")
    assert condition["path"] == str(scene.home.database) and "0400" in condition["detail"]
    scene.attn("new --label meanwhile -- true")
    assert [scene.run(command).returncode for command in condition["commands"]] == [0, 0]
    over_and_written(scene)


def test_a_home_that_cannot_be_looked_into_is_told_to_those_who_are_connected(scene: Scene) -> None:
    scene.wrapper = AS_A_USER
    scene.attn("daemon start")
    with scene.client() as client:
        scene.home.root.chmod(0o000)
        try:
            client.until(lambda: [each["code"] for each in client.conditions] == ["home_unwritable"])
            assert client.conditions[0]["path"] == str(scene.home.root)
        finally:
            scene.home.root.chmod(0o700)
        client.until(lambda: client.conditions == [])
    over_and_written(scene)


def test_a_home_that_may_not_be_written_is_named_at_the_start(scene: Scene) -> None:
    scene.wrapper = AS_A_USER
    scene.home.root.chmod(0o500)
    refused = scene.run("attn daemon start")
    assert refused.returncode == EXIT_BY_CODE["home_unwritable"] and str(scene.home.root) in refused.stderr
    scene.home.root.chmod(0o700)
    scene.attn("daemon start")
    over_and_written(scene)


@pytest.mark.parametrize("name", ["attn.db.meta", "run", "backups"])
def test_what_is_closed_in_the_home_is_opened_by_what_the_doctor_says(scene: Scene, name: str) -> None:
    scene.wrapper = AS_A_USER
    path = scene.home.root / name
    path.chmod(0o000)
    told = json.loads(scene.run("attn doctor --json").stdout)
    commands = {finding["command"] for finding in told["findings"] if finding["level"] == "fail"}
    assert commands and all(str(path) in command for command in commands), told
    assert [scene.run(command).returncode for command in commands] == [0] * len(commands)
    assert json.loads(scene.run("attn doctor --json").stdout)["level"] == "ok"
    scene.attn("daemon start")
    over_and_written(scene)


def test_a_disk_that_was_mounted_read_only_is_written_again_by_what_the_doctor_says(past: Path, tmp_path: Path) -> None:
    """The command is a person's, who needs sudo; the tests are root and do not."""
    (tmp_path / "sudo").write_text('#!/bin/sh\nexec "$@"\n')
    (tmp_path / "sudo").chmod(0o755)
    with tempfile.TemporaryDirectory(prefix="ar-") as folder, small_disk(Path(folder), 16):
        scene = copied(past, Path(folder) / "h")
        try:
            scene.env["PATH"] = f"{tmp_path}:{scene.env['PATH']}"
            subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
            refused = scene.run("attn daemon start")
            assert refused.returncode == EXIT_BY_CODE["home_unwritable"] and "attn doctor" in refused.stderr
            told = json.loads(scene.run("attn doctor --json").stdout)
            [command] = {found["command"] for found in told["findings"] if found["what"].startswith("read_only_disk")}
            assert scene.run(command).returncode == 0
            scene.attn("daemon start")
            over_and_written(scene)
        finally:
            scene.close()


@pytest.fixture
def small(past: Path) -> Iterator[Callable[[int], tuple[Scene, Callable[[], None], Callable[[], None]]]]:
    """Makes a home with a past on a disk of so many megabytes: the scene, what fills the disk, what frees it."""
    with tempfile.TemporaryDirectory(prefix="af-", ignore_cleanup_errors=True) as folder:
        disks: list[object] = []
        scenes: list[Scene] = []

        def make(size_mb: int) -> tuple[Scene, Callable[[], None], Callable[[], None]]:
            mounted = small_disk(Path(folder), size_mb)
            disk = mounted.__enter__()
            disks.append(mounted)
            scenes.append(copied(past, Path(folder) / "h"))
            return scenes[-1], disk.fill, disk.free

        try:
            yield make
        finally:
            for scene in scenes:
                scene.close()
            for mounted in disks:
                mounted.__exit__(None, None, None)  # type: ignore[attr-defined]


def test_a_full_disk_is_told_and_over_when_there_is_room(
    small: Callable[[int], tuple[Scene, Callable[[], None], Callable[[], None]]],
) -> None:
    scene, fill, free = small(16)
    scene.attn("daemon start")
    scene.attn("new --label talker -- cat")
    fill()
    with scene.client() as client:
        with pytest.raises(Refused) as refused:
            for n in range(2000):
                client.request("set_setting", key="agent", value=str(n) * 20)
        assert refused.value.code == "persistence_unavailable"
        client.until(lambda: [each["code"] for each in client.conditions] == ["disk_full"])
    assert scene.condition("disk_full")["not_saved_since_ms"]
    scene.attn("send talker 'still here' --enter")
    scene.attn("wait talker --for 'still here'")
    free()
    scene.attn("rename talker renamed")
    scene.wait_ok()
    assert [label for _, label in scene.sessions()] == [*LABELS, "renamed"]
    scene.attn("kill renamed")
    over_and_written(scene)


def test_too_little_room_for_a_migration_changes_nothing(
    small: Callable[[int], tuple[Scene, Callable[[], None], Callable[[], None]]],
) -> None:
    scene, _, _ = small(16)
    old_database(scene)
    before = scene.bytes_of_the_database()
    scene.attn("daemon start")
    assert "MB" in scene.condition("disk_low")["detail"]
    assert scene.run("attn store retry").returncode == EXIT_BY_CODE["disk_low"]
    scene.attn("daemon stop")
    assert scene.bytes_of_the_database() == before


def old_database(scene: Scene, *extra: str) -> None:
    """A database of the first release in place of the one of today."""
    for path in scene.home.root.glob("attn.db*"):
        path.unlink()
    at_step(scene.home, 1, *extra)


PR = "INSERT INTO prs VALUES ('o/r#7', 'o/r', 7, 't', 'u', 'author', 'open', 1)"


def test_a_migration_that_fails_is_told_tried_twice_and_done_when_asked(scene: Scene) -> None:
    old_database(scene, PR, "CREATE TRIGGER t BEFORE UPDATE ON prs BEGIN SELECT RAISE(ABORT, 'no'); END")
    for _ in range(3):
        scene.attn("daemon start")
        assert scene.condition("migration_failed")["migration"]
        scene.attn("daemon stop")
    shutil.copy(scene.home.database, scene.home.root / "looked")
    subprocess.run(
        [sys.executable, "-c", "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('DROP TRIGGER t')",
         str(scene.home.database)], check=True,
    )  # fmt: skip
    scene.attn("daemon start")
    condition = scene.condition("migration_failed")
    assert scene.run(condition["commands"][0]).returncode == 0
    over_and_written(scene)


def test_no_backup_no_migration(scene: Scene) -> None:
    old_database(scene, PR)
    shutil.rmtree(scene.home.backups)
    scene.home.backups.write_text("a file in the way")
    before = scene.bytes_of_the_database()
    scene.attn("daemon start")
    condition = scene.condition("backup_failed")
    assert scene.bytes_of_the_database() == before
    scene.home.backups.unlink()
    assert [scene.run(command).returncode for command in condition["commands"]] == [0, 0]
    over_and_written(scene)


def test_a_file_that_is_replaced_while_it_is_open(scene: Scene) -> None:
    scene.attn("daemon start")
    scene.attn("rename first newest")
    with scene.client() as watching:
        shutil.copy(scene.home.database, scene.home.root / "other.db")
        (scene.home.root / "other.db").replace(scene.home.database)
        watching.until(lambda: [each["code"] for each in watching.conditions] == ["file_moved"])
        [condition] = watching.conditions
    assert "rescued" in condition["last_good_backup"]
    theirs = scene.home.database.read_bytes()
    scene.attn("new --label meanwhile -- true")
    assert scene.home.database.read_bytes() == theirs, "the file that stands there now was written"
    assert scene.run(condition["commands"][0]).returncode == 0
    assert "newest" in [label for _, label in scene.sessions()]
    over_and_written(scene)


def test_two_builds_of_attn_take_turns(scene: Scene) -> None:
    meta = json.loads(scene.home.sentinel.read_text())
    for _ in range(3):
        scene.home.sentinel.write_text(json.dumps(meta | {"newest_version": "9.9.9", "newest_python": sys.executable}))
        scene.attn("daemon start")
        condition = scene.condition("binary_mismatch")
        assert condition["severity"] == "warning" and "9.9.9" in condition["detail"]
        assert scene.status()["store"]["state"] == "ok"
        scene.attn("daemon stop")
    assert scene.run(condition["commands"][0]).returncode == 0


def test_a_home_in_a_synchronised_directory_is_a_warning(past: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="as-", ignore_cleanup_errors=True) as folder:
        (Path(folder) / "Dropbox").mkdir()
        scene = copied(past, Path(folder) / "Dropbox" / "h")
        try:
            scene.attn("daemon start")
            assert scene.condition("network_fs")["severity"] == "warning"
            assert scene.run("attn status").returncode == 0
        finally:
            scene.close()


def test_in_memory_only_where_it_is_asked_for_and_always_said(scene: Scene) -> None:
    before = scene.bytes_of_the_database()
    scene.attn("daemon start --ephemeral")
    assert scene.condition("ephemeral")["not_saved_since_ms"]
    listed = scene.run("attn ls")
    assert listed.returncode == 0 and listed.stderr.startswith("attn: ephemeral: ")
    assert scene.bytes_of_the_database() == before
    known = scene.sessions()
    assert scene.run(scene.condition("ephemeral")["commands"][0]).returncode == 0
    scene.attn("status")
    assert scene.sessions() == known


def test_a_daemon_that_must_have_a_store_ends_when_it_loses_it(scene: Scene) -> None:
    (scene.home.root / "config.toml").write_text('on_store_failure = "refuse"\n')
    scene.attn("daemon start")
    scene.attn("new --label lasting -- cat")
    log = scene.home.daemon_log
    shutil.copy(scene.home.database, scene.home.root / "other.db")
    (scene.home.root / "other.db").replace(scene.home.database)
    wait_until(lambda: "file_moved: " in log.read_text(), 60, "the daemon to end")
    refused = scene.run("attn daemon start")
    assert refused.returncode == EXIT_BY_CODE["wal_mismatch"], "the log that is left is not of what stands there now"
    [rescued] = [line for line in refused.stderr.splitlines() if "rescued" in line]
    assert scene.run(rescued).returncode == 0
    scene.attn("daemon start")
    assert dict(json.loads(scene.attn("ls --json"))[-1])["state"] == "running", "its program runs on"
