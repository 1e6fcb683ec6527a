"""What a terminal said while it parsed, until the session takes it."""

from __future__ import annotations

from typing import Final

# Replies nobody has taken yet: more than any program waits for, little enough to forget about.
_REPLIES_MAX_BYTES: Final = 1 << 20
# XTGETTCAP Ms. Programs take it for a clipboard that can be read as well, and then wait for what is never answered.
_CLIPBOARD_CAPABILITY: Final = b"\x1bP1+r4D73"
_NO_CLIPBOARD_CAPABILITY: Final = b"\x1bP0+r4D73\x1b\\"
DEFAULT_CELL_PX: Final = (8, 16)


class Outbox:
    """What the terminal said while it parsed. Of each kind of event only the newest counts, so it stays bounded."""

    def __init__(self, rows: int, cols: int) -> None:
        self.grid = (rows, cols, *DEFAULT_CELL_PX)
        self.is_dark = True
        self.replies = bytearray()
        self.events: dict[str, str] = {}

    def reply(self, data: bytes) -> None:
        if data.startswith(_CLIPBOARD_CAPABILITY):
            data = _NO_CLIPBOARD_CAPABILITY
        if len(self.replies) + len(data) <= _REPLIES_MAX_BYTES:
            self.replies += data

    def bell(self) -> None:
        self.events["bell"] = ""

    def title_changed(self) -> None:
        self.events["title"] = ""

    def directory_changed(self) -> None:
        self.events["directory"] = ""

    def clipboard(self, text: str) -> None:
        self.events["clipboard"] = text

    def size(self) -> tuple[int, int, int, int]:
        return self.grid

    def dark(self) -> bool:
        return self.is_dark
