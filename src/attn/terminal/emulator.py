"""One session's terminal: bytes of the program in; replies, events and captures of the whole state out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from attn.terminal import binding, keys
from attn.terminal.outbox import DEFAULT_CELL_PX, Outbox
from attn.terminal.snapshot.records import PRIMARY, Capture, SnapshotError, parse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# What `repaint` writes; clients that know another one treat it as "no snapshot".
SNAPSHOT_FORMAT: Final = "vt1"

# A line of scrollback costs 8 bytes a cell; limiting by bytes lets the library recycle pages and is five times faster
# than limiting by lines. The rest is for styles and page headers.
_BYTES_PER_CELL: Final = 8
_SCROLLBACK_SLACK: Final = 1.1
# At the limit the library gives back its oldest page, all of it: without one more, 1,000 lines would be 400 at times.
_PAGE_MAX_BYTES: Final = 768 << 10
# A capture takes all at once, so its history is bounded: 10,000 lines of 120 cells that all have a style and a link
# (then 5 ms), ten times as many plain ones. Older lines stay in the session and are not sent.
_CAPTURE_HISTORY_BYTES: Final = 10 << 20
# The longest unfinished sequence that a capture can carry; beyond it the capture falls back to the formatter.
_CONTINUATION_MAX_BYTES: Final = 4 << 20
# A program's clipboard write travels as one JSON event, whose bound is 1 MiB.
_CLIPBOARD_MAX_BYTES: Final = 256 << 10
# What is kept of the last bytes, to know whether the last action printed a character.
_TAIL_BYTES: Final = 1024
_TITLE_MAX_CHARS: Final = 1024
_DEFAULT_THEME: Final = ("#d4d4d4", "#1e1e1e", "#d4d4d4", "dark")
_COLOR_OPTIONS: Final = (binding.OPT_COLOR_FOREGROUND, binding.OPT_COLOR_BACKGROUND, binding.OPT_COLOR_CURSOR)
_MODE_BRACKETED_PASTE: Final = 2004
_MODE_REPORT_COLOR_SCHEME: Final = 2031
_MODE_ORIGIN: Final = 6
_PALETTE_COLORS: Final = 256
# The one query of common programs that the library leaves out (DECXCPR), and the one that it answers in its place.
_EXTENDED_POSITION: Final = b"\x1b[?6n"
_POSITION: Final = b"\x1b[6n"
# Between the screens without any other effect.
_SHOW_ALTERNATE: Final = b"\x1b[?47h"
_SHOW_PRIMARY: Final = b"\x1b[?47l"
# Allows DECCOLM, which the library obeys by clearing the screen at 132 columns. Only clients change the size.
_ALLOW_132_COLUMNS: Final = b"\x1b[?40h"
_FORBID_132_COLUMNS: Final = b"\x1b[?40l"


class EmulatorError(Exception):
    """The emulator cannot do what was asked; the message says which call failed."""


class Emulator:
    """One libghostty-vt terminal; not thread-safe.

    Answers every query of the program itself (`take_replies`), so that nobody else has to: device attributes, status
    and cursor reports, modes, version, colours, keyboard flags, sizes and the colour scheme. Reading the clipboard is
    never answered. Raises EmulatorError when the library is missing or a call fails.
    """

    def __init__(self, rows: int, cols: int, *, scrollback_lines: int = 10_000) -> None:
        self._scrollback_lines = scrollback_lines
        self._widest_cols = cols
        self._outbox = Outbox(rows, cols)
        self._tail = b""
        self._has_palette = False
        self._keys: binding.KeyEncoder | None = None
        self.encode_failures = 0
        self.repairs = 0
        try:
            self._terminal = binding.Terminal(rows, cols, self._outbox)
            self._terminal.set_unlimited(binding.OPT_SCROLLBACK_MAX_LINES)
            self._terminal.set_bytes(binding.OPT_CONTINUATION_MAX_BYTES, _CONTINUATION_MAX_BYTES)
            self._terminal.set_bytes(binding.OPT_CLIPBOARD_WRITE_MAX_BYTES, _CLIPBOARD_MAX_BYTES)
            self._terminal.set_bytes(binding.OPT_KITTY_IMAGE_STORAGE_LIMIT, 0)  # never advertise what is not shown
            self._limit_scrollback()
            self.set_theme(*_DEFAULT_THEME)
        except binding.LibraryError as error:
            raise EmulatorError(str(error)) from error

    def prepare(self, rows: int, cols: int, scrollback_lines: int) -> None:
        """Be as if made with these, before any output. Raises EmulatorError."""
        if (rows, cols, scrollback_lines) != (self.rows, self.cols, self._scrollback_lines):
            self._scrollback_lines = scrollback_lines
            self._widest_cols = 0
            self.resize(rows, cols)

    def _limit_scrollback(self) -> None:
        # Never for fewer columns than it once had: a phone that looks in for a moment must not cost lines.
        self._widest_cols = max(self._widest_cols, self.cols)
        limit = int(self._scrollback_lines * self._widest_cols * _BYTES_PER_CELL * _SCROLLBACK_SLACK)
        self._terminal.set_bytes(binding.OPT_SCROLLBACK_MAX_BYTES, limit + _PAGE_MAX_BYTES if limit else 0)

    @property
    def scrollback_bytes(self) -> int:
        """About how much the history takes while it is not compressed."""
        if self.alternate_screen:  # the library counts the rows of the screen that is shown
            try:
                rows = parse(self._terminal.snapshot(0)).screens[PRIMARY].header.history_rows
            except binding.LibraryError:
                return 0  # a halved wide character; the next capture repairs it
        else:
            rows = self._terminal.number(binding.DATA_SCROLLBACK_ROWS, "size_t*")
        return rows * self.cols * _BYTES_PER_CELL

    def cut_scrollback(self, keep_bytes: int) -> None:
        """Drop the oldest lines until about `keep_bytes` are left. It may grow again as before."""
        self._terminal.set_bytes(binding.OPT_SCROLLBACK_MAX_BYTES, keep_bytes)
        self._limit_scrollback()

    @property
    def rows(self) -> int:
        """Rows of the grid."""
        return self._outbox.grid[0]

    @property
    def cols(self) -> int:
        """Columns of the grid."""
        return self._outbox.grid[1]

    @property
    def title(self) -> str:
        """The window title that the program set last."""
        return self._terminal.string(binding.DATA_TITLE).decode("utf-8", "replace")[:_TITLE_MAX_CHARS]

    @property
    def directory(self) -> str:
        """The working directory that the program reported last (OSC 7), a path; empty when it never did."""
        return _path_of(self._terminal.string(binding.DATA_PWD).decode("utf-8", "replace"))

    @property
    def alternate_screen(self) -> bool:
        """Whether the alternate screen is shown."""
        return bool(self._terminal.number(binding.DATA_ACTIVE_SCREEN, "int*"))

    @property
    def bracketed_paste(self) -> bool:
        """Whether the program wants pastes in brackets (mode 2004)."""
        return self._terminal.mode(_MODE_BRACKETED_PASTE)

    @property
    def cursor(self) -> tuple[int, int, bool]:
        """The cursor's row and column, 0-based, and whether it is visible."""
        terminal = self._terminal
        row, col = terminal.number(binding.DATA_CURSOR_Y), terminal.number(binding.DATA_CURSOR_X)
        return row, col, terminal.flag(binding.DATA_CURSOR_VISIBLE)

    @property
    def key_events_wanted(self) -> bool:
        """Whether keys must come as events, because kitty flags or modifyOtherKeys change how they are encoded."""
        return bool(self._terminal.number(binding.DATA_KITTY_KEYBOARD_FLAGS, "uint8_t*")) or self._modifies_other_keys()

    def _modifies_other_keys(self) -> bool:
        # The library has no getter for this state, but its encoder knows it: only then is Shift+A not just "A".
        return self._encode({"action": "press", "key": "A", "code": "KeyA", "text": "A", "mods": 1}) != b"A"

    def feed(self, data: bytes) -> None:
        """Parse what the program wrote, in pieces of any size."""
        split = self._tail[1 - len(_EXTENDED_POSITION) :] + data[: len(_EXTENDED_POSITION) - 1]
        if _EXTENDED_POSITION not in data and _EXTENDED_POSITION not in split:
            self._parse(data)
            return
        # ESC begins a sequence wherever it stands, so these bytes always are one.
        recent = self._tail[1 - len(_EXTENDED_POSITION) :]
        *asking, rest = (recent + data).split(_EXTENDED_POSITION)
        for index, part in enumerate(asking):
            whole = part + _EXTENDED_POSITION
            self._parse(whole if index else whole[len(recent) :])
            self._report_position()
        self._parse(rest if asking else rest[len(recent) :])

    def _parse(self, data: bytes) -> None:
        recent, fed = self._tail[1 - len(_ALLOW_132_COLUMNS) :], data
        if _ALLOW_132_COLUMNS in data or _ALLOW_132_COLUMNS in recent + data[: len(_ALLOW_132_COLUMNS) - 1]:
            fed = (recent + data).replace(_ALLOW_132_COLUMNS, _ALLOW_132_COLUMNS + _FORBID_132_COLUMNS)[len(recent) :]
        if self._terminal.feed(fed) != self._outbox.grid[1]:
            self._resize()  # allowed by a sequence of several modes
        self._tail = data[-_TAIL_BYTES:] if len(data) >= _TAIL_BYTES else (self._tail + data)[-_TAIL_BYTES:]

    def _report_position(self) -> None:
        """Answer DECXCPR: what the cursor position report says, with the prefix that tells it from Shift-F3."""
        replies = self._outbox.replies
        before = len(replies)
        self._terminal.feed(_POSITION)
        replies[before:] = replies[before:].replace(b"\x1b[", b"\x1b[?", 1)

    def take_replies(self) -> bytes:
        """Answers to the program's queries, in order; to be written to the PTY. Empties them."""
        replies = bytes(self._outbox.replies)
        self._outbox.replies.clear()
        return replies

    def take_events(self) -> list[tuple[str, str]]:
        """News since the last call, the newest of each kind: ("title", text), ("directory", path), ("bell", ""),
        ("clipboard", text)."""
        events = self._outbox.events
        if not events:
            return []
        if "title" in events:
            events["title"] = self.title
        if "directory" in events:
            events["directory"] = self.directory
        self._outbox.events = {}
        return list(events.items())

    def resize(self, rows: int, cols: int, width_px: int = 0, height_px: int = 0) -> None:
        """Change the grid. `width_px` and `height_px` are of the whole grid, 0 when unknown."""
        cell_width = width_px // cols or DEFAULT_CELL_PX[0]
        cell_height = height_px // rows or DEFAULT_CELL_PX[1]
        self._outbox.grid = (rows, cols, cell_width, cell_height)
        self._resize()

    def _resize(self) -> None:
        try:
            self._limit_scrollback()
            self._terminal.resize(*self._outbox.grid)
        except binding.LibraryError as error:
            raise EmulatorError(str(error)) from error

    def encode_keys(self, events: Sequence[Mapping[str, object]]) -> bytes:
        """Key events, fields as in `client_api`'s KeyEvent, as the program's keyboard modes ask for.

        Raises ValueError for something that is not a key event.
        """
        return b"".join(self._encode(event) for event in events)

    def _encode(self, event: Mapping[str, object]) -> bytes:
        if self._keys is None:
            self._keys = self._terminal.key_encoder()
        return keys.encode_key(self._keys, event)

    def encode_paste(self, text: str) -> bytes:
        """Pasted text as the program wants it, without anything that could act as a key or end the paste early."""
        return keys.encode_paste(text, bracketed=self.bracketed_paste)

    def set_theme(
        self, foreground: str, background: str, cursor: str, scheme: str, *, palette: Sequence[str] = ()
    ) -> None:
        """The colours (`#rrggbb`) and scheme (`dark` or `light`) that colour queries are answered with.

        `palette`: the first colours of the palette; the others are the library's own. A program that asked for news
        about the scheme (mode 2031) is told when it changes. Raises ValueError.
        """
        colors = [_rgb(text) for text in (foreground, background, cursor)]
        entries = [_rgb(text) for text in palette[:_PALETTE_COLORS]]
        for option, color in zip(_COLOR_OPTIONS, colors, strict=True):
            self._terminal.set_color(option, color)
        if entries or self._has_palette:
            self._terminal.set_palette(entries)
            self._has_palette = bool(entries)
        dark = scheme != "light"
        if dark != self._outbox.is_dark and self._terminal.mode(_MODE_REPORT_COLOR_SCHEME):
            self._outbox.reply(b"\x1b[?997;%dn" % (1 if dark else 2))
        self._outbox.is_dark = dark

    def capture(self, *, frame_only: bool = False) -> Capture:
        """The full state at this byte, immutable: both screens, history, cursor, pen, modes, unfinished bytes.

        `frame_only` leaves out most of the history (0.4 ms instead of up to 5 ms). Where the library refuses because
        of a halved wide character the cell is repaired and counted in `repairs`; where that does not help the
        library's formatter stands in, counted in `encode_failures`. Raises EmulatorError when that fails too.
        """
        try:
            return self._capture(frame_only)
        except binding.LibraryError:
            return self._capture_repaired(frame_only)

    def _capture(self, frame_only: bool) -> Capture:
        data = self._terminal.snapshot(0 if frame_only else _CAPTURE_HISTORY_BYTES)
        row, col, visible = self.cursor
        return Capture(data, self._tail, row, col, visible)

    def _capture_repaired(self, frame_only: bool) -> Capture:
        try:
            unfinished = self._terminal.continuation()
            for repair in (self._blank_halved_characters, self._blank_hidden_alternate):
                if repair(unfinished):
                    try:
                        capture = self._capture(frame_only)
                    except binding.LibraryError:
                        continue
                    self.repairs += 1
                    return capture
            self.encode_failures += 1
            return self._capture_formatted(unfinished)
        except binding.LibraryError as error:  # most likely an unfinished sequence beyond the bound
            self.encode_failures += 1
            raise EmulatorError(f"no capture: {error}") from error

    def _blank_halved_characters(self, unfinished: bytes) -> bool:
        """Repair of libghostty-vt 0.1.3: a shrink without reflow can leave half a wide character in the last column,
        and the library then refuses to encode. Blanks those cells. -> whether there were any"""
        terminal, last = self._terminal, self.cols - 1
        halved = [row for row in range(self.rows) if terminal.wide_at(row, last)]
        blanks = b"".join(b"\x1b[%d;%dH\x1b[X" % (row + 1, last + 1) for row in halved)
        if terminal.mode(_MODE_ORIGIN):
            blanks = b"\x1b[?6l" + blanks + b"\x1b[?6h"
        row, col, _visible = self.cursor
        return bool(halved) and self._inject(blanks + b"\x1b[%d;%dH" % (row + 1, col + 1), unfinished)

    def _blank_hidden_alternate(self, unfinished: bytes) -> bool:
        """The same repair for an alternate screen that is not shown: look at it for a moment."""
        if self.alternate_screen or not self._inject(_SHOW_ALTERNATE, unfinished):
            return False
        done = self._blank_halved_characters(unfinished)
        return self._inject(_SHOW_PRIMARY, unfinished) and done

    def _inject(self, data: bytes, unfinished: bytes) -> bool:
        """Feed our own bytes between the program's: take the unfinished sequence away and put it back afterwards.
        Not possible within a character, where taking it away would print a replacement. -> whether it was done"""
        if unfinished[:1] >= b"\x80":
            return False
        self._terminal.feed((b"\x18" if unfinished else b"") + data + unfinished)
        return True

    def _capture_formatted(self, unfinished: bytes) -> Capture:
        stand_in = Emulator(self.rows, self.cols, scrollback_lines=self._scrollback_lines)
        try:
            stand_in.feed(self._terminal.formatted() + unfinished)
            return stand_in._capture(frame_only=False)
        finally:
            stand_in.close()

    def compress(self) -> bool:
        """Give some of the scrollback's memory back (0.4 ms); worth it after some seconds without output.
        -> whether there is more to give"""
        return self._terminal.compress()

    def close(self) -> None:
        """Free the terminal; nothing else may be called afterwards."""
        self._keys = None
        self._terminal.close()


