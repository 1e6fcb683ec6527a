"""libghostty-vt's binary snapshot, format version 1, as typed records (its src/terminal/snapshot/snapshot.ksy).

A snapshot is an envelope and records: TERMINAL, per screen SCREEN and its PAGEs oldest first, CONTINUATION, READY, then
per screen HISTORY and its PAGEs newest first, FINISH. Everything a program can observe is in the part up to READY;
HISTORY holds older rows of the scrollback. Pages (`snapshot.pages`) are decoded when somebody asks for their rows, so
that reading a long history can be spread over time.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from attn.terminal.snapshot.pages import OpenPage, Page, Row, read_bytes, read_link

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAGIC: Final = b"GHOSTSNP\x01\x00"
_RECORD: Final = struct.Struct("<HII")
_TERMINAL_TAG, _SCREEN_TAG, _PAGE_TAG, _HISTORY_TAG, _CONTINUATION_TAG = 1, 2, 3, 4, 7

PRIMARY: Final = 0
ALTERNATE: Final = 1

# (number, ANSI?) of the modes in the order of their bits.
MODES: Final = (
    *((number, True) for number in (2, 4, 12, 20)),
    *((number, False) for number in (1, 3, 4, 5, 6, 7, 8, 9, 12, 25, 40, 45, 47, 66, 67, 69)),
    *((number, False) for number in (1000, 1002, 1003, 1004, 1005, 1006, 1007, 1015, 1016, 1035, 1036, 1039, 1045)),
    *((number, False) for number in (1047, 1048, 1049, 2004, 2026, 2027, 2031, 2033, 2048, 5522)),
)
_MODE_BITS: Final = {mode: 1 << index for index, mode in enumerate(MODES)}


class SnapshotError(Exception):
    """The bytes are not a snapshot of the version this module reads."""


class Capture:
    """One moment of a terminal, immutable: the library's binary snapshot and what it does not hold.

    data: the snapshot; tail: the last bytes the program wrote; row, col, visible: the cursor; parsed on demand.
    """

    __slots__ = ("_snapshot", "col", "data", "row", "tail", "visible")

    def __init__(self, data: bytes | bytearray, tail: bytes, row: int, col: int, visible: bool) -> None:
        self.data = data
        self.tail = tail
        self.row = row
        self.col = col
        self.visible = visible
        self._snapshot: Snapshot | None = None

    @property
    def snapshot(self) -> Snapshot:
        """The parsed snapshot. Raises SnapshotError."""
        if self._snapshot is None:
            self._snapshot = parse(self.data)
        return self._snapshot


class TerminalHeader(NamedTuple):
    """The fixed part of the TERMINAL record; columns before rows only here, as on disk."""

    cols: int
    rows: int
    width_px: int
    height_px: int
    margin_top: int
    margin_bottom: int
    margin_left: int
    margin_right: int
    status_display: int
    active_screen: int
    screen_count: int
    previous_codepoint: int
    cursor_is_default: int
    cursor_default_style: int
    cursor_default_blink: int
    shell_redraw: int
    modify_other_keys: int
    mouse_event: int
    mouse_format: int
    mouse_shift_capture: int
    mouse_shape: int
    password_input: int
    modes: int
    saved_modes: int
    default_modes: int
    background: bytes
    foreground: bytes
    cursor_color: bytes
    scrollback_max_bytes: int
    scrollback_max_rows: int


_TERMINAL: Final = struct.Struct("<HHIIHHHHBHHIBBBBBBBBBBQQQ8s8s8sQQ")


class ScreenHeader(NamedTuple):
    """The fixed part of a SCREEN record."""

    key: int
    page_count: int
    history_rows: int
    col: int
    row: int
    cursor_style: int
    cursor_flags: int
    pen: bytes
    implicit_link: int
    charset: int
    protected_mode: int
    kitty_index: int
    kitty_flags: bytes
    semantic_click_kind: int
    semantic_click_value: int
    has_saved_cursor: int


_SCREEN: Final = struct.Struct("<HHQHHBB16sIHBB8sBBB")


class SavedCursor(NamedTuple):
    """What DECSC saved."""

    col: int
    row: int
    pen: bytes
    flags: int
    charset: int

    @property
    def protected(self) -> bool:
        return bool(self.flags & 1)

    @property
    def pending_wrap(self) -> bool:
        return bool(self.flags & 2)

    @property
    def origin(self) -> bool:
        return bool(self.flags & 4)


_SAVED_CURSOR: Final = struct.Struct("<HH16sBH")


class Screen:
    """One of the two screens: its cursor and pen, and its rows from the oldest of the history to the bottom."""

    __slots__ = ("header", "link", "pages", "saved_cursor")

    def __init__(self, payload: memoryview) -> None:
        self.header = ScreenHeader._make(_SCREEN.unpack_from(payload))
        at = _SCREEN.size
        self.saved_cursor: SavedCursor | None = None
        if self.header.has_saved_cursor:
            self.saved_cursor = SavedCursor._make(_SAVED_CURSOR.unpack_from(payload, at))
            at += _SAVED_CURSOR.size
        self.link, at = read_link(payload, at)
        self.pages: list[Page] = []

    @property
    def row_count(self) -> int:
        """Rows that the snapshot holds, history included."""
        return sum(page.row_count for page in self.pages)

    @property
    def pending_wrap(self) -> bool:
        """Whether the next character wraps before it is printed."""
        return bool(self.header.cursor_flags & 1)

    @property
    def protected(self) -> bool:
        """Whether the pen writes protected cells (DECSCA)."""
        return bool(self.header.cursor_flags & 2)

    def rows(self, last: int | None = None) -> Iterator[tuple[OpenPage, Row]]:
        """The screen's rows from the top, only the `last` ones when a number is given."""
        skip = 0 if last is None else max(0, self.row_count - last)
        for page in self.pages:
            if page.row_count <= skip:
                skip -= page.row_count
                continue
            opened = page.open()
            for row in opened.rows[skip:]:
                yield opened, row
            skip = 0


