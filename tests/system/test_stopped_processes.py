"""SIGSTOP: a daemon or a worker that hangs for a while costs nobody a byte, and a refused wish is forgotten."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from attn.bundle.bundle import Bundle
from tests.system import processes
from tests.system.client import Refused
from tests.system.conftest import DaemonProcess
from tests.waiting import wait_until

LIMIT_S = 60.0
GONE = ("lost", "recoverable")


def worker_pid(daemon: DaemonProcess, session: str) -> int:
    worker = Bundle(daemon.home.bundle(session)).worker()
    assert worker is not None
    return worker.pid


def test_a_stopped_daemon_holds_up_no_program(daemon: DaemonProcess, tmp_path: Path) -> None:
    """It writes more than the kernel and the worker queue for a daemon; who looks afterwards sees the truth."""
    done = tmp_path / "done"
    client = daemon.client()
    script = f"read go; seq 1 3000000; touch {done}; read go; echo the end; exec cat"
    session = client.spawn("sh", "-c", script)["id"]
    stream = client.attach(session)
    client.type(stream, b"go\r", request_id=900)
    client.result(900)
    os.kill(daemon.pid, signal.SIGSTOP)
    try:
        wait_until(done.exists, LIMIT_S, "the program to write all it has")
    finally:
        os.kill(daemon.pid, signal.SIGCONT)
    client.until(lambda: stream.painted and b"3000000" in stream.data, LIMIT_S)
    client.type(stream, b"go\r")
    client.until(lambda: stream.painted and b"the end" in stream.data, LIMIT_S)
    assert stream.gaps == 0
    head, shown = client.screen(session)
    assert head["offset"] == stream.offset
    assert b"3000000" in shown and b"the end" in shown
    assert client.state(session) == "running"


@pytest.mark.parametrize("wish", ["kill_session", "remove_session", "reload_session"])
def test_a_wish_that_was_refused_is_not_granted_later(daemon: DaemonProcess, wish: str) -> None:
    """Its worker hangs, so the person is told no; that the worker comes back must not end the program by surprise."""
    client = daemon.client()
    session = client.spawn("cat")
    pid = worker_pid(daemon, session["id"])
    os.kill(pid, signal.SIGSTOP)
    try:
        fields = {"force": True} if wish == "remove_session" else {}
        with pytest.raises(Refused) as refused:
            client.result(client.ask(wish, session=session["id"], **fields), LIMIT_S)
        assert refused.value.code in ("worker_unreachable", "timeout")
    finally:
        os.kill(pid, signal.SIGCONT)
    client.until(lambda: client.state(session["id"]) == "running", LIMIT_S)
    again = daemon.restart().client()
    again.request("get_status")
    assert again.state(session["id"]) == "running"
    stream = again.attach(session["id"])
    again.type(stream, b"unmoved\r")
    again.until_output(stream, b"unmoved\r\nunmoved")
    assert processes.running(session["pid"])


def test_who_waits_for_an_end_hears_of_a_killed_worker(daemon: DaemonProcess) -> None:
    client, other = daemon.client(), daemon.client()
    session = client.spawn("cat")["id"]
    stream = other.attach(session)
    waiting = client.ask("wait_session", session=session, timeout_ms=50_000)
    for_text = client.ask("wait_session", session=session, text="never shown", timeout_ms=50_000)
    os.kill(worker_pid(daemon, session), signal.SIGKILL)
    client.until(lambda: waiting in client.replies and for_text in client.replies, LIMIT_S)
    assert client.replies[waiting].get("exit") is None
    assert client.replies[for_text]["type"] == "error"
    other.until(lambda: other.state(session) in GONE, LIMIT_S)
    other.type(stream, b"too late", request_id=901)
    with pytest.raises(Refused) as refused:
        other.result(901)
    assert refused.value.code in ("session_ended", "worker_unreachable")
