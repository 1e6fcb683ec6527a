"""One connection of the daemon to one worker.

A link never blocks and never stops reading: what clients cannot take is dropped by their subscriptions, so that no
worker ever waits for the daemon. Answers and output are given on in the order of the wire, inside one callback,
because a snapshot's HEAD divides the output before it from the output after it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, cast

import attn
from attn.errors import AttnError
from attn.wire import framing, worker_api

log = logging.getLogger(__name__)

# Longest wait for a first answer at adoption; then the worker counts as unreachable and is probed again.
HELLO_LIMIT_S: Final = 1.0
# Any other call; below the limits of the clients' own requests.
CALL_LIMIT_S: Final = 5.0
# Bytes waiting for a worker that does not read; beyond it input is refused.
LINK_BACKLOG_MAX_BYTES: Final = 4 << 20
# A bulk result held in memory (a screen for `get_screen`).
FETCH_MAX_BYTES: Final = 64 << 20
_UCRED: Final = struct.Struct("3i")

# These answer when the program took its input, which is up to the program.
FOR_THE_PROGRAM: Final = frozenset({"input", "send"})

Json = dict[str, Any]
Done = Callable[[Json | None, AttnError | None], None]
Part = Callable[[bool, bytes], None]


def peer_of(sock: socket.socket) -> int | None:
    """The pid of the process at the other end of a unix socket; None unless it runs as our user (SO_PEERCRED).

    0 where the kernel does not tell: in another pid namespace, and on macOS.
    """
    if not hasattr(socket, "SO_PEERCRED"):
        return 0  # the socket's directory is 0700, which macOS enforces as well
    try:
        pid, uid, _ = _UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    except OSError:
        return None
    return int(pid) if uid == os.getuid() else None


def peer_is_ours(sock: socket.socket) -> bool:
    """Does the process at the other end of a unix socket run as our user."""
    return peer_of(sock) is not None


class LinkOwner(Protocol):
    """Who hears what a worker says unasked."""

    def on_output(self, offset: int, data: bytes) -> None: ...
    def on_event(self, event: Json) -> None: ...
    def on_link_lost(self, link: WorkerLink) -> None: ...


@dataclass
class _Call:
    method: str
    done: Done
    part: Part | None
    timer: asyncio.TimerHandle | None


class WorkerLink(asyncio.Protocol):
    """One connection to one worker."""

    def __init__(self, owner: LinkOwner) -> None:
        self.owner: LinkOwner | None = owner
        self._decoder = framing.Decoder(worker_api.CHUNK_MAX_BYTES * 16)
        self._calls: dict[int, _Call] = {}
        self._next_id = 0
        self._transport: asyncio.Transport | None = None
        self.features: frozenset[str] = frozenset()
        self.build = ""
        self.pid = 0
        self.peer_pid = 0
        """Which process the kernel says it is; 0 where it does not tell."""
        self.lost = False
        self._greeted = False  # until then nobody knows who it is, and what it says unasked is not heard

    # -- what the daemon asks ------------------------------------------------------------------------------------

    async def hello(self, token: str, daemon_id: str) -> Json:
        """First call of a connection. Raises AttnError `worker_unreachable`, `unauthorized`, `wrong_daemon`."""
        window = [worker_api.PROTOCOL_MIN, worker_api.PROTOCOL_MAX]
        params = {"token": token, "daemon_id": daemon_id, "protocol": window, "build": attn.__version__}
        answer = await self.call("hello", params, limit_s=HELLO_LIMIT_S)
        try:
            self.features = frozenset(answer.get("features", ()))
            self.build, self.pid = str(answer.get("build", "")), int(answer.get("pid", 0))
        except (AttributeError, TypeError, ValueError) as error:
            raise _unreachable(f"its hello makes no sense: {error}") from error
        self._greeted = True
        return answer

    async def call(self, method: str, params: Json, *, limit_s: float = CALL_LIMIT_S) -> Json:
        """One request, its answer. Raises AttnError with the worker's code, or `worker_unreachable`."""
        waiter: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self.request(method, params, _resolver(waiter), limit_s=limit_s)
        return await waiter

    async def fetch(self, method: str, params: Json, *, limit_s: float = 2 * CALL_LIMIT_S) -> tuple[Json, bytes]:
        """One request with a bulk result: its HEAD and all its bytes."""
        whole: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        resolve = _resolver(whole)
        head: Json = {}
        data = bytearray()

        def done(ok: Json | None, error: AttnError | None) -> None:
            if error is not None:
                resolve(None, error)
            head.update(ok or {})

        def part(last: bool, chunk: bytes) -> None:
            if len(data) + len(chunk) > FETCH_MAX_BYTES:
                resolve(None, AttnError("message_too_large", f"{method} has more than {FETCH_MAX_BYTES} bytes"))
            elif not whole.done():
                data.extend(chunk)
                if last:
                    resolve(head, None)

        self.request(method, params, done, part)
        try:
            return await asyncio.wait_for(whole, limit_s), bytes(data)
        except TimeoutError as error:
            raise _unreachable(f"the answer to {method} did not end within {limit_s:.0f} s") from error

    def request(
        self, method: str, params: Json, done: Done, part: Part | None = None, *, limit_s: float = CALL_LIMIT_S
    ) -> int:
        """Ask without waiting: `done` gets the answer (or an error) in wire order, `part` each CHUNK after it."""
        self._next_id = self._next_id % 0xFFFFFFFF + 1
        request_id = self._next_id
        if self._transport is None or self._transport.is_closing():
            asyncio.get_running_loop().call_soon(done, None, _unreachable("the connection to the worker is lost"))
            return request_id
        timer = asyncio.get_running_loop().call_later(limit_s, self._expire, request_id, limit_s)
        self._calls[request_id] = _Call(method, done, part, timer)
        body = worker_api.pack_json({"id": request_id, "method": method, "params": params})
        self._transport.write(framing.encode(worker_api.REQUEST, body))
        return request_id

    def input(self, data: bytes, done: Done | None = None) -> bool:
        """Bytes for the program; False when the worker takes no more. `done` hears when the PTY took them all."""
        transport = self._transport
        if transport is None or transport.is_closing() or transport.get_write_buffer_size() > LINK_BACKLOG_MAX_BYTES:
            return False
        request_id = 0
        if done is not None:
            self._next_id = self._next_id % 0xFFFFFFFF + 1
            request_id = self._next_id
            # No limit of time: a program may take its time to read, and the client that waits has its own limit.
            self._calls[request_id] = _Call("input", done, None, None)
        # A client's frame may carry up to 1 MiB, which with our header is over the bound of one frame here.
        for start in range(0, max(len(data), 1), worker_api.CHUNK_MAX_BYTES):
            piece = data[start : start + worker_api.CHUNK_MAX_BYTES]
            ends = start + worker_api.CHUNK_MAX_BYTES >= len(data)
            payload = worker_api.pack_input(request_id if ends else 0, piece)
            transport.write(framing.encode(worker_api.INPUT, payload))
        return True

    def close(self) -> None:
        """End the connection; the worker goes on. Nobody hears of it any more."""
        self.owner = None
        if self._transport is not None:
            self._transport.abort()

    def drop(self) -> None:
        """End a connection that does not answer; its owner hears that it is lost."""
        if self._transport is not None:
            self._transport.abort()

    # -- what the worker says ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=LINK_BACKLOG_MAX_BYTES)

    def data_received(self, data: bytes) -> None:
        try:
            for kind, payload in self._decoder.feed(data):
                self._frame(kind, payload)
        except (framing.FramingError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            log.error("a worker broke the protocol: %s", error)
            if self._transport is not None:
                self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        calls, self._calls = self._calls, {}
        owner, self.owner = self.owner, None
        for call in calls.values():
            if call.timer is not None:
                call.timer.cancel()
            call.done(None, _unreachable(f"the worker went away during {call.method}"))
        if owner is not None:
            owner.on_link_lost(self)

    def _frame(self, kind: int, payload: bytes) -> None:
        if kind == worker_api.OUTPUT:
            if self.owner is not None and self._greeted:
                self.owner.on_output(*worker_api.unpack_output(payload))
        elif kind == worker_api.CHUNK:
            request_id, last, data = worker_api.unpack_chunk(payload)
            call = self._calls.get(request_id)
            if call is not None and call.part is not None:
                if last:
                    del self._calls[request_id]
                call.part(last, data)
        elif kind == worker_api.RESPONSE:
            self._response(worker_api.unpack_json(payload))
        elif kind == worker_api.EVENT and self.owner is not None and self._greeted:
            self.owner.on_event(worker_api.unpack_json(payload))

    def _response(self, body: Json) -> None:
        call, failed, ok = self._calls.get(body["id"]), body.get("error"), body.get("ok", {})
        if call is None:
            return  # its time was over, or a worker of a later minor speaks
        if not isinstance(ok if failed is None else failed, dict):
            raise TypeError("an answer is no JSON object")
        if call.timer is not None:
            call.timer.cancel()
        if failed is not None or call.part is None:
            del self._calls[body["id"]]
        if failed is not None:
            call.done(None, AttnError(str(failed.get("code", "internal")), str(failed.get("message", ""))))
        else:
            call.done(ok, None)

    def _expire(self, request_id: int, limit_s: float) -> None:
        call = self._calls.pop(request_id, None)
        if call is None:
            return
        call.done(None, _unreachable(f"the worker did not answer {call.method} within {limit_s:g} s"))
        if call.method not in FOR_THE_PROGRAM:
            self.drop()  # a worker answers at once: this one hangs, and is shown as such until it answers again


def _resolver(waiter: asyncio.Future[Json]) -> Done:
    def done(ok: Json | None, error: AttnError | None) -> None:
        if waiter.done():
            return  # the caller was cancelled
        if error is not None:
            waiter.set_exception(error)
        else:
            waiter.set_result(ok or {})

    return done


def _unreachable(reason: str) -> AttnError:
    return AttnError("worker_unreachable", reason, "the program may still run: try again, or see `attn ls`")


async def connect(path: Path, owner: LinkOwner) -> WorkerLink:
    """A connection to the worker at `path`. Raises AttnError `worker_unreachable` or `permission_denied`."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(HELLO_LIMIT_S):
            transport, link = await loop.create_unix_connection(lambda: WorkerLink(owner), os.fspath(path))
    except (OSError, TimeoutError) as error:
        raise _unreachable(f"{path} does not answer: {error or 'time-out'}") from error
    peer_pid = peer_of(transport.get_extra_info("socket"))
    if peer_pid is None:
        link.close()
        raise AttnError("permission_denied", f"the process at {path} is not yours")
    link.peer_pid = peer_pid
    return link