class Snapshot:
    """A parsed snapshot. screens: by PRIMARY and ALTERNATE; continuation: bytes of the unfinished sequence."""

    __slots__ = ("continuation", "directory", "header", "palette", "palette_overrides", "screens", "tab_stops", "title")

    def __init__(self, payload: memoryview) -> None:
        self.header = TerminalHeader._make(_TERMINAL.unpack_from(payload))
        at, cols = _TERMINAL.size, self.header.cols
        stops, at = bytes(payload[at : at + (cols + 7) // 8]), at + (cols + 7) // 8
        self.tab_stops = [col for col in range(cols) if stops[col >> 3] >> (col & 7) & 1]
        self.palette, at = bytes(payload[at : at + 768]), at + 768
        mask, at = bytes(payload[at : at + 32]), at + 32
        self.palette_overrides: dict[int, bytes] = {}
        for index in range(256):
            if mask[index >> 3] >> (index & 7) & 1:
                self.palette_overrides[index] = bytes(payload[at : at + 3])
                at += 3
        self.directory, at = read_bytes(payload, at)
        self.title, at = read_bytes(payload, at)
        self.screens: dict[int, Screen] = {}
        self.continuation = b""

    @property
    def active(self) -> Screen:
        """The screen that is shown."""
        return self.screens[self.header.active_screen]

    def mode(self, number: int, *, ansi: bool = False) -> bool:
        """Whether a DEC private mode (with `ansi` an ANSI mode) is set."""
        return bool(self.header.modes & _MODE_BITS[number, ansi])

    def changed_mode(self, number: int, *, ansi: bool = False) -> bool:
        """Whether a mode differs from what it is after a reset."""
        return bool((self.header.modes ^ self.header.default_modes) & _MODE_BITS[number, ansi])


def parse(data: bytes | bytearray) -> Snapshot:
    """A whole snapshot, or one that ends at READY. Raises SnapshotError."""
    if not data.startswith(_MAGIC):
        raise SnapshotError("not a libghostty-vt snapshot of version 1")
    try:
        return _parse(memoryview(data))
    except (struct.error, IndexError, KeyError) as error:
        raise SnapshotError(f"damaged snapshot: {error!r}") from error


def _parse(view: memoryview) -> Snapshot:
    snapshot: Snapshot | None = None
    screen: Screen | None = None
    older: dict[int, list[Page]] = {}
    pages: list[Page] = []
    for tag, payload in _records(view):
        if tag == _TERMINAL_TAG:
            snapshot = Snapshot(payload)
        elif snapshot is None:
            raise SnapshotError("a snapshot without TERMINAL")
        elif tag == _SCREEN_TAG:
            screen = Screen(payload)
            snapshot.screens[screen.header.key] = screen
            pages = screen.pages
        elif tag == _HISTORY_TAG:
            pages = older[payload[0] | payload[1] << 8] = []
        elif tag == _PAGE_TAG:
            pages.append(Page(payload))
        elif tag == _CONTINUATION_TAG:
            snapshot.continuation = bytes(payload)
    if snapshot is None or snapshot.header.active_screen not in snapshot.screens:
        raise SnapshotError("a snapshot without its screen")
    for key, history in older.items():
        snapshot.screens[key].pages[:0] = reversed(history)
    return snapshot


def _records(view: memoryview) -> Iterator[tuple[int, memoryview]]:
    at = len(_MAGIC)
    while at + _RECORD.size <= len(view):
        tag, size, _checksum = _RECORD.unpack_from(view, at)
        at += _RECORD.size
        yield tag, view[at : at + size]
        at += size
