"""RLIMIT_NOFILE=64: what runs goes on, what is too much is refused by name, and all of it ends when space is back."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path

import pytest

from attn.bundle.bundle import Bundle
from tests.system import processes
from tests.system.client import Client, Closed, Refused
from tests.system.conftest import DaemonProcess
from tests.waiting import wait_until

LIMIT = 64
LIMIT_S = 30.0
# Of one core, over the second in which nothing but refused connections happens.
IDLE_SHARE = 0.3


def scarce() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT))


@pytest.fixture
def tight(cold: DaemonProcess) -> DaemonProcess:
    """A daemon that may open 64 files, and so may all that it starts."""
    cold.before_exec = scarce
    return cold.start()


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def works(client: Client, session: str, word: bytes) -> None:
    stream = client.attach(session)
    client.type(stream, word + b"\r")
    client.until_output(stream, word + b"\r\n" + word)
    client.request("detach_session", handle=stream.handle)


def test_a_new_session_is_refused_by_name_and_the_others_work(tight: DaemonProcess) -> None:
    client = tight.client()
    sessions = []
    with pytest.raises(Refused) as refused:
        while len(sessions) < LIMIT:
            sessions.append(client.spawn("cat")["id"])
    assert refused.value.code == "fd_exhausted"
    assert len(sessions) > 5
    for number, session in enumerate(sessions):
        works(client, session, b"number %d" % number)
    assert {view["id"] for view in client.sessions.values() if view["state"] == "running"} == set(sessions)
    bundles = {path.name for path in tight.home.run.iterdir() if path.is_dir() and path.name != "s"}
    assert bundles == client.sessions.keys()
    for session in sessions[:3]:
        client.request("remove_session", session=session, force=True)
    works(client, client.spawn("cat")["id"], b"room again")
    again = tight.restart().client()
    assert {view["state"] for view in again.sessions.values()} == {"running"}
    assert again.sessions.keys() == client.sessions.keys()


def test_too_many_connections_hold_up_nobody_and_cost_no_cpu(tight: DaemonProcess) -> None:
    client = tight.client()
    session = client.spawn("cat")["id"]
    tight.wait_web()
    crowd = []
    try:
        for _ in range(LIMIT):
            crowd.append(Client(tight.home.daemon_socket))
        wait_until(lambda: processes.descriptors(tight.pid) >= LIMIT - 2, LIMIT_S, "a full daemon")
        before, began = cpu_s(tight.pid), time.monotonic()
        works(client, session, b"still served")
        wait_until(lambda: time.monotonic() - began > 2, LIMIT_S, "two seconds of a full daemon")
        assert cpu_s(tight.pid) - before < IDLE_SHARE * (time.monotonic() - began)
        assert client.request("get_status")["sessions_running"] == 1
    finally:
        for each in crowd:
            each.socket.close()
    works(tight.client(), session, b"room again")


def test_a_worker_with_too_many_connections_goes_on(tight: DaemonProcess) -> None:
    """The worker's own limit of connections comes before the system's."""
    client = tight.client()
    session = client.spawn("cat")["id"]
    worker = Bundle(tight.home.bundle(session)).worker()
    assert worker is not None
    crowd = [Client(tight.home.worker_socket(session)) for _ in range(15)]
    try:
        for _ in range(25):
            with pytest.raises((Closed, OSError)):
                crowd.append(Client(tight.home.worker_socket(session)))
                crowd[-1].until(lambda: False)
        works(client, session, b"unmoved")
        assert processes.descriptors(worker.pid) < LIMIT
    finally:
        for each in crowd:
            each.socket.close()
    again = tight.restart().client()
    again.until(lambda: again.state(session) == "running", LIMIT_S)
    works(again, session, b"found again")
