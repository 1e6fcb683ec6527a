"""A captured terminal -> VT bytes that rebuild it in a fresh terminal (xterm.js or native) of the same size.

Order matters, because many sequences move the cursor or change how later text lands: the primary screen with its
history, the alternate screen, saved cursors, tabs, title and colours, modes, margins, then cursor and pen, charsets,
and last the bytes of the unfinished sequence. Printing the character before the cursor comes as late as possible: a
combining mark or REP that follows needs it, and a pending wrap exists only right after it. The bytes contain no query
and never hold a client's frame (2026).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from attn.terminal import sequences
from attn.terminal.painter import Cell, Painter
from attn.terminal.snapshot.records import ALTERNATE, PRIMARY, Capture, SavedCursor, Screen, Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_CODEPOINT: Final = 0x10FFFF
_COMPLETE_SEQUENCE: Final = re.compile(rb"\x1b(\[[0-?]*[ -/]*[@-~]|[PX^_\]].*|[ -/]*[0-~])", re.DOTALL)


def repaint(capture: Capture, history: int | None = None) -> Iterator[bytes]:
    """VT bytes in slices, each the result of about 2 ms of work.

    history: how many lines of scrollback at most, None for all that was captured. Raises SnapshotError for a damaged
    capture.
    """
    snapshot = capture.snapshot
    painter = Painter(snapshot)
    cursors = _Cursors(snapshot, painter)
    if snapshot.changed_mode(2027):
        painter.emit(f"\x1b[?2027{'h' if snapshot.mode(2027) else 'l'}")
    painter.emit(sequences.left_over_screen_modes(snapshot))
    yield from painter.lines(snapshot.screens[PRIMARY], history)
    painter.emit(sequences.kitty_keyboard(snapshot.screens[PRIMARY].header))
    if snapshot.header.active_screen == ALTERNATE:
        painter.emit(sequences.tab_stops(snapshot))  # some terminals have tab stops for each screen
        yield from cursors.enter_alternate()
    elif ALTERNATE in snapshot.screens:
        yield from cursors.hidden_alternate()
    cursors.save(snapshot.active)
    painter.plain()
    for part in (
        sequences.tab_stops(snapshot),
        sequences.texts_and_colors(snapshot),
        "\x1b[>4;2m" if snapshot.header.modify_other_keys else "",
        sequences.modes(snapshot),
        sequences.mouse(snapshot),
        sequences.cursor_style(snapshot, snapshot.active.header.cursor_style),
        sequences.margins(snapshot),
    ):
        painter.emit(part)
    cursors.place(capture.tail)
    yield painter.take() + snapshot.continuation


class _Cursors:
    """The cursors of both screens, and the change from one screen to the other."""

    def __init__(self, snapshot: Snapshot, painter: Painter) -> None:
        self._snapshot = snapshot
        self._painter = painter
        self._rows = snapshot.header.rows
        self._cols = snapshot.header.cols

    def enter_alternate(self) -> Iterator[bytes]:
        """Leave the primary screen as it must be found later, enter the alternate screen and write it."""
        snapshot = self._snapshot
        primary, alternate = snapshot.screens[PRIMARY], snapshot.screens[ALTERNATE]
        entered_by = sequences.alternate_entry(snapshot)
        charset = ""
        saved = primary.saved_cursor if entered_by == 1049 else None
        if saved:  # 1049 saves the cursor itself, so it must stand where it was saved
            charset = self._stand_at(primary, saved)
        else:
            self.save(primary)
            self._put(primary, primary.header.row, primary.header.col, primary.pending_wrap)
            self._painter.pen(primary.header.pen)
        self._painter.emit(sequences.cursor_style(snapshot, primary.header.cursor_style))
        self._painter.emit(f"\x1b[?{entered_by}h")
        if saved and saved.origin:
            self._painter.emit("\x1b[?6l")
        self._painter.emit(sequences.reset_charsets(charset))
        filled = self._painter.background
        self._painter.plain()
        if filled:
            self._painter.emit("\x1b[2J")  # some terminals fill a screen that is entered with the pen's background
        yield from self._painter.grid(alternate)
        self._painter.emit(sequences.kitty_keyboard(alternate.header))

    def hidden_alternate(self) -> Iterator[bytes]:
        """Write an alternate screen that is not shown; mode 47 comes back without changing anything."""
        alternate = self._snapshot.screens[ALTERNATE]
        self._painter.plain()
        self._painter.emit("\x1b[?47h")
        yield from self._painter.grid(alternate)
        self._painter.emit(sequences.kitty_keyboard(alternate.header))
        self.save(alternate)
        self._painter.pen(alternate.header.pen)  # the screen is cleared with it when a program enters it again
        # Leaving by 47 would unset a 47 that is left over from an earlier switch.
        left_over = self._snapshot.mode(47) and not self._snapshot.mode(1049)
        self._painter.emit("\x1b[?1049l" if left_over else "\x1b[?47l")
        self._painter.reset_style()  # some terminals have one pen for each screen, others one for both

    def save(self, screen: Screen) -> None:
        """DECSC of the screen that is written now."""
        saved = screen.saved_cursor
        if saved is None:
            return
        charset = self._stand_at(screen, saved)
        self._painter.emit("\x1b7")
        if saved.origin:
            self._painter.emit("\x1b[?6l")
        self._painter.emit(sequences.reset_charsets(charset))

    def _stand_at(self, screen: Screen, saved: SavedCursor) -> str:
        """Put cursor, pen and charsets where DECSC saved them; the screen may have shrunk since.
        -> the sequence that designated the charsets"""
        if saved.origin:
            self._painter.emit("\x1b[?6h")
        pending = saved.pending_wrap and saved.col == self._cols - 1
        self._put(screen, min(saved.row, self._rows - 1), min(saved.col, self._cols - 1), pending)
        self._painter.pen(saved.pen, None, saved.protected)
        charset = sequences.charsets(saved.charset)
        self._painter.emit(charset)
        return charset

    def _put(self, screen: Screen, row: int, col: int, pending_wrap: bool) -> None:
        """Move the cursor; a pending wrap comes from printing the last cell again."""
        if not pending_wrap:
            self._painter.move(row, col)
            return
        cell = self._painter.cell(screen, row, col)
        self._painter.move(row, cell.col)
        self._painter.print(cell)

    def place(self, tail: bytes) -> None:
        """Cursor, pen, insert mode and charsets, the last things before the unfinished bytes."""
        screen, snapshot = self._snapshot.active, self._snapshot
        header = screen.header
        late = "\x1b[4h" if snapshot.mode(4, ansi=True) else ""
        late += sequences.charsets(header.charset) + sequences.single_shift(header.charset)
        cell = self._last_printed(screen, tail if not late else b"")
        home_row, home_col = header.row, cell.col if cell else header.col
        if snapshot.mode(6):  # origin mode: rows and columns count from the margins
            home_row -= snapshot.header.margin_top
            home_col -= snapshot.header.margin_left if snapshot.mode(69) else 0
        self._painter.move(home_row, home_col)
        if header.protected_mode:
            self._painter.plain()
            self._painter.emit("".join(sequences.protection(header)))
        if cell:
            self._painter.print(cell)
        self._painter.pen(header.pen, screen.link, screen.protected)
        self._painter.emit(late)

    def _last_printed(self, screen: Screen, tail: bytes) -> Cell | None:
        """The character to print again: that of a pending wrap, or the one that the last bytes printed."""
        row, col = screen.header.row, screen.header.col
        if screen.pending_wrap:
            return self._painter.cell(screen, row, col)
        within_sequence = self._snapshot.continuation[:1].isascii() and self._snapshot.continuation != b""
        if col == 0 or within_sequence or not _ends_with_print(tail):
            return None
        cell = self._painter.cell(screen, row, col - 1)
        previous = self._snapshot.header.previous_codepoint
        joins = previous <= _MAX_CODEPOINT and cell.text.endswith(chr(previous))
        return cell if joins else None


def _ends_with_print(tail: bytes) -> bool:
    """Whether the stream's last finished action printed a character."""
    begin = tail.rfind(b"\x1b")
    if begin >= 0:
        sequence = _COMPLETE_SEQUENCE.match(tail, begin)
        if not sequence:
            return False
        tail = tail[sequence.end() :]
    return bool(tail) and tail[-1] >= 0x20 and tail[-1] != 0x7F
