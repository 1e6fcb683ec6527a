"""What a client may have waiting, and the unix socket's frames."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import AsyncIterator

import pytest

from attn.daemon.peer import CONGESTED_BYTES, Peer, UnixPeer
from attn.wire import client_api, framing
from attn.wire.client_events import Ok, SessionRemoved
from tests.daemon.scripted import RecordingPeer


def test_events_are_folded_while_a_client_does_not_read() -> None:
    peer = RecordingPeer()
    peer.send_latest("a", SessionRemoved(session="1"))
    peer.stop_reading()
    for name in ("2", "3", "4"):
        peer.send_latest("a", SessionRemoved(session=name))
        peer.send_latest("b", SessionRemoved(session=f"b{name}"))
    assert [message.session for message in peer.told] == ["1"]
    peer.read_again()
    assert [message.session for message in peer.told] == ["1", "4", "b4"]


async def test_drained_waits_for_a_client_that_reads_again() -> None:
    peer = RecordingPeer()
    await peer.drained()
    peer.stop_reading()
    waiting = asyncio.create_task(peer.drained())
    await asyncio.sleep(0)
    assert not waiting.done() and peer.congested
    peer.read_again()
    await waiting


def test_ids_are_unique() -> None:
    assert RecordingPeer().id != RecordingPeer().id


class Ends:
    """A unix peer and the client's end of its socket."""

    def __init__(self) -> None:
        self.received: list[tuple[int, bytes]] = []
        self.gone = asyncio.Event()
        self.news = asyncio.Event()
        self.ours, theirs = socket.socketpair()
        self.ours.setblocking(False)
        self._theirs = theirs
        self.peer: UnixPeer

    async def open(self) -> None:
        def received(peer: Peer, kind: int, payload: bytes) -> None:
            self.received.append((kind, payload))
            self.news.set()

        _, self.peer = await asyncio.get_running_loop().connect_accepted_socket(
            lambda: UnixPeer(received, lambda peer: self.gone.set()), self._theirs
        )

    async def read(self, size: int = 1 << 16) -> bytes:
        return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self.ours, size), 10)


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    made = Ends()
    await made.open()
    yield made
    made.ours.close()
    made.peer.abort()
    await asyncio.wait_for(made.gone.wait(), 10)


async def test_frames_pass_both_ways(ends: Ends) -> None:
    ends.ours.send(framing.encode(client_api.JSON, b"{}") + framing.encode(client_api.BINARY, b"x"))
    await asyncio.wait_for(ends.news.wait(), 10)
    assert ends.received == [(client_api.JSON, b"{}"), (client_api.BINARY, b"x")]
    ends.peer.send(Ok(id=5))
    ends.peer.send_binary(client_api.OUTPUT, 1, 2, b"data")
    (_, ok), (kind, frame) = framing.Decoder().feed(await ends.read())
    assert json.loads(ok) == {"type": "ok", "id": 5}
    assert (kind, client_api.unpack_binary(frame)) == (client_api.BINARY, (client_api.OUTPUT, 1, 2, b"data"))


async def test_another_user_is_not_listened_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the mode of the socket and of its directory."""
    somebody = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: somebody)
    made = Ends()
    made.ours.send(framing.encode(client_api.JSON, b"{}"))
    await made.open()
    await asyncio.wait_for(made.gone.wait(), 10)
    assert made.received == []
    with contextlib.closing(made.ours), contextlib.suppress(ConnectionResetError):
        assert await made.read() == b""


async def test_too_much_is_named_and_closed(ends: Ends) -> None:
    ends.ours.send(framing.HEADER.pack(client_api.MAX_MESSAGE_BYTES + 1, client_api.JSON))
    ((_, error),) = framing.Decoder().feed(await ends.read())
    assert json.loads(error)["code"] == "message_too_large"
    assert await ends.read() == b""


async def test_a_client_that_does_not_read_is_not_read_from(ends: Ends) -> None:
    ends.peer.send_binary(client_api.OUTPUT, 1, 0, bytes(CONGESTED_BYTES + (1 << 20)))
    assert ends.peer.congested
    ends.ours.send(framing.encode(client_api.JSON, b"{}"))
    left = CONGESTED_BYTES + (1 << 20)
    while ends.peer.congested:
        assert ends.received == []
        left -= len(await ends.read(1 << 18))
    assert left > 0
    await asyncio.wait_for(ends.news.wait(), 10)
