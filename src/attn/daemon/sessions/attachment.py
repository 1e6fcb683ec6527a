"""One client's attach to one session: what it wants to see, what it got, and its vote about the size."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from attn.core.sizing import SizeVote
from attn.core.subscription import Subscription
from attn.daemon.peer import Peer
from attn.daemon.sessions.frames import FrameFeed


@dataclass(eq=False)
class Attachment:
    """One client's attach to one session; a second attach of the same client is another one."""

    handle: int
    peer: Peer
    request_id: int
    history: int | None
    read_only: bool
    rows: int | None
    cols: int | None
    visible: bool
    used_at_ms: int
    since: int | None
    subscription: Subscription | FrameFeed
    frame_timer: asyncio.TimerHandle | None = None
    frame_only: bool = False
    history_due: bool = False
    skips_payload: bool = False

    @property
    def as_cells(self) -> bool:
        """Whether it gets frames of cells in place of terminal bytes."""
        return isinstance(self.subscription, FrameFeed)

    def payload(self, data: bytes) -> bytes:
        """A part of a payload as this client gets it: nothing of one that it was not promised."""
        return b"" if self.skips_payload else data

    def vote(self) -> SizeVote:
        return SizeVote(
            key=f"{self.handle:012d}", rows=self.rows or 0, cols=self.cols or 0, visible=self.visible,
            interactive=self.rows is not None, read_only=self.read_only, used_at_ms=self.used_at_ms,
        )  # fmt: skip
