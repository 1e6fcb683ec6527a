"""Descriptors, timers, sockets with frames."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from attn.wire import framing
from attn.wire.launch import TAKEN_BACK
from attn.worker import loop as loop_module
from attn.worker.listening import listen
from attn.worker.loop import Connection, Disconnected, Loop, Peers, heed, note, note_failure, receive_order


def pair() -> tuple[socket.socket, socket.socket]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.settimeout(10)
    return ours, theirs


# -- the loop --------------------------------------------------------------------------------------------------------


def test_timers_fire_once_in_their_time_and_can_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000
    monkeypatch.setattr(loop_module, "now_ms", lambda: now)
    loop, fired = Loop(), list[str]()
    loop.after("a", 10, lambda: fired.append("a"))
    loop.after("b", 20, lambda: fired.append("old"))
    loop.after("b", 30, lambda: fired.append("b"))
    loop.after("c", 5, lambda: fired.append("c"))
    loop.cancel("c")
    for now, expected in ((1009, []), (1010, ["a"]), (1025, ["a"]), (1030, ["a", "b"]), (2000, ["a", "b"])):  # noqa: B007
        loop.turn(idle=False)
        assert fired == expected
    assert not loop.waits("a")


def test_a_timer_may_set_itself_again() -> None:
    loop, fired = Loop(), list[int]()

    def again() -> None:
        fired.append(1)
        loop.after("x", 0, again)

    loop.after("x", 0, again)
    for _ in range(3):
        loop.turn(idle=True)
    assert len(fired) == 3


def test_only_what_is_asked_for_wakes() -> None:
    loop, seen = Loop(), list[int]()
    ours, theirs = pair()
    with ours, theirs:
        loop.watch(ours.fileno(), seen.append)
        loop.turn(idle=False)
        assert seen == []
        theirs.send(b"x")
        loop.turn(idle=True)
        loop.watch(ours.fileno(), seen.append, readable=False, writable=True)
        loop.turn(idle=True)
        loop.watch(ours.fileno(), seen.append, readable=False)
        loop.turn(idle=False)
        assert seen == [1, 2]
        assert loop.max_us >= 0


def test_a_descriptor_closed_by_an_earlier_callback_is_not_called() -> None:
    loop, called = Loop(), list[str]()
    pairs = [pair(), pair()]

    def first(name: str, other: socket.socket) -> None:
        called.append(name)
        loop.forget(other.fileno())

    for name, index in (("a", 0), ("b", 1)):
        pairs[index][1].send(b"x")
        loop.watch(pairs[index][0].fileno(), lambda _, name=name, index=index: first(name, pairs[1 - index][0]))
    loop.turn(idle=True)
    assert len(called) == 1
    for ours, theirs in pairs:
        ours.close()
        theirs.close()


def test_notes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []
    monkeypatch.setattr(loop_module, "_notes_left", 2)
    monkeypatch.setattr(os, "write", lambda file, data: written.append(data) or len(data))
    for number in range(5):
        note(f"line {number}")
    assert [line.split(b" ", 1)[1] for line in written] == [b"line 0\n", b"line 1\n"]


def test_a_note_that_cannot_be_written_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int, __: bytes) -> int:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(os, "write", full)
    note("nobody reads this")


def test_a_failure_is_noted_with_its_traceback_and_bounded(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(loop_module, "_notes_left", 1)
    for reason in ("first", "second"):
        try:
            raise IndexError(reason)
        except IndexError:
            note_failure()
    said = capfd.readouterr().err
    assert "Traceback" in said and "IndexError: first" in said and "second" not in said


# -- one connection --------------------------------------------------------------------------------------------------


def test_frames_arrive_whole_whatever_the_pieces() -> None:
    ours, theirs = pair()
    with ours, theirs:
        connection = Connection(ours)
        data = framing.encode(1, b"one") + framing.encode(2, b"")
        got: list[tuple[int, bytes]] = []
        for byte in data:
            theirs.send(bytes([byte]))
            got += connection.receive()
        assert got == [(1, b"one"), (2, b"")]
        assert connection.receive() == []


def test_what_the_socket_does_not_take_waits_in_order() -> None:
    ours, theirs = pair()
    with ours, theirs:
        connection = Connection(ours)
        sent = b""
        for number in range(300):
            payload = bytes([number % 256]) * 7001
            connection.send(4, payload)
            sent += framing.encode(4, payload)
        assert connection.queued_bytes > 0
        got = b""
        while len(got) < len(sent):
            got += theirs.recv(50_000)
            connection.flush()
        assert got == sent
        assert connection.queued_bytes == 0


def test_a_peer_that_does_not_read_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_module, "OUT_MAX_BYTES", 1 << 20)
    ours, theirs = pair()
    with ours, theirs:
        connection = Connection(ours)
        with pytest.raises(Disconnected, match="unread"):
            for _ in range(100):
                connection.send(4, b"x" * 65536)
        assert connection.queued_bytes < (1 << 20) + 2 * 65536


def test_a_peer_that_left_or_babbles_is_told_apart_from_silence() -> None:
    ours, theirs = pair()
    with ours, theirs:
        connection = Connection(ours)
        theirs.send(struct.pack(">IB", 1 << 30, 1))
        with pytest.raises(Disconnected, match="announces"):
            connection.receive()
        theirs.close()
        with pytest.raises(Disconnected, match="closed"):
            connection.receive()
        with pytest.raises(Disconnected):
            connection.send(1, b"x")


# -- many connections ------------------------------------------------------------------------------------------------


class Recorder:
    """An owner that answers `a` with `A`."""

    def __init__(self) -> None:
        self.heard: list[tuple[object, ...]] = []
        self.peers: Peers | None = None

    def connected(self, number: int) -> None:
        self.heard.append(("connected", number))

    def received(self, number: int, kind: int, payload: bytes) -> None:
        self.heard.append(("received", number, kind, payload))
        assert self.peers is not None
        if payload == b"close":
            self.peers.close(number)
        else:
            self.peers.send(number, kind, payload.upper())

    def disconnected(self, number: int) -> None:
        self.heard.append(("disconnected", number))

    def drained(self) -> None:
        self.heard.append(("drained",))


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Loop, Recorder, bytes]]:
    path = os.fsencode(tmp_path / "s")
    loop, owner = Loop(), Recorder()
    owner.peers = Peers(loop, listen(path), owner)
    yield loop, owner, path
    for number in range(1, 4):
        owner.peers.close(number)
    owner.peers.stop_listening()


def connect(path: bytes) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(10)
    client.connect(path)
    return client


def test_peers_come_speak_and_go(served: tuple[Loop, Recorder, bytes]) -> None:
    loop, owner, path = served
    assert os.stat(path).st_mode & 0o077 == 0 or os.umask(0o077) != 0o077
    with connect(path) as client:
        loop.turn(idle=True)
        client.send(framing.encode(7, b"a"))
        loop.turn(idle=True)
        assert client.recv(100) == framing.encode(7, b"A")
    loop.turn(idle=True)
    assert owner.heard == [("connected", 1), ("received", 1, 7, b"a"), ("disconnected", 1)]


def test_a_closed_peer_gets_its_last_frames_and_is_not_heard_any_more(served: tuple[Loop, Recorder, bytes]) -> None:
    loop, owner, path = served
    with connect(path) as client:
        loop.turn(idle=True)
        client.send(framing.encode(7, b"a") + framing.encode(7, b"close") + framing.encode(7, b"late"))
        loop.turn(idle=True)
        assert client.recv(100) == framing.encode(7, b"A")
        assert client.recv(100) == b""
    assert owner.heard[-1] == ("disconnected", 1)
    assert ("received", 1, 7, b"late") not in owner.heard


def test_the_number_of_peers_is_bounded(served: tuple[Loop, Recorder, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_module, "CONNECTIONS_MAX", 2)
    loop, _, path = served
    clients = [connect(path) for _ in range(3)]
    for _ in clients:
        loop.turn(idle=True)
    assert clients[2].recv(1) == b""
    for client in clients:
        client.close()


def test_what_a_slow_peer_has_not_taken_is_known_and_drains(served: tuple[Loop, Recorder, bytes]) -> None:
    loop, owner, path = served
    assert owner.peers is not None
    with connect(path) as client:
        loop.turn(idle=True)
        for _ in range(20):
            owner.peers.send(1, 4, b"x" * 65536)
        assert owner.peers.queued_bytes(1) == owner.peers.most_queued_bytes() > 0
        got = 0
        while got < 20 * (65536 + 5):
            got += len(client.recv(1 << 20))
            loop.turn(idle=False)
        assert owner.peers.most_queued_bytes() == 0
        assert ("drained",) in owner.heard


def test_a_name_that_was_taken_away_is_bound_again_once_nobody_is_connected(
    served: tuple[Loop, Recorder, bytes],
) -> None:
    loop, owner, path = served
    with connect(path):
        loop.turn(idle=True)
        os.unlink(path)
    loop.turn(idle=True)
    assert owner.heard == [("connected", 1), ("disconnected", 1)]
    with connect(path) as client:
        loop.turn(idle=True)
        client.sendall(framing.encode(1, b"again"))
        loop.turn(idle=True)
        assert owner.heard[-1] == ("received", 2, 1, b"again")


def test_what_stands_in_place_of_the_name_is_left_alone(served: tuple[Loop, Recorder, bytes]) -> None:
    loop, _, path = served
    with connect(path):
        loop.turn(idle=True)
        os.unlink(path)
        with open(path, "wb") as strange:
            strange.write(b"not ours")
    loop.turn(idle=True)
    with open(path, "rb") as strange:
        assert strange.read() == b"not ours"


# -- orders ----------------------------------------------------------------------------------------------------------


def test_an_order_arrives_with_its_descriptor() -> None:
    ours, theirs = socket.socketpair()
    read, write = os.pipe()
    with ours, theirs:
        record = struct.pack(">I", 5) + b"a\0b\0c"
        socket.send_fds(theirs, [record], [write])
        theirs.send(struct.pack(">I", 0))
        order = receive_order(ours)
        assert order is not None and order[0] == b"a\0b\0c"
        assert not os.get_inheritable(order[1])
        os.write(order[1], b"ok")
        assert os.read(read, 10) == b"ok"
        bare = receive_order(ours)
        assert bare is not None and bare[0] == b""
        os.write(bare[1], b"back")
        assert theirs.recv(10) == b"back"
        os.close(bare[1])
        os.close(order[1])
        theirs.close()
        assert receive_order(ours) is None
    os.close(read)
    os.close(write)


def test_an_order_is_heeded_until_it_is_taken_back() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        heed(ours.fileno())
        theirs.send(TAKEN_BACK)
        with pytest.raises(OSError, match="taken back"):
            heed(ours.fileno())
        theirs.close()
        heed(ours.fileno())  # a daemon that merely ended


@pytest.mark.parametrize("data", [struct.pack(">I", 10) + b"short", b"\0\0", struct.pack(">I", 1 << 30)])
def test_an_order_that_is_none_is_refused(data: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(data)
        theirs.close()
        with pytest.raises(ValueError):
            receive_order(ours)
