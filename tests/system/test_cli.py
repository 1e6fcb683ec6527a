"""The commands, run as a person or a script runs them, on a real daemon."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from attn import __version__
from tests.system.conftest import DaemonProcess
from tests.waiting import wait_until

Done = subprocess.CompletedProcess[str]


class Cli:
    """`attn` in the home of one daemon. Without a terminal, as in a script."""

    def __init__(self, daemon: DaemonProcess) -> None:
        self.daemon = daemon

    def run(self, *args: str, env: dict[str, str] | None = None, cwd: Path | None = None) -> Done:
        return subprocess.run(
            [sys.executable, "-m", "attn", *args],
            env={**self.daemon.env, **(env or {})},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def ok(self, *args: str) -> str:
        done = self.run(*args)
        assert (done.returncode, done.stderr) == (0, ""), done
        return done.stdout

    def fails(self, code: str, status: int, *args: str) -> str:
        """The remedy, checked together with the rest of what a failure is."""
        done = self.run(*args)
        assert (done.returncode, done.stdout) == (status, ""), done
        lines = done.stderr.splitlines()
        assert lines[0].startswith(f"{code}: "), done
        return lines[-1] if len(lines) > 1 else ""

    def sessions(self) -> dict[str, dict[str, object]]:
        return {session["label"]: session for session in json.loads(self.ok("ls", "--json"))}

    def daemon_pid(self) -> int:
        return int(json.loads(self.run("status", "--json").stdout)["daemon"]["pid"])


@pytest.fixture
def cli(daemon: DaemonProcess) -> Cli:
    """With a daemon."""
    return Cli(daemon)


@pytest.fixture
def first(cold: DaemonProcess) -> Iterator[Cli]:
    """Without one; what it starts is ended."""
    cli = Cli(cold)
    yield cli
    cli.run("daemon", "stop")


def test_a_session_from_start_to_removal(cli: Cli) -> None:
    session_id = cli.ok("new", "--label", "work", "--size", "10x40", "--", "sh", "-c", "echo ready; cat").strip()
    assert len(session_id) == 10
    listed = cli.sessions()["work"]
    assert (listed["id"], listed["state"], listed["rows"], listed["cols"]) == (session_id, "running", 10, 40)
    assert listed["argv"][1:] == ["-c", "echo ready; cat"]  # type: ignore[index]
    assert listed["worker_build"] == __version__
    cli.ok("wait", "work", "--for", "ready", "--timeout", "20")
    cli.ok("send", "work", "typed text", "--enter", "--confirm")
    assert cli.ok("screen", session_id[:6]).splitlines()[:3] == ["ready", "typed text", "typed text"]
    assert "--force" in cli.fails("session_running", 75, "rm", "work")
    cli.ok("rename", "work", "renamed")
    cli.ok("kill", "renamed")
    ended = cli.sessions()["renamed"]
    assert ended["state"] == "exited"
    assert ended["exit"]["signal"] == signal.SIGHUP  # type: ignore[index]
    assert "typed text" in cli.ok("screen", "renamed")
    cli.ok("rm", "renamed")
    assert cli.sessions() == {}


def test_the_screen_in_every_format(cli: Cli) -> None:
    script = "seq 1 30; printf '\\033[1;31mred\\033[m'; cat"
    cli.ok("new", "--label", "s", "--size", "5x20", "--", "sh", "-c", script)
    cli.ok("wait", "s", "--for", "red")
    assert cli.ok("screen", "s").splitlines() == ["27", "28", "29", "30", "red"]
    assert cli.ok("screen", "s", "--scrollback", "2").splitlines() == ["25", "26", "27", "28", "29", "30", "red"]
    cells = json.loads(cli.ok("screen", "s", "--format", "cells"))
    assert (cells["rows"], cells["cols"]) == (5, 20)
    assert cells["lines"][4]["runs"][0] == {"text": "red", "cols": 3, "bold": True, "foreground": 1}
    assert "font-weight:bold" in cli.ok("screen", "s", "--format", "html")
    ansi = cli.ok("screen", "s", "--format", "ansi")
    assert ansi.startswith("1\n2\n") and "\x1b[6n" not in ansi
    assert not cli.ok("screen", "s", "--format", "ansi", "--scrollback", "0").startswith("1\n")


def test_waiting(cli: Cli) -> None:
    cli.ok("new", "--label", "w", "--", "sh", "-c", "read line; exit 3")
    assert cli.fails("timeout", 4, "wait", "w", "--exit", "--timeout", "0.1")
    assert cli.fails("timeout", 4, "wait", "w", "--for", "never there", "--timeout", "0.1")
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(cli.run, "wait", "w", "--exit", "--json")
        cli.ok("send", "w", "go", "--enter")
        done = waiting.result(30)
    assert done.returncode == 0
    assert json.loads(done.stdout)["exit"]["code"] == 3
    assert cli.ok("wait", "w", "--exit") == "exit 3\n"


def test_waiting_goes_on_when_the_daemon_restarts(cli: Cli) -> None:
    cli.ok("new", "--label", "w", "--", "sh", "-c", "read line; exit 3")
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(cli.run, "wait", "w", "--exit")
        cli.daemon.restart()
        cli.ok("send", "w", "go", "--enter")
        assert waiting.result(30).stdout == "exit 3\n"
    # `wait` may have found no daemon for a moment and started one, which won: it is not the fixture's to end.
    cli.run("daemon", "stop")


def test_a_pinned_size(cli: Cli) -> None:
    cli.ok("new", "--label", "p", "--", "cat")
    cli.ok("resize", "p", "7x33")
    wait_until(lambda: (cli.sessions()["p"]["rows"], cli.sessions()["p"]["cols"]) == (7, 33), 10, "the pinned size")
    cli.ok("resize", "p", "--auto")


def test_what_a_program_is_given(cli: Cli, tmp_path: Path) -> None:
    env = {"LC_TIME": "C.UTF-8", "ATTN_SESSION": "parent0000", "SECRET_OF_CLIENT": "x"}
    script = 'echo "$MINE $LC_TIME [$SECRET_OF_CLIENT] $TERM $PWD"; cat'
    done = cli.run("new", "--label", "e", "--env", "MINE=a=b", "--", "sh", "-c", script, env=env, cwd=tmp_path)
    assert done.returncode == 0, done
    cli.ok("wait", "e", "--for", f"a=b C.UTF-8 [] xterm-256color {tmp_path}")
    assert cli.sessions()["e"]["parent"] == "parent0000"


def test_bad_input_changes_nothing(cli: Cli, tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("no program")
    assert cli.fails("unknown_agent", 64, "new", "--agent", "nobody")
    assert cli.fails("directory_missing", 64, "new", "--cwd", str(tmp_path / "none"))
    assert cli.fails("not_a_directory", 64, "new", "--cwd", str(text))
    assert cli.fails("not_executable", 77, "new", "--", str(text))
    assert cli.fails("agent_missing", 69, "new", "--", str(tmp_path / "none"))
    assert cli.fails("invalid_label", 64, "new", "--label", "a\x1b[31m", "--", "cat")
    assert cli.fails("invalid_label", 64, "new", "--label", "x" * 10_000, "--", "cat")
    assert cli.fails("unknown_session", 64, "kill", "nobody")
    assert cli.sessions() == {}


def test_a_reference_must_mean_one_session(cli: Cli) -> None:
    for _ in range(2):
        cli.ok("new", "--label", "twin", "--", "cat")
    ids = [session["id"] for session in json.loads(cli.ok("ls", "--json"))]
    done = cli.run("kill", "twin")
    assert done.returncode == 64
    assert done.stderr.startswith("ambiguous_session: ")
    assert all(str(session_id) in done.stderr for session_id in ids)


def test_names_cannot_reach_the_terminal(cli: Cli, tmp_path: Path) -> None:
    hostile = tmp_path / "dir\x1b[31m\u202e"
    hostile.mkdir()
    done = cli.run("new", "--label", "h", "--", "cat", cwd=hostile)
    assert done.returncode == 0
    assert not set(cli.ok("ls")) & {"\x1b", "\u202e"}
    assert cli.sessions()["h"]["cwd"] == str(hostile)


def test_status(cli: Cli) -> None:
    done = cli.run("status", "--json")
    status = json.loads(done.stdout)
    assert list(status) == ["daemon", "store", "conditions", "recovery"]
    assert list(status["daemon"]) == ["pid", "id", "version", "protocol", "url", "since_ms"]
    assert list(status["store"]) == ["state", "path", "last_good_backup", "last_good_backup_ms"]
    assert status["daemon"]["pid"] == cli.daemon.pid
    assert done.returncode == (78 if status["store"]["state"] == "degraded" else 0)
    assert f"pid {cli.daemon.pid}" in cli.run("status").stdout


def test_the_daemon_is_started_on_demand_and_stopped(first: Cli) -> None:
    session_id = first.ok("new", "--label", "kept", "--", "cat").strip()
    home = first.daemon.home
    assert stat.S_IMODE(home.root.stat().st_mode) == 0o700
    assert stat.S_IMODE(home.daemon_log.stat().st_mode) == 0o600
    daemon, program = first.daemon_pid(), first.sessions()["kept"]["pid"]
    assert os.getsid(daemon) == daemon
    assert first.ok("daemon", "start") == f"the daemon runs already (pid {daemon})\n"
    assert first.ok("daemon", "stop") == "the daemon is stopped; 1 program runs on\n"
    assert not home.daemon_socket.exists()
    os.kill(int(program), 0)  # type: ignore[call-overload]
    assert first.ok("daemon", "stop") == "no daemon was running\n"
    assert first.ok("daemon", "restart").startswith("no daemon was running\nthe daemon runs (pid ")
    assert first.sessions()["kept"]["pid"] == program
    assert first.ok("logs", "-n", "1")
    assert first.ok("rm", "--force", session_id) == ""


def test_many_clients_start_one_daemon(first: Cli) -> None:
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: first.run("new", "--", "cat"), range(4)))
    assert [each.returncode for each in done] == [0] * 4, done
    assert len(json.loads(first.ok("ls", "--json"))) == 4


def test_a_second_daemon_ends_with_75(cli: Cli) -> None:
    assert str(cli.daemon.pid) in cli.run("daemon", "run").stderr
    assert cli.run("daemon", "run").returncode == 75


def test_a_daemon_whose_socket_is_gone_is_stopped_by_its_lock(cli: Cli) -> None:
    cli.daemon.home.daemon_socket.unlink()
    assert cli.ok("daemon", "stop") == "the daemon is stopped; its programs run on\n"
    assert cli.daemon.process is not None
    assert cli.daemon.process.wait(20) == 0


def test_a_daemon_that_cannot_start_says_why(first: Cli) -> None:
    first.daemon.home.root.mkdir()
    first.daemon.home.config.write_text("nonsense = 1\n")
    assert "the keys are port" in first.fails("invalid_config", 64, "ls")
    assert "nonsense" in first.ok("logs")


def test_a_home_that_cannot_be_written_is_told(first: Cli) -> None:
    root = first.daemon.home.root
    root.write_text("a file")
    assert "ATTN_HOME" in first.fails("home_unwritable", 73, "ls")
    root.unlink()


def test_logs_without_a_log(first: Cli) -> None:
    assert "attn daemon start" in first.fails("log_missing", 69, "logs")


def test_the_page_is_opened_by_its_one_time_address(cli: Cli) -> None:
    done = cli.run("open", env={"DISPLAY": "", "WAYLAND_DISPLAY": ""})
    assert done.returncode == 0
    assert "#login=" in done.stdout
    assert cli.run(env={"DISPLAY": "", "WAYLAND_DISPLAY": ""}).stdout != done.stdout
