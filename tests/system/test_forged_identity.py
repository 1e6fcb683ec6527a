"""Who is who: a forged or reused pid is never signalled, a lying worker never believed, a foreign one never adopted."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from attn.bundle import identity
from attn.bundle.bundle import Bundle
from attn.wire import framing, worker_api
from tests.system import processes
from tests.system.client import Refused
from tests.system.conftest import DaemonProcess, make_daemon
from tests.waiting import wait_until

LIMIT_S = 20.0
GONE = ("lost", "recoverable")


@pytest.fixture
def stranger() -> Iterator[int]:
    """The pid of somebody else's program."""
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as process:
        yield process.pid
        assert process.poll() is None, "a process that was not ours was ended"
        process.kill()


def forge(home_bundle: Path, **fields: object) -> None:
    path = home_bundle / "worker.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


@pytest.mark.parametrize("right_start", [True, False])
def test_a_forged_pid_is_never_signalled(daemon: DaemonProcess, stranger: int, right_start: bool) -> None:
    """The files name a living process of somebody else, even with its true start time."""
    client = daemon.client()
    dead, alive = client.spawn("cat"), client.spawn("cat")
    daemon.kill()
    started = identity.start_time(stranger)
    assert started is not None
    worker = Bundle(daemon.home.bundle(dead["id"])).worker()
    assert worker is not None
    os.kill(worker.pid, signal.SIGKILL)
    wait_until(lambda: not processes.running(dead["pid"]), LIMIT_S, "the program's hang-up")
    for session in (dead, alive):
        forged = {"pid": stranger, "child_pid": stranger, "start_time": started if right_start else started - 1}
        forge(daemon.home.bundle(session["id"]), **forged)
    client = daemon.start().client()
    assert client.state(dead["id"]) in GONE
    # Its worker answers, but is not who its file says: believed or not, it is not lost.
    assert client.state(alive["id"]) in ("running", "unreachable")
    for session in (dead, alive):
        try:
            client.request("remove_session", session=session["id"], force=True)
        except Refused as refused:
            assert (refused.code, session) == ("worker_unreachable", alive)
    assert dead["id"] not in client.sessions
    assert processes.running(stranger)
    assert processes.running(alive["pid"]) == (alive["id"] in client.sessions)


