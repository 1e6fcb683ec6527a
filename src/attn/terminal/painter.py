"""Rows of cells -> text and sequences, for a terminal whose pen is known."""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple

from attn.terminal import sequences
from attn.terminal.snapshot.pages import (
    CLUSTER,
    EMPTY,
    HEAD,
    PLAIN,
    PLAIN_STYLE,
    TAIL,
    WIDE_SPACE,
    Line,
    Link,
    Look,
    only_styled,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attn.terminal.snapshot.pages import OpenPage, Row
    from attn.terminal.snapshot.records import Screen, Snapshot

# One slice: about 1.5 ms on the slowest machine measured; a piece is a text or a sequence.
_SLICE_PIECES: Final = 512
# Styles whose sequence is remembered while painting.
_STYLES_MAX: Final = 8192

# Characters whose width terminals disagree about (emoji, joiners, marks, symbols, private use): after each of them the
# column is set again, so that a client with other widths keeps the rest of the row in place.
_DISPUTED: Final = (
    "\x7f\u0300-\u036f\u0483-\u1cff\u1d00-\u1dff\u200b-\u200f\u2028-\u202e\u2060-\u206f\u20d0-\u20ff\u2300-\u23ff"
    "\u2600-\u27bf\u2b00-\u2bff\u3030\u303d\u3099\u309a\u3297\u3299\u4dc0-\u4dff\ua640-\uabff\ud7b0-\ud7ff"
    "\ue000-\uf8ff\ufb00-\ufdff\ufe00-\ufe0f\ufe20-\ufe2f\uff61-\uffff\U00010000-\U0001ffff\U000e0000-\U0010ffff"
)
# What cannot be printed as it stands: wide blanks, empty cells, disputed characters and clusters, HEAD.
_SPECIAL: Final = re.compile(f"[ {EMPTY}]{TAIL}|{EMPTY}+(?!{TAIL})|[{_DISPUTED}{CLUSTER}]{TAIL}?|{HEAD}")


class Cell(NamedTuple):
    """One character on the screen, by the column it begins in."""

    col: int
    text: str
    style: bytes
    link: Link | None
    protected: bool


class _Sequences(dict[int, str]):
    """By the key of a page's look the sequence for it, empty when that takes more than a style."""

    def __init__(self, page: OpenPage, known: dict[bytes, str]) -> None:
        super().__init__((key, known[style]) for key, style in page.styles_by_key() if style in known)
        self._page = page
        self._known = known

    def __missing__(self, key: int) -> str:
        sequence = self[key] = _sgr(self._page.style(key), self._known) if only_styled(key) else ""
        return sequence


def _sgr(style: bytes, known: dict[bytes, str]) -> str:
    """The sequence for a style, remembered in `known`."""
    sequence = known.get(style)
    if sequence is None:
        if len(known) >= _STYLES_MAX:
            known.clear()
        sequence = known[style] = sequences.sgr(style)
    return sequence


class Painter:
    """Collects the sequences; knows the pen of the terminal that will read them."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._cols = snapshot.header.cols
        self._rows = snapshot.header.rows
        self._out: list[str] = []
        self._style = PLAIN_STYLE
        self._link: Link | None = None
        self._protected = False
        self._protection = ("", "")
        self._look: Look | None = None  # the one the pen was last changed to
        self._after_head = False  # the row above ends with an empty cell before a wide character that did not fit
        self._sgr_by_style: dict[bytes, str] = {}
        self._page: OpenPage | None = None
        self._sequences: dict[int, str] = {}

    def emit(self, sequence: str) -> None:
        """Add a sequence that leaves the pen as it is."""
        if sequence:
            self._out.append(sequence)

    def take(self) -> bytes:
        """What was collected, as bytes; empties it."""
        out, self._out = self._out, []
        return "".join(out).encode("utf-8", "replace")

    def _take_look(self, look: Look) -> None:
        if look is not self._look:
            self.pen(look.style, look.link, look.protected)
            self._look = look

    def pen(self, style: bytes, link: Link | None = None, protected: bool = False) -> None:
        """Change the pen to what the next text needs."""
        self._look = None
        if style != self._style:
            self._out.append(_sgr(style, self._sgr_by_style))
            self._style = style
        if link != self._link:
            self._out.append(sequences.hyperlink(link))
            self._link = link
        if protected != self._protected:
            self._out.append(self._protection[0 if protected else 1])
            self._protected = protected

    def plain(self) -> None:
        """Change the pen to the one of a fresh terminal."""
        self.pen(PLAIN_STYLE)

    @property
    def background(self) -> bool:
        """Whether the pen has a background."""
        return self._style[4] != 0

    def reset_style(self) -> None:
        """Make the pen's style plain although the terminal's may be another than the one last set."""
        self._out.append("\x1b[m")
        self._style, self._look = PLAIN_STYLE, None

    def move(self, row: int, col: int) -> None:
        """Move the cursor; 0-based."""
        self._out.append(f"\x1b[{row + 1};{col + 1}H")

    def lines(self, screen: Screen, history: int | None) -> Iterator[bytes]:
        """Write a screen with its history as lines that scroll; yields full slices."""
        self._protection = sequences.protection(screen.header)
        left = screen.row_count if history is None else min(screen.row_count, self._rows + history)
        first, wrapped = True, False
        for page, row in screen.rows(left):
            if not first and not wrapped:
                if self._style != PLAIN_STYLE:
                    self.reset_style()  # a newline at the bottom fills the new row with the pen's background
                self._out.append("\r\n")
            left -= 1
            fill = row.wraps and left > 0
            self._row(page, row, fill, wrapped)
            first, wrapped = False, fill
            if len(self._out) >= _SLICE_PIECES:
                yield self.take()

    def grid(self, screen: Screen) -> Iterator[bytes]:
        """Write a screen without history, each row at its place; yields full slices."""
        self._protection = sequences.protection(screen.header)
        wrapped = False
        for number, (page, row) in enumerate(screen.rows(self._rows)):
            fill = row.wraps and number < self._rows - 1
            if row.cell_count or fill or wrapped:
                if not wrapped:
                    self.move(number, 0)
                self._row(page, row, fill, wrapped)
            wrapped = fill
            if len(self._out) >= _SLICE_PIECES:
                yield self.take()

    def _row(self, page: OpenPage, row: Row, fill: bool, after_wrap: bool) -> None:
        """Write one row from its first column. fill: its text goes on in the next row, so its cells must reach the
        right edge; after_wrap: the row above was such a row, so the first character printed wraps by itself."""
        if not (row.cell_count or fill or after_wrap):
            return
        if row.width_log2 == 0 and not (fill or after_wrap) and page.text(row).isprintable():
            self._take_look(PLAIN)  # most rows of a log need nothing else
            self._out.append(page.text(row))
            return
        if row.width_log2 > 1 and not (fill or after_wrap or self._after_head or row.marks):
            text, ends, keys = page.runs(row)
            if (text.isascii() and text.isprintable()) or not _SPECIAL.search(text):
                self._runs(page, text, ends, keys)
                return
        line = page.line(row)
        if after_wrap or self._after_head:
            self._begin_wrapped(line, after_wrap)
        self._spans(line, fill)
        if fill and row.cell_count < self._cols:
            self.plain()
            self._out.append(" " * (self._cols - row.cell_count))

    def _begin_wrapped(self, line: Line, after_wrap: bool) -> None:
        after_head, self._after_head = self._after_head, False
        if after_head and line.text[1:2] != TAIL:  # only a wide character wraps before the last column
            self.plain()
            self._out.append(" ")
            after_head = False
        # An empty cell wraps nothing, and a background would be spread over the whole new row.
        if after_wrap and (not line.spans or line.text[0] == EMPTY or line.spans[0][1].style[4]):
            self.plain()
            self._out.append(f"{WIDE_SPACE}\r\x1b[2X" if after_head else " \r\x1b[X")

    def _runs(self, page: OpenPage, text: str, ends: list[int], keys: list[int]) -> None:
        """Write a row whose text can be printed as it stands. The spans of colourful rows are many, so what they have
        in common is done for all of them at once."""
        if len(ends) == 1:
            self._take_look(page.look(keys[0]))
            self._out.append(text.replace(TAIL, ""))
            return
        texts = list(map(text.__getitem__, map(slice, [0, *ends], ends)))
        if TAIL in text:
            texts = [piece.replace(TAIL, "") for piece in texts]
        if page is not self._page:
            self._page, self._sequences = page, _Sequences(page, self._sgr_by_style)
        sequences = list(map(self._sequences.__getitem__, keys))
        plain = sequences.index("") if "" in sequences else len(keys)  # so many spans are a style and nothing else
        if plain:
            self._take_look(page.look(keys[0]))  # may also have to end a link
            sequences[0] = ""
            self._out.extend(chain.from_iterable(zip(sequences[:plain], texts, strict=False)))
            self._style, self._look = page.style(keys[plain - 1]), None
        for key, piece in zip(keys[plain:], texts[plain:], strict=True):
            self._take_look(page.look(key))
            self._out.append(piece)

    def _spans(self, line: Line, fill: bool) -> None:
        col = 0
        for end, look in line.spans:
            self._take_look(look)
            at_edge = end == self._cols
            if not look.erased:
                self._out.append(self._special_text(line, col, end, fill and at_edge))
            elif at_edge:
                self._out.append(" " * (end - col) if fill else "\x1b[K")
            else:
                self._out.append(f"\x1b[{end - col}X\x1b[{end - col}C")
            col = end
        self._after_head = fill and line.text.endswith(HEAD)

    def _special_text(self, line: Line, begin: int, end: int, must_reach_edge: bool) -> str:
        """The text of a span in which some cells may not be printable as they stand."""
        styled = self._style != PLAIN_STYLE or self._link is not None

        def replace(match: re.Match[str]) -> str:
            cells, at = match.group(), begin + match.end()
            first = cells[0]
            if cells in (" " + TAIL, EMPTY + TAIL):
                return WIDE_SPACE
            if first == EMPTY:
                if styled or (must_reach_edge and at == end):
                    return " " * len(cells)
                return "\x1b[C" if len(cells) == 1 else f"\x1b[{len(cells)}C"
            if first == HEAD:
                return ""
            if first == CLUSTER:
                first = line.clusters[begin + match.start()]
            return first if at >= self._cols else f"{first}\x1b[{at + 1}G"

        return _SPECIAL.sub(replace, line.text[begin:end]).replace(TAIL, "")

    def print(self, cell: Cell) -> None:
        """Print one character at the cursor."""
        self.pen(cell.style, cell.link, cell.protected)
        self.emit(cell.text)

    def cell(self, screen: Screen, row: int, col: int) -> Cell:
        """What stands at a place of the visible screen; an empty cell is a space."""
        page, row_cells = next(screen.rows(self._rows - row))
        line = page.line(row_cells)
        if col > 0 and line.text[col : col + 1] == TAIL:
            col -= 1
        text = line.text[col : col + 1]
        look = next((look for end, look in line.spans if end > col), PLAIN)
        if line.text[col : col + 2] in (" " + TAIL, EMPTY + TAIL):
            text = WIDE_SPACE
        elif text in ("", EMPTY, HEAD):
            text = " "
        return Cell(col, line.clusters.get(col, text), look.style, look.link, look.protected)
