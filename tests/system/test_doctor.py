"""`attn doctor` in every state that a home can be in; it changes nothing in any of them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system.conftest import DaemonProcess
from tests.system.damage import obey_permissions
from tests.system.test_cli import Cli
from tests.waiting import wait_until

Tree = dict[str, tuple[object, ...]]


def tree(root: Path) -> Tree:
    """Everything of every file, but what only looking may change."""
    found: Tree = {}
    for folder, folders, files in os.walk(root):
        for name in sorted([*folders, *files]):
            path = Path(folder, name)
            facts = path.lstat()
            content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            found[str(path)] = (
                facts.st_mode,
                facts.st_uid,
                facts.st_size,
                facts.st_mtime_ns,
                facts.st_ctime_ns,
                content,
            )
    return found


def looked(cli: Cli) -> dict[str, list[dict[str, str]]]:
    """The findings by level; all of the home must be as before, and a daemon must not have been started."""
    before = tree(cli.daemon.home.root)
    sockets = (
        sorted(path.name for path in cli.daemon.home.sockets.glob("*")) if cli.daemon.home.sockets.exists() else []
    )
    done = cli.run("doctor", "--json")
    text = cli.run("doctor")
    assert tree(cli.daemon.home.root) == before
    if cli.daemon.home.sockets.exists():
        assert sorted(path.name for path in cli.daemon.home.sockets.glob("*")) == sockets
    told = json.loads(done.stdout)
    assert done.returncode == text.returncode == {"ok": 0, "warn": 1, "fail": 2}[told["level"]], (done, text)
    assert done.stderr == text.stderr == ""
    found: dict[str, list[dict[str, str]]] = {"ok": [], "warn": [], "fail": []}
    for finding in told["findings"]:
        assert "this could not be looked at" not in finding["what"], finding
        found[finding["level"]].append(finding)
    return found


def words(findings: list[dict[str, str]]) -> str:
    return "\n".join(f"{each['check']}: {each['what']} | {each['path']} | {each['command']}" for each in findings)


@pytest.fixture
def cli(daemon: DaemonProcess) -> Cli:
    """A running daemon with a running and an ended program, and a backup."""
    found = Cli(daemon)
    found.ok("new", "--label", "runs", "--", "cat")
    found.ok("new", "--label", "ended", "--", "true")
    found.ok("wait", "ended", "--exit")
    found.ok("backup")
    return found


def test_a_home_in_use_is_well(cli: Cli) -> None:
    found = looked(cli)
    assert not found["warn"] and not found["fail"], found
    assert "1 run, 1 ended" in words(found["ok"]) and "the daemon runs (pid" in words(found["ok"])


def test_a_daemon_that_was_killed_leaves_a_socket_and_no_harm(cli: Cli) -> None:
    cli.daemon.kill()
    found = looked(cli)
    assert not found["fail"] and "a socket on which nobody listens" in words(found["warn"]), found
    assert "sound: " in words(found["ok"]) and "1 run, 1 ended" in words(found["ok"])
    for command in [each["command"] for each in found["warn"] if each["check"] == "leftovers"]:
        subprocess.run(command, shell=True, check=True)
    assert not looked(cli)["warn"]
    cli.daemon.start()
    assert cli.sessions()["runs"]["state"] == "running"


def break_(home: Path) -> None:
    data = (home / "attn.db").read_bytes()
    (home / "attn.db").write_bytes(data[:4096] + b"\x77" * 4096 + data[8192:])


STATES: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "damaged": (break_, "corrupt", "attn repair salvage --apply"),
    "gone": (lambda home: (home / "attn.db").unlink(), "missing_file", "attn restore "),
    "empty": (lambda home: (home / "attn.db").write_bytes(b""), "empty_file", "attn restore "),
    "text": (lambda home: (home / "attn.db").write_text("text " * 99), "not_a_database", "attn restore "),
    "link": (lambda home: _linked(home), "symlink", "ls -l "),
}


def _linked(home: Path) -> None:
    (home / "attn.db").unlink()
    (home / "attn.db").symlink_to(home / "nowhere")


@pytest.mark.parametrize("state", STATES)
def test_a_database_in_any_state_with_and_without_a_daemon(cli: Cli, state: str) -> None:
    harm, code, command = STATES[state]
    cli.ok("daemon", "stop")
    harm(cli.daemon.home.root)
    dead = looked(cli)
    assert f"database: {code}: " in words(dead["fail"]) and f"| {command}" in words(dead["fail"]), dead
    cli.run("daemon", "start")
    alive = looked(cli)
    assert f"conditions: {code}: " in words(alive["fail"]) and f"database: {code}: " in words(alive["fail"]), alive
    assert "1 run, 1 ended" in words(alive["ok"])


@pytest.mark.parametrize("mode", [0o000, 0o500])
def test_a_home_that_may_not_be_read_or_written(cli: Cli, mode: int) -> None:
    cli.ok("daemon", "stop")
    root = cli.daemon.home.root
    before = tree(root)
    root.chmod(mode)
    done = subprocess.run(
        [sys.executable, "-m", "attn", "doctor", "--json"], env=cli.daemon.env, capture_output=True, text=True,
        timeout=60, check=False, preexec_fn=obey_permissions,
    )  # fmt: skip
    archive = subprocess.run(
        [sys.executable, "-m", "attn", "debug", "--to", str(root.with_name("x.tar.gz"))], env=cli.daemon.env,
        capture_output=True, text=True, timeout=60, check=False, preexec_fn=obey_permissions,
    )  # fmt: skip
    root.chmod(0o700)
    assert archive.returncode == 0 and root.with_name("x.tar.gz").stat().st_size, archive
    assert {path: facts[5] for path, facts in tree(root).items()} == {path: facts[5] for path, facts in before.items()}
    assert done.returncode == 2, done
    failed = [each for each in json.loads(done.stdout)["findings"] if each["level"] == "fail"]
    assert f"home: home_unwritable: {root}" in words(failed) and "chmod u+rwx" in words(failed)


def test_workers_that_are_stopped_lost_or_belong_to_others(cli: Cli) -> None:
    session = str(cli.sessions()["runs"]["id"])
    worker = json.loads((cli.daemon.home.bundle(session) / "worker.json").read_text())["pid"]
    os.kill(worker, signal.SIGSTOP)
    wait_until(lambda: f"kill -CONT {worker}" in words(looked(cli)["warn"]), 20, "the stopped worker to be told")
    os.kill(worker, signal.SIGCONT)
    cli.ok("daemon", "stop")
    ended = next(path for path in cli.daemon.home.run.iterdir() if (path / "exit.json").exists())
    facts = json.loads((ended / "spec.json").read_text())
    (ended / "spec.json").write_text(json.dumps({**facts, "daemon_id": "another"}))
    shutil.copytree(ended, cli.daemon.home.run / "zzzzz00001")
    (cli.daemon.home.run / "zzzzz00001" / "spec.json").write_text("{")
    found = words(looked(cli)["warn"])
    assert "session_foreign" in found and str(ended) in found
    assert "bundle_quarantined" in found and "zzzzz00001" in found


def test_a_daemon_that_is_still_finding_its_sessions(cli: Cli) -> None:
    session = str(cli.sessions()["runs"]["id"])
    worker = json.loads((cli.daemon.home.bundle(session) / "worker.json").read_text())["pid"]
    os.kill(worker, signal.SIGSTOP)  # it holds up the recovery for a second
    try:
        cli.daemon.kill()
        cli.daemon.start()
        done = cli.run("doctor", "--json")
        told = words(json.loads(done.stdout)["findings"])
        assert done.returncode in (0, 1) and "the daemon runs (pid" in told and f"kill -CONT {worker}" in told, done
        told = cli.run("ls").stderr
        assert "session_unreachable" in told and told.endswith("attn doctor\n")
    finally:
        os.kill(worker, signal.SIGCONT)


def test_a_daemon_in_another_runtime_directory(cli: Cli, tmp_path: Path) -> None:
    elsewhere = Cli(cli.daemon)
    elsewhere.daemon.env = {**cli.daemon.env, "XDG_RUNTIME_DIR": str(tmp_path)}
    found = looked(elsewhere)
    assert not found["fail"] and "the daemon runs (pid" in words(found["ok"]), found


def test_the_archive_has_what_helps_and_no_secret(cli: Cli, tmp_path: Path) -> None:
    cli.ok("new", "--label", "secretive", "--env", "MY_SECRET=hunter2", "--", "sh", "-c", "echo shown-$MY_SECRET; cat")
    cli.ok("wait", "secretive", "--for", "shown-hunter2")
    told = cli.run("debug", "--to", str(tmp_path / "x.tar.gz"))
    assert told.returncode == 0 and str(tmp_path / "x.tar.gz") in told.stdout
    with tarfile.open(tmp_path / "x.tar.gz") as archive:
        parts = {name: archive.extractfile(name) for name in archive.getnames()}
        data = {name: file.read() for name, file in parts.items() if file is not None}
    everything = b"\n".join(data.values())
    controls = [path.read_bytes() for path in cli.daemon.home.run.glob("*/control")]
    for secret in (b"hunter2", b"echo shown", cli.daemon.home.token.read_bytes().strip(), *controls):
        assert secret not in everything
    status = json.loads(data["attn-debug/status.json"])
    assert status["daemon"]["pid"] == cli.daemon_pid()
    assert b"serves" in data["attn-debug/logs/daemon.log"] and b"daemon.lock" in data["attn-debug/locks.txt"]
    assert len(json.loads(data["attn-debug/bundles.json"])) == 3 and b"open " in data["attn-debug/sockets.txt"]
