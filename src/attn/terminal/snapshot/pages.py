"""PAGE records of libghostty-vt's binary snapshot: rows of cells, decoded a row at a time."""

from __future__ import annotations

import struct
from array import array
from itertools import compress
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

# A style is 16 bytes: three colours (foreground, background, underline) of kind, red or index, green, blue, then
# little-endian flags (bold italic faint blink inverse invisible strike overline, underline style in bits 8-10), zero.
PLAIN_STYLE: Final = bytes(16)

# Characters of a line's text that stand for cells without one of their own.
EMPTY: Final = "\0"  # nothing was printed there
TAIL: Final = "\x01"  # the second half of a wide character
HEAD: Final = "\x02"  # the last column, left empty because a wide character did not fit
CLUSTER: Final = "\x03"  # a character with combining marks: look its text up by column
# A wide character printed while a national charset is in force is stored as a blank of two cells.
WIDE_SPACE: Final = "\u3000"


class Link(NamedTuple):
    """A hyperlink (OSC 8). `id` is empty where the program gave none; `serial` then tells two such links apart."""

    uri: bytes
    id: bytes
    serial: int


class Look(NamedTuple):
    """What neighbouring cells have in common. erased: cells without text that only carry the background colour."""

    style: bytes
    link: Link | None
    protected: bool
    erased: bool


PLAIN: Final = Look(PLAIN_STYLE, None, False, False)


class Row(NamedTuple):
    """One row of a page: its encoded cells, of `1 << width_log2` bytes each, and combining marks by column."""

    wraps: bool
    cell_count: int
    width_log2: int
    cells: memoryview
    marks: dict[int, str] | None


class Line(NamedTuple):
    """A row without the empty cells at its end.

    text: one character per cell; spans: the column each ends before, and its look; clusters: texts by column.
    """

    text: str
    spans: list[tuple[int, Look]]
    clusters: dict[int, str]


_NO_CLUSTERS: Final[dict[int, str]] = {}
_PAGE: Final = struct.Struct("<HHHHHHII")
_STYLE_ENTRY: Final = struct.Struct("<H16s")
_WRAP_FLAG: Final = 1

# A cell word: bits 0-1 content kind, 2-25 content, 26-41 style, 42-43 width, 44 protected, 45 linked, 48-63 link.
# A 4-byte cell is the low half of one, a 1- or 2-byte cell only a code point.
_CODEPOINT_MASK: Final = 0x1FFFFF
_CONTENT_BITS: Final = 0x3FFFFFF
_LOOK_BITS: Final = {8: 0xFFFF_1000_0000_0000 | 0xFFFF << 26, 4: 0xFC000000}
_ERASED: Final = 2
_PROTECTED_SHIFT: Final = 44
_LINK_SHIFT: Final = 48
_UNUSUAL_BITS: Final = {8: 0x0C00_0000_0002, 4: 2}  # wide or erased
_ARRAY_CODES: Final = {8: "Q", 4: "I"}


class Page:
    """A PAGE record as it stands in the snapshot."""

    __slots__ = ("_payload", "row_count")

    def __init__(self, payload: memoryview) -> None:
        self._payload = payload
        self.row_count = _PAGE.unpack_from(payload)[1]

    def open(self) -> OpenPage:
        """Read its rows. Every call reads them anew, so that a long history never stands in memory as objects."""
        return OpenPage(self._payload)


class OpenPage:
    """Consecutive rows, oldest first, that share tables of styles and links."""

    __slots__ = ("_links", "_looks", "_styles", "rows")

    def __init__(self, payload: memoryview) -> None:
        _cols, row_count, style_count, link_count = _PAGE.unpack_from(payload)[:4]
        at = _PAGE.size + style_count * _STYLE_ENTRY.size
        self._styles: dict[int, bytes] = dict(_STYLE_ENTRY.iter_unpack(payload[_PAGE.size : at]))
        self._styles[0] = PLAIN_STYLE
        self._looks: dict[int, Look] = {0: PLAIN}
        self._links: dict[int, Link] = {}
        for _ in range(link_count):
            number = payload[at] | payload[at + 1] << 8
            link, at = read_link(payload, at + 2)
            if link is not None:
                self._links[number] = link
        bounds = []
        for _ in range(row_count):
            flags, count = payload[at], payload[at + 1] | payload[at + 2] << 8
            end = at + 3 + (count << (flags >> 4 & 3))
            bounds.append((flags, count, payload[at + 3 : end]))
            at = end
        marks = _read_marks(payload, at)
        self.rows = [
            Row(bool(flags & _WRAP_FLAG), count, flags >> 4 & 3, cells, marks.get(index))
            for index, (flags, count, cells) in enumerate(bounds)
        ]

    def text(self, row: Row) -> str:
        """The text of `line` alone."""
        if row.width_log2 == 0:
            return str(row.cells, "latin-1")
        if row.width_log2 == 1:
            return str(row.cells, "utf-16-le", "replace")
        unit = 8 if row.width_log2 == 3 else 4
        return _texts(int.from_bytes(row.cells, "little"), row.cell_count, unit)

    def line(self, row: Row) -> Line:
        """The row's cells."""
        if row.width_log2 < 2 or not row.cell_count:
            return Line(self.text(row), [(row.cell_count, PLAIN)] if row.cell_count else [], _NO_CLUSTERS)
        text, ends, keys = self.runs(row)
        clusters = _NO_CLUSTERS
        if row.marks:
            clusters = {col: base_of(text, col) + marks for col, marks in row.marks.items()}
            text = _with_clusters(text, clusters)
        return Line(text, list(zip(ends, map(self.look, keys), strict=True)), clusters)

    def runs(self, row: Row) -> tuple[str, list[int], list[int]]:
        """The text of a row of styled cells, the columns that its spans end before, and the keys of their looks.

        All cells are shifted and masked at once in one big integer; a loop over them would take ten times as long.
        """
        unit, count = 8 if row.width_log2 == 3 else 4, row.cell_count
        word = int.from_bytes(row.cells, "little")
        keys = word & _repeat(_LOOK_BITS[unit], count, unit)
        if word & _repeat(2, count, unit):
            keys |= word & (word >> 1 & _repeat(1, count, unit)) * _CONTENT_BITS
        text = _texts(word, count, unit)
        if not keys:
            return text, [count], [0]
        key_of = array(_ARRAY_CODES[unit], keys.to_bytes(unit * count, "little"))
        changes = array(_ARRAY_CODES[unit], (keys ^ keys >> 8 * unit).to_bytes(unit * count, "little"))
        ends = list(compress(range(1, count), changes))  # the last cell is compared with none
        ends.append(count)
        return text, ends, [key_of[end - 1] for end in ends]

    def look(self, key: int) -> Look:
        """What a key of `runs` stands for."""
        look = self._looks.get(key)
        if look is None:
            if key & _ERASED:
                look = Look(_erased_style(key), None, False, True)
            else:
                link = self._links.get(key >> _LINK_SHIFT)
                look = Look(self.style(key), link, bool(key >> _PROTECTED_SHIFT & 1), False)
            self._looks[key] = look
        return look

    def styles_by_key(self) -> Iterator[tuple[int, bytes]]:
        """The styles of the page, by the keys that say nothing else."""
        return ((number << 26, style) for number, style in self._styles.items())

    def style(self, key: int) -> bytes:
        """The style in a key that is not one of erased cells."""
        return self._styles[key >> 26 & 0xFFFF]


