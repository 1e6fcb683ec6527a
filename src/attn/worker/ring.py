"""The newest output of a program, numbered by the absolute count of its bytes."""

from __future__ import annotations

from collections import deque
from typing import Final

RING_BYTES: Final = 1 << 20
_BLOCK_BYTES: Final = 64 << 10


class Ring:
    """Bytes `start` to `end` (exclusive) of a stream. Holds at least the newest `limit` bytes, at most a block more."""

    def __init__(self, limit: int = RING_BYTES, first: int = 0) -> None:
        """`first` is the number of the first byte that will come."""
        self.start = first
        self.end = first
        self._limit = limit
        # Small writes share a block: a megabyte of single keystrokes must not be a million objects.
        self._blocks: deque[bytearray] = deque()

    def append(self, data: bytes) -> None:
        """`data` is what follows `end`."""
        blocks = self._blocks
        if blocks and len(blocks[-1]) + len(data) <= _BLOCK_BYTES:
            blocks[-1] += data
        else:
            blocks.append(bytearray(data))
        self.end += len(data)
        while self.end - self.start - len(blocks[0]) >= self._limit:
            self.start += len(blocks.popleft())

    def since(self, offset: int) -> bytes | None:
        """Everything from `offset` to `end`; None when it is no longer (or not yet) here."""
        if not self.start <= offset <= self.end:
            return None
        skip = offset - self.start
        parts = []
        for block in self._blocks:
            if skip < len(block):
                parts.append(memoryview(block)[skip:])
            skip = max(0, skip - len(block))
        return b"".join(parts)

    def tail(self, size: int) -> bytes:
        """The newest `size` bytes, or all there are."""
        return self.since(max(self.start, self.end - size)) or b""