def _rgb(text: str) -> tuple[int, int, int]:
    if len(text) != 7 or text[0] != "#":
        raise ValueError(f"not a colour: {text!r}")
    value = int(text[1:], 16)
    return value >> 16, value >> 8 & 0xFF, value & 0xFF


_ESCAPED: Final = re.compile(rb"%([0-9a-fA-F]{2})")
_CONTROL: Final = re.compile("[\0-\x1f\x7f-\x9f]")


def _path_of(url: str) -> str:
    """The path in an OSC 7 report: `file://host/path` with %XX escapes, or a bare path. Control characters go."""
    path = url
    if url.startswith(("file://", "kitty-shell-cwd://")):
        path = "/" + url.split("://", 1)[1].partition("/")[2]
    raw = _ESCAPED.sub(lambda escape: bytes([int(escape[1], 16)]), path.encode())
    return _CONTROL.sub("", raw.decode("utf-8", "replace"))


def self_test() -> None:
    """Check that this machine's library does what attn needs: version, snapshot format, one frame there and back.

    Raises EmulatorError. Run once by the spawner.
    """
    from attn.terminal.cells import text
    from attn.terminal.repaint import repaint

    original, restored = Emulator(4, 20), Emulator(4, 20)
    try:
        original.feed("\x1b[1;31mself\x1b[0m \u6f22\u5b57\r\n\x1b[6n".encode())
        restored.feed(b"".join(repaint(original.capture())))
        shown, again = text(original.capture()), text(restored.capture())
        if original.take_replies() != b"\x1b[2;1R" or "self \u6f22\u5b57" not in shown or shown != again:
            raise EmulatorError(f"libghostty-vt {binding.version()} does not restore its own screen")
    except (binding.LibraryError, SnapshotError) as error:
        raise EmulatorError(f"libghostty-vt does not work: {error}") from error
    finally:
        original.close()
        restored.close()
