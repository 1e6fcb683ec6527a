"""How much scrollback all sessions may hold together, and who gives some back when it is more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

# All sessions together.
LIMIT_BYTES: Final = 512 << 20
# What remains of compressed scrollback: a sixteenth or less (measured).
COMPRESSED_PART: Final = 16


@dataclass(frozen=True)
class Holding:
    """The scrollback of one session. size_bytes: as it is while in use; idle_ms: since its last output."""

    session: str
    size_bytes: int
    compressed: bool
    idle_ms: int

    @property
    def held_bytes(self) -> int:
        """What it takes of the memory."""
        return self.size_bytes // COMPRESSED_PART if self.compressed else self.size_bytes


@dataclass(frozen=True)
class Compress:
    """Compress the scrollback of a session; nothing is lost."""

    session: str


@dataclass(frozen=True)
class Cut:
    """Drop a session's oldest lines until `keep_bytes` are left, counted as while in use."""

    session: str
    keep_bytes: int


Order = Compress | Cut


def plan(holdings: Iterable[Holding], limit_bytes: int = LIMIT_BYTES) -> list[Order]:
    """What brings all together below the limit: compress the longest idle first; when that is not enough, cut the
    longest idle first. Nothing below the limit."""
    longest_idle = sorted(holdings, key=lambda holding: (-holding.idle_ms, holding.session))
    excess = sum(holding.held_bytes for holding in longest_idle) - limit_bytes
    orders: list[Order] = []
    for holding in longest_idle:
        if excess > 0 and not holding.compressed:
            orders.append(Compress(holding.session))
            excess -= holding.size_bytes - holding.size_bytes // COMPRESSED_PART
    for holding in longest_idle:
        compressed_bytes = holding.size_bytes // COMPRESSED_PART
        if excess > 0 and compressed_bytes:
            kept = max(0, compressed_bytes - excess)
            orders.append(Cut(holding.session, kept * COMPRESSED_PART))
            excess -= compressed_bytes - kept
    return orders
