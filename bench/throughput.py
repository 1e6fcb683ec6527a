"""How fast the output of a program reaches a client: PTY, worker with emulator, daemon, WebSocket."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeVar

import aiohttp

from attn.wire import client_api
from attn.wire.client_events import AttachResult, PtyDesync, SpawnResult
from attn.wire.client_requests import AttachSession, ClientHello, ClientMessage, PtyAck, SpawnSession
from bench.hub import Hub, running_hub
from bench.results import Result, median
from bench.sources import COLS, KINDS, ROWS, Source, make
from bench.terminals import Drain, Pty, running_tmux

ROUNDS: Final = 3
# About two seconds of the slowest peer each.
MEGABYTES: Final = {"plain": 64, "TUI-like": 24}
READY: Final = b"ready to print"
# An acknowledgement per message would measure the acknowledgements.
ACK_EVERY_BYTES: Final = client_api.ACK_WINDOW_BYTES // 8
TIMEOUT_S: Final = 60.0

Answer = TypeVar("Answer")


def measure() -> Iterator[Result]:
    """Two results for each kind of output."""
    with tempfile.TemporaryDirectory(prefix="attn-bench-") as folder, running_hub() as hub:
        for kind in KINDS:
            source = make(kind, MEGABYTES[kind], Path(folder))
            rounds = [(_bare(source), _tmux(source), _attn(hub, source)) for _ in range(ROUNDS)]
            bare, tmux, attn = (median(column) for column in zip(*rounds, strict=True))
            name = f"throughput PTY to WebSocket, {kind}"
            yield Result(name, "MB/s", attn, "ratio >= 1.5", tmux, "tmux attached")
            yield Result(name, "MB/s", attn, "ratio >= 0.55", bare, "bare PTY")
            lost = sum(speed == 0 for _, _, speed in rounds)
            yield Result(f"rounds of {ROUNDS} with a resync, {kind}", "rounds", lost, "value <= 0")


def _printing(source: Source) -> list[str]:
    """A program that waits for Enter and then prints the source."""
    return ["sh", "-c", f"stty -echo; printf '{READY.decode()}'; read line; exec cat {source.path}"]


def _bare(source: Source) -> float:
    pty = Pty(_printing(source))
    pty.read_until(READY)
    digest, left, begun = hashlib.sha256(), source.printed_bytes, time.perf_counter()
    pty.write(b"\n")
    while left > 0:
        data = pty.read()
        assert data, "the program ended early"
        digest.update(data)
        left -= len(data)
    taken_s = time.perf_counter() - begun
    pty.close()
    assert digest.hexdigest() == source.sha256, "the bare PTY changed the bytes"
    return source.printed_bytes / taken_s / 1e6


def _tmux(source: Source) -> float:
    """Until the program has ended: tmux redraws, so its client never gets the bytes themselves."""
    waiting = f"stty -echo; printf '{READY.decode()}'; read line; cat {source.path}; tmux wait-for -S printed; sleep 60"
    with running_tmux("sh", "-c", waiting) as tmux:
        client = tmux.attach()
        client.read_until(READY)
        drain = Drain(client)
        begun = time.perf_counter()
        client.write(b"\n")
        tmux.run("wait-for", "printed")
        taken_s = time.perf_counter() - begun
    drain.join()
    client.close()
    return source.printed_bytes / taken_s / 1e6


class _ResyncError(Exception):
    """The daemon dropped this client's backlog: the bytes did not all arrive, so the round does not count."""


def _attn(hub: Hub, source: Source) -> float:
    """MB/s; 0 for a round that does not count."""
    try:
        return _whole(hub, source)
    except _ResyncError:
        return 0.0


def _whole(hub: Hub, source: Source) -> float:
    return asyncio.run(asyncio.wait_for(_through_websocket(hub, source), TIMEOUT_S))


async def _through_websocket(hub: Hub, source: Source) -> float:
    token, url = hub.home.token.read_text().strip(), f"ws://127.0.0.1:{hub.web_port()}/ws"
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as http,
        http.ws_connect(url, max_msg_size=client_api.MAX_MESSAGE_BYTES) as socket,
    ):
        return await _Client(socket).print(source)


class _Client:
    """One page's end of the WebSocket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._handle = 0

    async def print(self, source: Source) -> float:
        """MB/s. Raises AssertionError when a byte is wrong, _ResyncError when the daemon had to resynchronise."""
        await self._say(ClientHello(protocol=client_api.PROTOCOL, build="", client="bench"))
        await self._say(SpawnSession(id=1, argv=_printing(source), rows=ROWS, cols=COLS))
        spawned = await self._answer(SpawnResult)
        await self._say(AttachSession(id=2, session=spawned.session.id, rows=ROWS, cols=COLS))
        self._handle = (await self._answer(AttachResult)).handle
        await self._ready()
        begun = time.perf_counter()
        await self._socket.send_bytes(client_api.pack_binary(client_api.INPUT, self._handle, 0, b"\n"))
        digest, left, unacknowledged = hashlib.sha256(), source.printed_bytes, 0
        while left > 0:
            offset, data = await self._output()
            digest.update(data)
            left -= len(data)
            unacknowledged += len(data)
            if unacknowledged >= ACK_EVERY_BYTES or left <= 0:
                await self._say(PtyAck(handle=self._handle, offset=offset + len(data)))
                unacknowledged = 0
        taken_s = time.perf_counter() - begun
        assert digest.hexdigest() == source.sha256, "the WebSocket client got other bytes than the program printed"
        return source.printed_bytes / taken_s / 1e6

    async def _ready(self) -> None:
        """Until the program waits: what it said may come in the snapshot or after it."""
        seen = b""
        while READY not in seen:
            _, offset, data = await self._frame()
            seen += data
            await self._say(PtyAck(handle=self._handle, offset=offset + len(data)))

    async def _output(self) -> tuple[int, bytes]:
        kind, offset, data = await self._frame()
        return (offset, data) if kind == client_api.OUTPUT else (offset, b"")

    async def _say(self, message: ClientMessage) -> None:
        await self._socket.send_str(client_api.encoder.encode(message).decode())

    async def _answer(self, wanted: type[Answer]) -> Answer:
        while True:
            message = await self._socket.receive()
            if message.type == aiohttp.WSMsgType.TEXT:
                answer = client_api.daemon_decoder.decode(message.data)
                if isinstance(answer, wanted):
                    return answer

    async def _frame(self) -> tuple[int, int, bytes]:
        while True:
            message = await self._socket.receive()
            if message.type == aiohttp.WSMsgType.BINARY:
                kind, _, offset, data = client_api.unpack_binary(message.data)
                return kind, offset, data
            assert message.type == aiohttp.WSMsgType.TEXT, "the daemon closed the connection"
            event = client_api.daemon_decoder.decode(message.data)
            if isinstance(event, PtyDesync):
                raise _ResyncError