def test_no_path_of_the_metadata_is_ever_unlinked(daemon: DaemonProcess, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("nobody's socket")
    client = daemon.client()
    session = client.spawn("cat")
    daemon.kill()
    forge(daemon.home.bundle(session["id"]), socket=str(precious))
    client = daemon.start().client()
    assert client.state(session["id"]) == "unreachable"
    assert processes.running(session["pid"])
    with pytest.raises(Refused) as refused:
        client.request("remove_session", session=session["id"], force=True)
    assert refused.value.code == "worker_unreachable"
    assert precious.read_text() == "nobody's socket"
    assert daemon.home.bundle(session["id"]).exists()


def test_a_socket_that_leads_to_another_session_is_no_way_in(daemon: DaemonProcess) -> None:
    client = daemon.client()
    one, two = client.spawn("cat"), client.spawn("cat")
    other = Bundle(daemon.home.bundle(two["id"])).worker()
    assert other is not None
    daemon.kill()
    forge(daemon.home.bundle(one["id"]), socket=other.socket)
    client = daemon.start().client()
    assert (client.state(one["id"]), client.state(two["id"])) == ("unreachable", "running")
    client.request("kill_session", session=two["id"])
    assert processes.running(one["pid"])


# -- lying workers ---------------------------------------------------------------------------------------------------


def _silent(connection: socket.socket) -> None:
    connection.recv(1)


def _garbage(connection: socket.socket) -> None:
    connection.sendall(b"\xff" * 4096)


def _half(connection: socket.socket) -> None:
    """A frame that never ends."""
    connection.sendall(framing.encode(worker_api.RESPONSE, b"x" * 100)[:50])
    connection.recv(1)


def _other_session(connection: socket.socket) -> None:
    connection.recv(4096)
    said = {"session_id": "another001", "features": [], "build": "0", "pid": 1, "protocol": 1}
    connection.sendall(framing.encode(worker_api.RESPONSE, worker_api.pack_json({"id": 1, "ok": said})))
    connection.recv(1)


def _nonsense(connection: socket.socket) -> None:
    """Says who it should be, and then that its program has no number, no size and no output."""
    hello = framing.Decoder().feed(connection.recv(4096))
    if not hello:
        return  # it left without a word
    token = worker_api.unpack_json(hello[0][1])["params"]["token"]
    said = {"session_id": SESSIONS_BY_TOKEN[token], "features": [], "build": "0", "pid": 1, "protocol": 1}
    connection.sendall(framing.encode(worker_api.RESPONSE, worker_api.pack_json({"id": 1, "ok": said})))
    connection.recv(4096)
    connection.sendall(framing.encode(worker_api.RESPONSE, worker_api.pack_json({"id": 2, "ok": {"pid": "x"}})))
    connection.recv(1)


def _wrong_shape(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(framing.encode(worker_api.RESPONSE, worker_api.pack_json({"id": 1, "ok": {"features": 7}})))
    connection.recv(1)


SESSIONS_BY_TOKEN: dict[str, str] = {}
LIES: dict[str, Callable[[socket.socket], None]] = {
    "silent": _silent,
    "garbage": _garbage,
    "half a frame": _half,
    "another session": _other_session,
    "wrong shape": _wrong_shape,
    "nonsense": _nonsense,
}


@contextmanager
def liar(path: Path, lie: Callable[[socket.socket], None]) -> Iterator[None]:
    """Somebody who answers at a worker's socket."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(8)
    listener.settimeout(LIMIT_S)

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
                with connection:
                    connection.settimeout(LIMIT_S)
                    lie(connection)
            except OSError:
                return  # the test is over

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        path.unlink(missing_ok=True)


def test_lying_workers_delay_nobody_and_lose_nothing(daemon: DaemonProcess, tmp_path: Path) -> None:
    client = daemon.client()
    sessions = {lie: client.spawn("cat") for lie in LIES}
    honest = client.spawn("cat")
    daemon.kill()
    hidden = {}
    SESSIONS_BY_TOKEN.update(
        {Bundle(daemon.home.bundle(session["id"])).control(): session["id"] for session in sessions.values()}
    )
    with ExitStack() as stack:
        for lie, session in sessions.items():
            path = daemon.home.worker_socket(session["id"])
            hidden[lie] = tmp_path / session["id"]
            path.rename(hidden[lie])  # its worker still listens there
            stack.enter_context(liar(path, LIES[lie]))
        client = daemon.start().client()
        assert {lie: client.state(session["id"]) for lie, session in sessions.items()} == dict.fromkeys(
            LIES, "unreachable"
        )
        stream = client.attach(honest["id"])
        client.type(stream, b"served\r")
        client.until_output(stream, b"served\r\nserved")
        assert "Traceback" not in daemon.log()
    for lie, session in sessions.items():
        hidden[lie].rename(daemon.home.worker_socket(session["id"]))
    client.until(lambda: {client.state(each["id"]) for each in sessions.values()} == {"running"}, 60)
    assert {client.sessions[each["id"]]["pid"] for each in sessions.values()} == {s["pid"] for s in sessions.values()}


# -- other daemons ---------------------------------------------------------------------------------------------------


@pytest.fixture
def neighbour() -> Iterator[DaemonProcess]:
    """A second home with a daemon of its own; both keep their sockets in the same $XDG_RUNTIME_DIR."""
    other = make_daemon()
    try:
        yield other.start()
    finally:
        other.close()


def test_two_homes_know_nothing_of_each_other(daemon: DaemonProcess, neighbour: DaemonProcess) -> None:
    assert daemon.home.daemon_socket.parent == neighbour.home.daemon_socket.parent
    ours, theirs = daemon.client(), neighbour.client()
    assert ours.hello_body["daemon_id"] != theirs.hello_body["daemon_id"]
    mine, other = ours.spawn("cat", label="same"), theirs.spawn("cat", label="same")
    for each in (daemon, neighbour):
        each.restart()
    ours, theirs = daemon.client(), neighbour.client()
    assert ours.sessions.keys() == {mine["id"]} and theirs.sessions.keys() == {other["id"]}
    ours.request("kill_session", session=mine["id"])
    assert processes.running(other["pid"])


def test_a_worker_of_another_daemon_is_never_adopted(daemon: DaemonProcess, neighbour: DaemonProcess) -> None:
    """Its bundle was copied into our home, token and all, as a backup tool or a moved folder would."""
    theirs = neighbour.client()
    session = theirs.spawn("cat")
    own = daemon.client().spawn("cat")
    daemon.kill()
    shutil.copytree(neighbour.home.bundle(session["id"]), daemon.home.bundle(session["id"]))
    client = daemon.start().client()
    assert client.state(own["id"]) == "running"
    shown = client.sessions.get(session["id"])
    assert shown is None or shown["state"] not in ("running", "starting")
    assert processes.running(session["pid"])
    stream = theirs.attach(session["id"])
    theirs.type(stream, b"still theirs\r")
    theirs.until_output(stream, b"still theirs\r\nstill theirs")
    kept = [path for path in daemon.home.root.rglob("spec.json") if session["id"] in str(path)]
    assert len(kept) == 1, "the copied bundle was deleted"
