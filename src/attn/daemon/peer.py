"""One connected client, whichever way it came: what the hub writes to, and the unix socket's form of it.

What a peer may have waiting is bounded. Terminal bytes are gated by `core.subscription` on what the client
acknowledged; events are kept by key, the latest of each, while the client does not read; replies are bounded because
a client that does not read is not read from either. Nobody is disconnected for being slow.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Final, Literal, cast

from attn.daemon.workers.link import peer_is_ours
from attn.wire import client_api, framing
from attn.wire.client_events import DaemonMessage, Error
from attn.wire.client_requests import ClientHello

log = logging.getLogger(__name__)

# Above this a client counts as not reading, below half of it as reading again.
CONGESTED_BYTES: Final = 4 << 20
# Requests of one client that are being worked on; more are refused as `too_many_requests`.
REQUESTS_MAX: Final = 64

_ids = itertools.count(1)

Received = Callable[["Peer", int, bytes], None]
"""(peer, client_api.JSON or BINARY, payload); called in the order of the wire."""


class Peer(ABC):
    """A client. `id` is unique for the life of the daemon; `hello` is None until the client introduced itself."""

    kind: Literal["unix", "web"]

    def __init__(self) -> None:
        self.id = next(_ids)
        self.hello: ClientHello | None = None
        self.handles: set[int] = set()
        self.requests = 0
        self.gone = False
        self._watched: set[asyncio.Task[Any]] = set()
        self._later: dict[str, DaemonMessage] = {}
        self._drained = asyncio.Event()
        self._drained.set()

    def watch(self, task: asyncio.Task[Any]) -> None:
        """This work is of no use without the client: it ends with the connection."""
        self._watched.add(task)
        task.add_done_callback(self._watched.discard)

    def left(self) -> None:
        """The connection is over."""
        self.gone = True
        for task in list(self._watched):
            task.cancel()

    @property
    def congested(self) -> bool:
        """Does the client leave so much unread that only the latest of everything is kept for it."""
        return not self._drained.is_set()

    async def drained(self) -> None:
        """Wait until the client reads (again), or is gone."""
        await self._drained.wait()

    def send(self, message: DaemonMessage) -> None:
        """A reply, or an event that must not be folded."""
        self._write(client_api.JSON, client_api.encoder.encode(message))

    def send_latest(self, key: str, message: DaemonMessage) -> None:
        """An event of which only the latest of each `key` matters."""
        if self.congested:
            self._later.pop(key, None)
            self._later[key] = message
        else:
            self.send(message)

    def send_binary(self, kind: int, handle: int, offset: int, data: bytes) -> None:
        """Terminal bytes."""
        self._write(client_api.BINARY, client_api.pack_binary(kind, handle, offset, data))

    def _set_congested(self, congested: bool) -> None:
        if congested:
            self._drained.clear()
            return
        self._drained.set()
        later, self._later = self._later, {}
        for message in later.values():
            self.send(message)

    @abstractmethod
    def _write(self, kind: int, payload: bytes) -> None:
        """Queue one message; never blocks, and does nothing once the connection is over."""

    @abstractmethod
    def close(self) -> None:
        """End the connection after what is queued."""

    @abstractmethod
    def abort(self) -> None:
        """End the connection now."""


class UnixPeer(Peer, asyncio.Protocol):
    """A client on the unix socket."""

    kind = "unix"

    def __init__(self, received: Received, gone: Callable[[Peer], None]) -> None:
        super().__init__()
        self._received = received
        self._gone = gone
        self._decoder = framing.Decoder(client_api.MAX_MESSAGE_BYTES)
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if not peer_is_ours(transport.get_extra_info("socket")):
            log.warning("refused a connection of another user")
            self._transport.abort()
            return
        self._transport.set_write_buffer_limits(high=CONGESTED_BYTES, low=CONGESTED_BYTES // 2)

    def data_received(self, data: bytes) -> None:
        try:
            frames = self._decoder.feed(data)
        except framing.FramingError as error:
            self.send(Error(id=0, code="message_too_large", message=str(error)))
            self.close()
            return
        for kind, payload in frames:
            if self._transport is None or self._transport.is_closing():
                return
            self._received(self, kind, payload)

    def pause_writing(self) -> None:
        self._set_congested(True)
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
        self._set_congested(False)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._set_congested(False)
        self._gone(self)

    def _write(self, kind: int, payload: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.writelines((framing.HEADER.pack(len(payload), kind), payload))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
