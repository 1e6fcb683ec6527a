"""Delivery of one session's output to one client: sans-I/O, effects out.

First attach, slow client, lost worker link and daemon restart are one path: ask for a fresh start (a snapshot, or the
missing bytes when the worker still has them), forward it, go on from its offset. What holds, whatever happens:

- true prefix: what a client was told to apply is always the beginning of the session's output up to some offset;
- convergence: once output stops and the client acknowledges, it has everything;
- bounded: at most `backlog_bytes` are held here, and at most `window_bytes` of output are sent ahead;
- one at a time: a fresh start is asked for only when the one before was acknowledged (or cut off by the link);
- a client that keeps up gets exactly one, and its bytes are passed on without a copy.

The caller sends `attach_result` when it hands a head to `on_head`. A client acknowledges every SNAPSHOT_END with its
offset, even when that offset did not move, and throws a half-received payload away when a new attach_result comes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal

# The kinds of binary frames of the client protocol (wire.client_api, which stands above this layer).
OUTPUT: Final = 1
SNAPSHOT: Final = 2
SNAPSHOT_END: Final = 3

# One frame when a backlog is sent: small enough that another session's echo is not stuck behind it.
FRAME_BYTES: Final = 64 << 10

Reason = Literal["backlog", "resized", "worker"]


@dataclass(frozen=True, slots=True)
class Send:
    """Send one binary frame to the client. For SNAPSHOT and SNAPSHOT_END `offset` is that of the head."""

    kind: int
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class RequestSnapshot:
    """Ask the worker for a fresh start; its head and chunks come back through `on_head` and `on_chunk`.

    since: the client's screen is true up to this offset, None when it has none to go on from.
    reason: why, None for a first attach.
    """

    since: int | None
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class Desync:
    """Tell the client that bytes were left out and a fresh start will follow; said once for each."""

    reason: Reason


Effect = Send | RequestSnapshot | Desync


class _Phase(Enum):
    WAITING = "a fresh start is wanted; asked for as soon as the client has drained and the worker is linked"
    ASKED = "asked for, its head is awaited; output before the head is included in it"
    PAINTING = "its chunks are being forwarded; output beyond its offset collects in the backlog"
    LIVE = "output is forwarded as it comes"


class Subscription:
    """The delivery state of one client's attach to one session."""

    def __init__(self, window_bytes: int, backlog_bytes: int) -> None:
        self._window = window_bytes
        self._bound = backlog_bytes
        self._phase = _Phase.WAITING
        self._linked = True
        self._reason: Reason | None = None
        self._since: int | None = None  # where the client's screen is true, None: it shows nothing usable
        self._base = 0  # offset of the last head
        self._sent = 0  # output up to here was sent
        self._acked = 0  # and up to here it is on the client's screen
        self._payload_bytes = 0  # of a fresh start, sent and not acknowledged
        self._ended = True  # the last fresh start was sent whole
        self._applied = True  # and acknowledged, which says more than the offset where it carried nothing
        self._told = False  # the client knows that a fresh start will come
        self._again = False  # it was overtaken while on its way: another one must follow
        self._backlog = bytearray()  # output from _sent on

    @property
    def in_flight_bytes(self) -> int:
        """Sent and not acknowledged, payloads of fresh starts included."""
        return self._sent - max(self._acked, self._base) + self._payload_bytes

    @property
    def backlog_bytes(self) -> int:
        """Held here until the client acknowledges."""
        return len(self._backlog)

    @property
    def live(self) -> bool:
        """Whether the client follows the output, not a fresh start."""
        return self._phase is _Phase.LIVE

    def start(self, since: int | None = None) -> list[Effect]:
        """Begin; `since` is the offset up to which the client already shows the session, if it does."""
        self._since = since
        return self._request()

    def restart(self, reason: Reason) -> list[Effect]:
        """What the client shows is no longer what it should show, for instance after a resize."""
        self._backlog.clear()
        resized = reason == "resized"
        match self._phase:
            case _Phase.LIVE:
                self._phase, self._reason = _Phase.WAITING, reason
                self._since = None if resized else self._sent
                return [*self._tell(reason), *self._request()]
            case _Phase.WAITING:
                self._since = None if resized else self._since
                return []
            case _Phase.ASKED if self._since is None or not resized:
                return []  # the worker speaks in order: a head that is still to come includes what happened
            case _ if self._again:
                return []
            case _:
                self._again, self._reason = True, reason
                return self._tell(reason)

    def on_output(self, offset: int, data: bytes) -> list[Effect]:
        """Output of the program, its first byte at absolute `offset`."""
        if self._again or self._phase is _Phase.WAITING or self._phase is _Phase.ASKED:
            return []  # the fresh start that is wanted will include it
        expected = self._sent + len(self._backlog)
        if offset != expected:
            if offset > expected:
                return self.restart("worker")
            data = data[expected - offset :]
        if not data:
            return []
        if self._phase is _Phase.LIVE and not self._backlog and self._fits(len(data)):
            frame = Send(OUTPUT, self._sent, data)
            self._sent += len(data)
            return [frame]
        if len(self._backlog) + len(data) > self._bound:
            return self.restart("backlog")
        self._backlog += data
        return []

    def on_head(self, offset: int) -> list[Effect]:
        """The head of the fresh start that was asked for: everything up to `offset` is in its payload."""
        if self._phase is _Phase.ASKED:
            self._phase = _Phase.PAINTING
            self._base = self._sent = offset
            self._acked = min(self._acked, offset)
            self._ended = self._applied = self._told = False
        return []

    def on_chunk(self, data: bytes, last: bool) -> list[Effect]:
        """A part of its payload."""
        if self._phase is not _Phase.PAINTING:
            return []
        self._payload_bytes += len(data)
        effects: list[Effect] = [Send(SNAPSHOT_END if last else SNAPSHOT, self._base, data)]
        if last:
            self._ended = True
            if self._again:
                self._again, self._phase = False, _Phase.WAITING
                self._since = None if self._reason == "resized" else self._base
                return effects
            self._phase, self._reason = _Phase.LIVE, None
            effects += self._flush()
        return effects

    def on_ack(self, offset: int) -> list[Effect]:
        """The client has applied everything up to `offset`."""
        self._acked = max(self._acked, min(offset, self._sent))
        if self._ended and offset >= self._base:
            self._payload_bytes, self._applied = 0, True
        return self._request() if self._phase is _Phase.WAITING else self._flush()

    def on_link_lost(self) -> list[Effect]:
        """The connection to the worker is gone. What is in the backlog is true and still goes out."""
        self._linked = False
        if self._phase is _Phase.LIVE or self._phase is _Phase.WAITING:
            return []
        cut, overtaken = self._phase is _Phase.PAINTING, self._again
        self._phase, self._again = _Phase.WAITING, False
        self._backlog.clear()
        if cut or overtaken:
            self._since = None  # the client holds half a payload, or shows one of another size
            self._reason = self._reason or "worker"
        return self._tell("worker") if cut else []

    def on_link_ready(self, offset: int) -> list[Effect]:
        """There is a connection again, its output begins at `offset`. Without a gap nothing needs to be said."""
        self._linked = True
        if self._phase is _Phase.LIVE and offset != self._sent + len(self._backlog):
            return self.restart("worker")
        return self._request()

    def _tell(self, reason: Reason) -> list[Effect]:
        told, self._told = self._told, True
        return [] if told else [Desync(reason)]

    def _fits(self, size: int) -> bool:
        in_flight = self.in_flight_bytes
        return in_flight == 0 or in_flight + size <= self._window

    def _flush(self) -> list[Effect]:
        effects: list[Effect] = []
        while self._phase is _Phase.LIVE and self._backlog:
            size = min(len(self._backlog), FRAME_BYTES)
            if not self._fits(size):
                break
            effects.append(Send(OUTPUT, self._sent, bytes(self._backlog[:size])))
            del self._backlog[:size]
            self._sent += size
        return effects

    def _request(self) -> list[Effect]:
        # A fresh start that the link cut off is never acknowledged; the next one takes its place at the client.
        drained = not self._ended or (self._acked >= self._sent and self._applied)
        if self._phase is not _Phase.WAITING or not self._linked or not drained:
            return []
        self._phase = _Phase.ASKED
        return [RequestSnapshot(self._since, self._reason)]