def only_styled(key: int) -> bool:
    """Whether a key of `runs` says nothing but a style: no link, no protection, no erased cells."""
    return not (key & _ERASED or key >> _PROTECTED_SHIFT)


def _texts(word: int, count: int, unit: int) -> str:
    """The code points of all cells in `word`, one character each."""
    texts = word >> 2 & _repeat(_CODEPOINT_MASK, count, unit)
    if word & _repeat(_UNUSUAL_BITS[unit], count, unit):
        ones = _repeat(1, count, unit)
        texts &= ~((word >> 1 & ones) * _CODEPOINT_MASK)  # an erased cell's content is a colour
        if unit == 8:
            tails = word >> 43 & ones
            texts |= tails + (tails & word >> 42)  # 1 for a tail, 2 for a head
    text = texts.to_bytes(unit * count, "little").decode("utf-32-le", "replace")
    return text[::2] if unit == 8 else text


# A few masks for every row length that occurs; a terminal has at most a thousand columns.
_MASKS_MAX: Final = 4096
_masks: dict[tuple[int, int, int], int] = {}


def _repeat(word: int, count: int, unit: int) -> int:
    """`word` in each of `count` lanes of `unit` bytes."""
    value = _masks.get((word, count, unit))
    if value is None:
        if len(_masks) >= _MASKS_MAX:
            _masks.clear()
        value = _masks[word, count, unit] = int.from_bytes(word.to_bytes(unit, "little") * count, "little")
    return value


def base_of(text: str, col: int) -> str:
    """The character that marks combine with; a blank of two cells is an ideographic space."""
    return WIDE_SPACE if text[col : col + 2] in (" " + TAIL, EMPTY + TAIL) else text[col]


def _with_clusters(text: str, clusters: dict[int, str]) -> str:
    chars = list(text)
    for col in clusters:
        chars[col] = CLUSTER
    return "".join(chars)


def _erased_style(key: int) -> bytes:
    color = (key >> 2 & 0xFFFFFF).to_bytes(3, "little")
    return bytes(4) + (b"\x01" + color[:1] + b"\0\0" if key & 3 == 2 else b"\x02" + color) + bytes(8)


def read_link(payload: memoryview, at: int) -> tuple[Link | None, int]:
    """The link that begins at `at`, None where there is none, and where it ends."""
    kind = payload[at]
    at += 1
    if kind == 0:
        return None, at
    if kind == 1:
        serial, size = struct.unpack_from("<II", payload, at)
        at += 8
        return Link(bytes(payload[at : at + size]), b"", serial), at + size
    name, at = read_bytes(payload, at)
    uri, at = read_bytes(payload, at)
    return Link(uri, name, 0), at


def read_bytes(payload: memoryview, at: int) -> tuple[bytes, int]:
    """The length-prefixed bytes that begin at `at`, and where they end."""
    (size,) = struct.unpack_from("<I", payload, at)
    return bytes(payload[at + 4 : at + 4 + size]), at + 4 + size


def _read_marks(payload: memoryview, at: int) -> dict[int, dict[int, str]]:
    """The combining marks of a page's cells: row -> col -> marks."""
    (count,) = struct.unpack_from("<I", payload, at)
    at += 4
    marks: dict[int, dict[int, str]] = {}
    for _ in range(count):
        row, col, size = struct.unpack_from("<HHH", payload, at)
        at += 6
        marks.setdefault(row, {})[col] = bytes(payload[at : at + 4 * size]).decode("utf-32-le", "replace")
        at += 4 * size
    return marks
