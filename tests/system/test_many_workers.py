"""A daemon that comes back to 25 and to 100 living workers, one of which hangs: the others are served at once."""

from __future__ import annotations

import os
import signal
import time

import pytest

from attn.bundle.bundle import Bundle
from attn.bundle.identity import WORKER_NAME
from attn.wire import client_api
from tests.system import processes, slices
from tests.system.client import Client, Refused
from tests.system.conftest import DaemonProcess
from tests.waiting import wait_until

LIMIT_S = 60.0
# A client may have 64 requests open.
AT_ONCE = 25


def start_many(client: Client, count: int) -> dict[str, int]:
    """Session id -> pid of its program."""
    pids: dict[str, int] = {}
    for _ in range(0, count, AT_ONCE):
        asked = [client.ask("spawn_session", argv=["cat"]) for _ in range(AT_ONCE)]
        views = [client.result(request, LIMIT_S)["session"] for request in asked]
        pids.update({view["id"]: view["pid"] for view in views})
    return pids


def first_state(daemon: DaemonProcess) -> tuple[Client, float]:
    """A new daemon's client that has the whole list, and the seconds from the daemon's exec until then."""
    began = time.monotonic()
    client = daemon.start().client()
    return client, time.monotonic() - began


@pytest.mark.parametrize("count", [25, 100])
def test_the_initial_state_is_whole_with_a_stopped_worker(daemon: DaemonProcess, count: int) -> None:
    pids = start_many(daemon.client(), count)
    frozen, busy = list(pids)[count // 2], list(pids)[-1]
    worker = Bundle(daemon.home.bundle(frozen)).worker()
    assert worker is not None
    daemon.kill()
    client, all_well_s = first_state(daemon)
    assert {view["id"]: (view["state"], view["pid"]) for view in client.sessions.values()} == {
        session: ("running", pid) for session, pid in pids.items()
    }
    daemon.kill()
    os.kill(worker.pid, signal.SIGSTOP)
    try:
        client, one_stopped_s = first_state(daemon)
        states = {session: client.state(session) for session in pids}
        assert states == {**dict.fromkeys(pids, "running"), frozen: "unreachable"}
        stream = client.attach(busy)
        client.type(stream, b"served\r")
        client.until_output(stream, b"served\r\nserved")
        assert client.attach(frozen).results[0]["source"] == "persisted"
        client.until(lambda: [each["code"] for each in client.conditions] == ["session_unreachable"])
    finally:
        os.kill(worker.pid, signal.SIGCONT)
    client.until(lambda: client.state(frozen) == "running", LIMIT_S)
    client.until(lambda: not client.conditions)
    assert client.sessions[frozen]["pid"] == pids[frozen]
    assert len(processes.named(daemon.home, WORKER_NAME)) == count
    slices.result(f"{count} workers: whole list after {all_well_s:.2f} s, with one stopped after {one_stopped_s:.2f} s")


def early_client(daemon: DaemonProcess) -> Client:
    """A client that was greeted before the daemon knew its sessions."""
    for _ in range(10):
        client = Client(daemon.start().home.daemon_socket)
        client.send("hello", protocol=client_api.PROTOCOL, build="test", client="test")
        client.until(lambda: client.hello_body)  # noqa: B023 - used before the next turn
        if client.hello_body["recovering"]:
            return client
        client.socket.close()
        daemon.kill()
    raise AssertionError("a stopped worker never held up the list for a moment")


def test_who_comes_early_is_told_so_and_then_gets_one_whole_list(daemon: DaemonProcess) -> None:
    pids = start_many(daemon.client(), 25)
    frozen = list(pids)[3]
    worker = Bundle(daemon.home.bundle(frozen)).worker()
    assert worker is not None
    daemon.kill()
    os.kill(worker.pid, signal.SIGSTOP)
    try:
        with early_client(daemon) as client:
            assert client.hello_body["sessions"] == [] and not client.sessions
            for kind, fields in (
                ("spawn_session", {"argv": ["cat"]}),
                ("attach_session", {"session": frozen}),
                ("kill_session", {"session": frozen}),
                ("rename_session", {"session": frozen, "label": "x"}),
                ("remove_session", {"session": frozen}),
                ("get_screen", {"session": frozen, "format": "text"}),
            ):
                with pytest.raises(Refused) as refused:
                    client.request(kind, **fields)
                assert (refused.value.code, refused.value.body["retryable"]) == ("daemon_recovering", True)
            client.until(lambda: not client.hello_body["recovering"], LIMIT_S)
            assert client.sessions.keys() == pids.keys()
            assert client.state(frozen) == "unreachable"
            client.request("get_status")
            kinds = [event["type"] for event in client.events]
            assert kinds.count("sessions_ready") == 1
            assert "session_changed" not in kinds[: kinds.index("sessions_ready")]
    finally:
        os.kill(worker.pid, signal.SIGCONT)


def test_a_worker_that_hangs_from_the_start_of_its_answer_delays_nobody(daemon: DaemonProcess) -> None:
    """Stopped while the daemon was away, with a backlog of its program's output in the way."""
    client = daemon.client()
    flood, other = client.spawn("yes")["id"], client.spawn("cat")["id"]
    worker = Bundle(daemon.home.bundle(flood)).worker()
    assert worker is not None
    os.kill(worker.pid, signal.SIGSTOP)
    try:
        client.until(lambda: client.state(flood) == "running")
        with_answer = client.attach(other)
        client.type(with_answer, b"prompt\r")
        client.until_output(with_answer, b"prompt\r\nprompt")
        request = client.ask("resize_session", session=flood, rows=30, cols=100)
        client.until(lambda: client.state(flood) == "unreachable", LIMIT_S)
        client.until(lambda: request in client.replies, LIMIT_S)
        assert client.replies[request]["code"] == "worker_unreachable"
        client.type(with_answer, b"again\r")
        client.until_output(with_answer, b"again\r\nagain")
    finally:
        os.kill(worker.pid, signal.SIGCONT)
    client.until(lambda: client.state(flood) == "running", LIMIT_S)
    before = client.sessions[flood]["last_output_at_ms"]
    client.until(lambda: client.sessions[flood]["last_output_at_ms"] > before, LIMIT_S)
    wait_until(lambda: processes.running(worker.pid), LIMIT_S, "the worker")
