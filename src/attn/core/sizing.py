"""Whose size a session has, and when a change of it is carried out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from attn.core.session import MAX_COLS, MAX_ROWS

Size = tuple[int, int]
"""Rows, columns."""

# Below this a window is a preview or a mistake; TUIs that were shrunk to it have damaged their history for good.
TINY_ROWS: Final = 5
TINY_COLS: Final = 20

# A dragged window border sends dozens of sizes; every one that reaches the program costs a full repaint.
QUIET_MS: Final = 80
MOST_MS: Final = 250


@dataclass(frozen=True)
class SizeVote:
    """The size one client could show. `used_at_ms`: when its person last typed, resized or attached there."""

    key: str
    rows: int
    cols: int
    visible: bool
    interactive: bool
    read_only: bool
    used_at_ms: int

    @property
    def counts(self) -> bool:
        """Whether this client may decide: a person can see it, use it, and read what it shows."""
        return (
            self.visible
            and self.interactive
            and not self.read_only
            and TINY_ROWS <= self.rows <= MAX_ROWS
            and TINY_COLS <= self.cols <= MAX_COLS
        )


def decide(votes: Iterable[SizeVote], pinned: Size | None, current: Size) -> Size:
    """The size the session should have now.

    A pin (`attn resize`) holds until it is taken back; then the client used last decides, and while nobody who
    counts is looking the size stays as it is. The order of `votes` does not matter.
    """
    if pinned is not None:
        return pinned
    latest = max((vote for vote in votes if vote.counts), key=lambda vote: (vote.used_at_ms, vote.key), default=None)
    return current if latest is None else (latest.rows, latest.cols)


class ResizeCoalescer:
    """Many wishes in, few resizes out: the last wish, after QUIET_MS without another or MOST_MS after the first.

    Holds one size. Give every call the same monotonic clock, in milliseconds.
    """

    def __init__(self, applied: Size) -> None:
        self.applied = applied
        self._wanted = applied
        self._first_ms = 0
        self._last_ms = 0

    def offer(self, size: Size, now_ms: int) -> None:
        """This is the size to have, from now on."""
        if size == self._wanted:
            return
        if self._wanted == self.applied:
            self._first_ms = now_ms
        self._wanted, self._last_ms = size, now_ms

    @property
    def due_at_ms(self) -> int | None:
        """When `take` will have something, None while nothing is to be done."""
        if self._wanted == self.applied:
            return None
        return min(self._last_ms + QUIET_MS, self._first_ms + MOST_MS)

    def take(self, now_ms: int) -> Size | None:
        """The size to carry out now, once; None when it is not yet time or nothing changed."""
        due = self.due_at_ms
        if due is None or now_ms < due:
            return None
        self.applied = self._wanted
        return self.applied
