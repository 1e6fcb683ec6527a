"""A screen that is fed as the worker does."""

from __future__ import annotations

from attn.worker.ring import Ring
from attn.worker.screen import Bulk, Screen


class Session:
    """A ring and its screen, fed as the worker does."""

    def __init__(self, *, emulator: bool = True, rows: int = 5, cols: int = 20) -> None:
        self.ring = Ring()
        self.screen = Screen(self.ring, rows, cols, 1000, emulator=emulator)

    def write(self, data: bytes) -> tuple[bytes, list[tuple[str, str]]]:
        self.ring.append(data)
        return self.screen.feed(data)


def payload(bulk: Bulk) -> bytes:
    return b"".join(bulk[1])
