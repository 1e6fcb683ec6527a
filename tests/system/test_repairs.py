"""Repairs, backups and restores of a home in use: the daemon stops and comes back, programs never notice."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from attn.lock import HomeLock
from tests.system.conftest import DaemonProcess
from tests.system.test_cli import Cli
from tests.waiting import wait_until

HOLD = (
    "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute('BEGIN IMMEDIATE');"
    " print(1, flush=True); sys.stdin.read()"
)


@pytest.fixture
def cli(daemon: DaemonProcess) -> Iterator[Cli]:
    """A running daemon with one program, a name and a setting that only the database has."""
    found = Cli(daemon)
    found.ok("new", "--label", "worker", "--", "cat")
    found.ok("rename", "worker", "my work")
    yield found
    found.run("daemon", "stop")


def program(cli: Cli) -> tuple[object, object, object]:
    listed = json.loads(cli.run("ls", "--json").stdout)
    [session] = [each for each in listed if each["label"] == "my work"]
    return session["id"], session["pid"], session["state"]


def stopped(cli: Cli) -> None:
    cli.ok("daemon", "stop")


def damage(cli: Cli) -> None:
    """As a disk does: every page but the first and the last."""
    data = cli.daemon.home.database.read_bytes()
    cli.daemon.home.database.write_bytes(data[:4096] + b"\x77" * (len(data) - 8192) + data[-4096:])


def state(cli: Cli) -> str:
    return str(json.loads(cli.run("status", "--json").stdout)["store"]["state"])


@pytest.mark.parametrize(
    "words", [("repair", "salvage"), ("repair", "reset"), ("restore", "--latest-good")], ids=lambda words: words[-1]
)
def test_a_damaged_database_is_repaired_under_running_programs(cli: Cli, words: tuple[str, ...]) -> None:
    cli.ok("backup")
    before = program(cli)
    stopped(cli)
    damage(cli)
    assert cli.run("status").returncode == 78 and state(cli) == "degraded"
    data, daemon = cli.daemon.home.database.read_bytes(), cli.daemon_pid()
    plan = cli.run(*words)
    assert plan.returncode == 0 and "nothing is changed yet" in plan.stdout
    assert (cli.daemon.home.database.read_bytes(), cli.daemon_pid()) == (data, daemon)
    done = cli.run(*words, "--apply")
    assert done.returncode == 0 and "the daemon runs again" in done.stderr, done
    assert state(cli) == "ok" and cli.run("status").returncode == 0
    assert program(cli) == before and before[2] == "running" and cli.daemon_pid() != daemon
    [folder] = cli.daemon.home.aside.iterdir()
    assert (folder / "attn.db").read_bytes() == data
    cli.ok("send", "my work", "still here", "--enter")
    cli.ok("wait", "my work", "--for", "still here")


def test_a_daemon_that_did_not_run_is_not_started(cli: Cli) -> None:
    stopped(cli)
    damage(cli)
    done = cli.run("repair", "salvage", "--apply")
    assert done.returncode == 0 and "daemon" not in done.stderr, done
    assert not cli.daemon.home.daemon_socket.exists()


def test_a_backup_by_the_running_daemon(cli: Cli, tmp_path: Path) -> None:
    told = cli.ok("backup")
    assert str(cli.daemon.home.backups) in told and "verified" in told
    target = tmp_path / "mine.db"
    assert str(target) in cli.ok("backup", "--to", str(target))
    copy = sqlite3.connect(f"file:{target}?mode=ro", uri=True)
    assert copy.execute("SELECT label FROM sessions").fetchall() == [("my work",)]
    copy.close()
    assert target.stat().st_mode & 0o777 == 0o600
    cli.fails("usage", 64, "backup", "--to", str(target))
    listed = json.loads(cli.ok("backups", "--json"))
    assert all(entry["good"] for entry in listed) and len(listed) >= 1
    assert str(target) not in {entry["path"] for entry in listed}


def test_without_a_usable_database_no_backup_is_claimed(cli: Cli) -> None:
    stopped(cli)
    damage(cli)
    done = cli.run("backup")
    assert done.returncode == 78 and "corrupt" in done.stderr
    cli.run("daemon", "start")
    done = cli.run("backup")
    assert done.returncode == 74 and "persistence_unavailable" in done.stderr and done.stdout == ""


def test_restoring_goes_back_and_keeps_what_is_newer(cli: Cli) -> None:
    cli.ok("backup")
    cli.ok("new", "--label", "newer", "--", "cat")
    before = {label: session["pid"] for label, session in cli.sessions().items()}
    done = cli.run("restore", "--latest-good", "--apply")
    assert done.returncode == 0, done
    assert {label: session["pid"] for label, session in cli.sessions().items()} == before and len(before) == 2
    [folder] = cli.daemon.home.aside.iterdir()
    undone = cli.run("restore", str(folder / "attn.db"), "--apply")  # and what was put aside can be restored again
    assert undone.returncode == 0, undone
    assert {label: session["pid"] for label, session in cli.sessions().items()} == before


def test_a_bad_backup_stops_no_daemon(cli: Cli, tmp_path: Path) -> None:
    pid = cli.daemon_pid()
    (tmp_path / "bad.db").write_text("no database" * 100)
    cli.fails("not_a_database", 78, "restore", str(tmp_path / "bad.db"), "--apply")
    assert cli.daemon_pid() == pid


@contextmanager
def holding(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another program in the middle of a transaction."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdin is not None and other.stdout is not None
        other.stdout.readline()
        yield other
        other.stdin.close()


def test_a_database_that_another_program_holds_is_named_and_left(cli: Cli) -> None:
    stopped(cli)
    with holding(cli.daemon.home.database) as other:
        before = cli.daemon.home.database.read_bytes()
        done = cli.run("repair", "reset", "--apply")
        assert (
            done.returncode == 75
            and f"store_locked: {cli.daemon.home.database} is held by pid {other.pid}" in done.stderr
        )
        assert cli.daemon.home.database.read_bytes() == before and not cli.daemon.home.intent.exists()
        looked = cli.run("doctor")
        assert looked.returncode == 2 and f"is held by pid {other.pid}" in looked.stdout
        assert f"run: ps -fp {other.pid}" in looked.stdout
    assert cli.run("repair", "reset", "--apply").returncode == 0


def test_commands_wait_for_no_repair_and_end_none(cli: Cli) -> None:
    stopped(cli)
    lock = HomeLock(cli.daemon.home.lock, what="attn repair salvage")
    for words in (["ls"], ["daemon", "start"], ["daemon", "stop"], ["backup"], ["repair", "reset", "--apply"]):
        done = cli.run(*words)
        assert done.returncode == 75 and "attn repair salvage is at work" in done.stderr, done
    assert "attn repair salvage is at work" in cli.run("doctor").stdout
    lock.release()
    assert cli.run("ls").returncode == 0


def test_a_repair_that_was_killed_is_shown_and_ended_by_what_is_shown(cli: Cli) -> None:
    before = program(cli)
    stopped(cli)
    damage(cli)
    killed = subprocess.run(
        ["strace", "-o", "/dev/null", "-e", "trace=rename", "-e", "inject=rename:signal=KILL:when=5",
         sys.executable, "-m", "attn", "repair", "salvage", "--apply"],
        env=cli.daemon.env, capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL and cli.daemon.home.intent.exists()
    shown = cli.run("ls")
    assert shown.returncode == 0 and "repair_incomplete" in shown.stderr and program(cli) == before
    conditions = json.loads(cli.run("status", "--json").stdout)["conditions"]
    commands = next(each["commands"] for each in conditions if each["code"] == "repair_incomplete")
    assert cli.run("doctor").returncode == 2
    told, _, words = commands[0].partition(" attn ")
    assert told == f"ATTN_HOME={cli.daemon.home.root}"
    done = cli.run(*words.split())
    assert done.returncode == 0 and state(cli) == "ok" and program(cli) == before, done
    assert not cli.daemon.home.intent.exists()


def test_two_repairs_at_once_are_one(cli: Cli) -> None:
    before = program(cli)
    stopped(cli)
    damage(cli)
    both = [
        subprocess.Popen(
            [sys.executable, "-m", "attn", "repair", "salvage", "--apply"], env=cli.daemon.env,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    told = [(*process.communicate(timeout=120), process.returncode) for process in both]
    assert {status for _, _, status in told} <= {0, 75} and 0 in {status for _, _, status in told}, told
    assert program(cli) == before and state(cli) == "ok"
    assert len(list(cli.daemon.home.aside.iterdir())) == 1


def test_a_stopped_daemon_is_told_from_a_dead_one(cli: Cli) -> None:
    pid = cli.daemon_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(lambda: "T" in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:3], 10, "a stopped daemon")
        looked = cli.run("doctor")
        assert looked.returncode == 2 and f"run: kill -CONT {pid}" in looked.stdout
    finally:
        os.kill(pid, signal.SIGCONT)
    assert "not working" in cli.run("doctor").stdout
