"""Delivery of whole frames (`as` cells): the newest one, as soon as the client has applied the one before.

The same effects as `core.subscription`, for clients that draw cells instead of interpreting terminal bytes. Pure.
"""

from __future__ import annotations

from attn.core.subscription import SNAPSHOT, SNAPSHOT_END, Effect, Reason, RequestSnapshot, Send


class FrameFeed:
    """At most one frame is on its way; whatever is written meanwhile makes one more necessary, not many."""

    def __init__(self) -> None:
        self._asked = False
        self._stale = False
        self._linked = True
        self._base = 0
        self._acked = True

    def start(self, since: int | None = None) -> list[Effect]:
        """The first frame; there is nothing to go on from, so `since` does not matter."""
        self._stale = True
        return self.due()

    def due(self) -> list[Effect]:
        """Ask for a frame if the client's one is old and it has drawn it."""
        if not (self._stale and self._linked and self._acked) or self._asked:
            return []
        self._asked, self._stale = True, False
        return [RequestSnapshot(None, None)]

    def restart(self, reason: Reason) -> list[Effect]:
        """The screen changed in another way than by output."""
        self._stale = True
        return self.due()

    def on_output(self, offset: int, data: bytes) -> list[Effect]:
        """The frame is old now; `due` is called when the time for the next one has come."""
        self._stale = True
        return []

    def on_head(self, offset: int) -> list[Effect]:
        """A frame begins."""
        self._base, self._acked = offset, False
        return []

    def on_chunk(self, data: bytes, last: bool) -> list[Effect]:
        """A part of it."""
        if last:
            self._asked = False
        return [Send(SNAPSHOT_END if last else SNAPSHOT, self._base, data)]

    def on_ack(self, offset: int) -> list[Effect]:
        """The client drew it."""
        self._acked = self._acked or offset >= self._base
        return self.due()

    def on_link_lost(self) -> list[Effect]:
        """What was asked for does not come."""
        self._linked, self._stale = False, self._stale or self._asked
        self._asked, self._acked = False, True
        return []

    def on_link_ready(self, offset: int) -> list[Effect]:
        """There is a worker again, or its bundle in its place."""
        self._linked = True
        self._stale = self._stale or offset != self._base
        return self.due()
