"""The template process."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import attn
from tests.system.worker_client import LIMIT_S, Launcher, alive, end
from tests.waiting import wait_until


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[Launcher]:
    started = Launcher(tmp_path)
    yield started
    started.close()


def _comm(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()


def test_it_says_what_it_is_and_forks_workers_that_are_their_own(launcher: Launcher) -> None:
    assert launcher.greeting == f"ready {attn.__version__}"
    assert launcher.process is not None
    session = launcher.start("cat")
    assert (_comm(launcher.process.pid), _comm(session.worker_pid)) == ("attn-spawner", "attn-worker")
    stat = Path(f"/proc/{session.worker_pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    assert stat[1] == str(launcher.process.pid)
    assert stat[2] == stat[3] == str(session.worker_pid)
    assert Path(f"/proc/{session.worker_pid}/cwd").resolve() == Path("/")


def test_a_worker_and_its_program_hold_no_descriptor_that_is_not_theirs(launcher: Launcher) -> None:
    session = launcher.start("cat")
    # Standard streams, lock, listener, a pipe for signals, the PTY's master; the report is closed.
    wait_until(lambda: len(_fds(session.worker_pid)) == 8, LIMIT_S, "the report to be closed")
    kinds = [os.readlink(f"/proc/{session.worker_pid}/fd/{fd}").partition(":")[0] for fd in _fds(session.worker_pid)]
    assert kinds.count("socket") == 1
    # The loader of a program that just began has its libraries open for a moment.
    wait_until(lambda: sorted(_fds(session.child_pid)) == ["0", "1", "2"], LIMIT_S, "the standard streams alone")
    assert len({os.readlink(f"/proc/{session.child_pid}/fd/{fd}") for fd in range(3)}) == 1


def _fds(pid: int) -> list[str]:
    return os.listdir(f"/proc/{pid}/fd")


def test_one_whose_daemon_ended_at_once_ends_without_a_word() -> None:
    ours, theirs = socket.socketpair()
    ours.close()
    command = [sys.executable, "-m", "attn.worker.spawner", str(theirs.fileno())]
    done = subprocess.run(command, pass_fds=[theirs.fileno()], capture_output=True, timeout=LIMIT_S, check=False)
    theirs.close()
    assert (done.returncode, done.stderr) == (0, b"")


def test_it_ends_with_its_socket_and_the_workers_do_not(launcher: Launcher) -> None:
    session = launcher.start("cat")
    assert launcher.process is not None
    launcher.channel.close()
    assert launcher.process.wait(LIMIT_S) == 0
    with session.connect(attach=True) as client:
        client.type(b"still here\r")
        client.wait_text("still here\nstill here")


def test_its_death_takes_no_worker_along(launcher: Launcher) -> None:
    session = launcher.start("cat")
    assert launcher.process is not None
    launcher.process.kill()
    launcher.process.wait(LIMIT_S)
    with session.connect() as client:
        assert client.call("info")["pid"] == session.child_pid
    assert alive(session.child_pid)


def test_ended_workers_leave_no_zombies(launcher: Launcher) -> None:
    session = launcher.start("true")
    wait_until(lambda: not Path(f"/proc/{session.worker_pid}").exists(), LIMIT_S, "the worker to be reaped")


def test_a_senseless_order_is_answered_and_the_next_one_is_served(launcher: Launcher) -> None:
    assert launcher.order(b"\0\0\0\4a\0bc").startswith("error internal ")
    assert alive(launcher.start("cat").child_pid)


def test_orders_that_come_together_are_all_served(launcher: Launcher) -> None:
    sessions = [launcher.start("cat") for _ in range(3)]
    assert len({session.worker_pid for session in sessions}) == 3


def test_a_worker_by_exec_is_the_same(tmp_path: Path) -> None:
    launcher = Launcher(tmp_path, by_exec=True)
    try:
        session = launcher.start("cat")
        assert _comm(session.worker_pid) == "attn-worker"
        with session.connect(attach=True) as client:
            client.type(b"hello\r")
            client.wait_text("hello\nhello")
        with pytest.raises(Exception, match="agent_missing"):
            launcher.start("no-such-program")
        end(session)
        assert session.bundle.exit() is not None
    finally:
        launcher.close()


def test_a_report_that_nobody_waits_for_ends_nothing(launcher: Launcher, tmp_path: Path) -> None:
    session = launcher.start("cat")
    record_taken, theirs = socket.socketpair()
    record_taken.close()
    socket.send_fds(launcher.channel, [b"\0\0\0\1x"], [theirs.fileno()])
    theirs.close()
    assert alive(launcher.start("cat").child_pid)
    assert alive(session.child_pid)
