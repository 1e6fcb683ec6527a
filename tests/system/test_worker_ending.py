"""How the programs of a real worker end: their last words, the way up the ladder, and what is left behind."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.system.worker_client import Gone, Launcher, alive, gone


def test_a_program_that_ends_at_once_leaves_its_last_words(launcher: Launcher) -> None:
    session = launcher.start("sh", "-c", "seq 1 3000; printf 'famous last words'; exit 5")
    gone(session)
    ended, screen = session.bundle.exit(), session.bundle.screen()
    assert ended is not None and screen is not None
    assert (ended.code, ended.signal) == (5, None)
    assert "3000\nfamous last words" in screen.text
    assert ended.offset == screen.offset
    assert screen.tail.endswith(b"3000\r\nfamous last words")
    assert b"famous last words" in screen.vt and b"2500" in screen.vt
    assert not Path(session.socket_path).exists()
    assert (session.bundle.path / "worker.err").read_bytes() == b""


def test_a_signal_that_ended_the_program_is_known(launcher: Launcher) -> None:
    session = launcher.start("sh", "-c", "kill -SEGV $$")
    gone(session)
    ended = session.bundle.exit()
    assert ended is not None
    assert (ended.code, ended.signal) == (None, signal.SIGSEGV)


def test_clients_hear_the_last_output_then_the_exit_then_goodbye(launcher: Launcher) -> None:
    session = launcher.start("sh", "-c", "read x; echo the end; exit 3")
    with session.connect(attach=True) as client:
        client.type(b"\r")
        with pytest.raises(Gone):
            client.until(lambda: False)
        assert client.output.endswith(b"the end\r\n")
        assert [event["event"] for event in client.events][-2:] == ["exit", "goodbye"]
        assert client.event("exit")["offset"] == client.next_offset
        assert client.event("exit")["code"] == 3


def test_a_program_that_ignores_the_polite_signals_is_killed(launcher: Launcher) -> None:
    session = launcher.start("sh", "-c", "trap '' HUP TERM INT; echo armed; while :; do sleep 0.1; done")
    with session.connect() as client:
        client.wait_text("armed")
        client.call("signal", ladder=True)
        assert client.event("exit")["signal"] == signal.SIGKILL
        client.event("goodbye")
    gone(session)
    assert not alive(session.child_pid)


def test_a_kill_takes_the_whole_tree(launcher: Launcher) -> None:
    """Also a grandchild that left the session, ignores HUP and holds the terminal."""
    script = "(trap '' HUP TERM; setsid sh -c 'echo pid $$; exec sleep 600' & ) ; exec cat"
    session = launcher.start("sh", "-c", script)
    with session.connect() as client:
        shown = client.wait_text("pid ")
        grandchild = int(shown.split("pid ")[1].split()[0])
        assert alive(grandchild)
        client.call("signal", ladder=True)
        client.event("goodbye")
    gone(session)
    assert not alive(grandchild)
    assert not alive(session.child_pid)


# Forks and ends, a hundred times a second, in a session of its own each time; whoever is the last holds the lock.
FLEEING = """
import fcntl, os, signal, sys, time
lock = os.open(sys.argv[1], os.O_CREAT | os.O_RDWR)
fcntl.flock(lock, fcntl.LOCK_EX)
for number in (signal.SIGHUP, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
print("fleeing", flush=True)
end = time.monotonic() + 30
while time.monotonic() < end:
    if os.fork():
        os._exit(0)
    os.setsid()
    time.sleep(0.01)
"""


def test_a_kill_takes_what_forks_and_ends_all_the_time(launcher: Launcher, tmp_path: Path) -> None:
    script = '"$1" -c "$2" "$3" & exec cat'
    session = launcher.start("sh", "-c", script, "sh", sys.executable, FLEEING, str(tmp_path / "lock"))
    with session.connect() as client:
        client.wait_text("fleeing")
        client.call("signal", ladder=True)
        client.event("goodbye")
    gone(session)
    with open(tmp_path / "lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


# A shell that ends only when its child in the background is safe from the hang-up.
LINGER = "trap 'exit {}' USR1; (trap '' HUP; sh -c 'echo pid $PPID.'; kill -USR1 $$; exec sleep 600) & wait"


def test_a_grandchild_in_the_background_survives_the_end_of_its_shell(launcher: Launcher) -> None:
    """As in any terminal; it holds the terminal open, and the exit is known all the same."""
    session = launcher.start("sh", "-c", LINGER.format(4))
    gone(session)
    ended, screen = session.bundle.exit(), session.bundle.screen()
    assert ended is not None and ended.code == 4 and screen is not None
    grandchild = int(screen.text.split("pid ")[1].split(".")[0])
    assert alive(grandchild)
    os.kill(grandchild, signal.SIGKILL)


def test_remove_ends_a_running_program(launcher: Launcher) -> None:
    session = launcher.start("cat")
    with session.connect() as client:
        assert client.call("remove") == {}
        assert client.event("exit")["signal"] == signal.SIGHUP
    gone(session)
    session.bundle.remove()
    assert not session.bundle.path.exists()


def test_a_worker_that_is_asked_to_terminate_ends_its_programs_first(launcher: Launcher) -> None:
    session = launcher.start("cat")
    os.kill(session.worker_pid, signal.SIGTERM)
    gone(session)
    ended = session.bundle.exit()
    assert ended is not None and ended.signal == signal.SIGHUP


def test_a_hangup_or_interrupt_of_the_worker_is_nothing(launcher: Launcher) -> None:
    session = launcher.start("cat")
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
        os.kill(session.worker_pid, number)
    with session.connect() as client:
        client.type(b"unmoved\r")
        client.wait_text("unmoved\nunmoved")
