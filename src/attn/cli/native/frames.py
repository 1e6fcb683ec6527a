"""A session whose size is not this terminal's, painted as frames: its cells in, clipped terminal bytes out. Pure."""

from __future__ import annotations

import unicodedata
from typing import Final

import msgspec

_ATTRIBUTES: Final = {
    "bold": "1",
    "faint": "2",
    "italic": "3",
    "blink": "5",
    "inverse": "7",
    "invisible": "8",
    "strike": "9",
    "overline": "53",
}
_UNDERLINES: Final = {"single": "4", "double": "21", "curly": "4:3", "dotted": "4:4", "dashed": "4:5"}


class _Cursor(msgspec.Struct):
    row: int
    col: int
    visible: bool


class _Run(msgspec.Struct):
    text: str
    cols: int
    foreground: int | str | None = None
    background: int | str | None = None
    underline: str = ""
    bold: bool = False
    faint: bool = False
    italic: bool = False
    blink: bool = False
    inverse: bool = False
    invisible: bool = False
    strike: bool = False
    overline: bool = False


class _Line(msgspec.Struct):
    runs: list[_Run]


class _Cells(msgspec.Struct):
    """The part of `attn screen --format cells` that a picture needs."""

    cursor: _Cursor
    lines: list[_Line]


def frame_bytes(cells_json: bytes, size: tuple[int, int]) -> bytes:
    """The bytes that show a screen from `attn screen --format cells` in a terminal of `size` rows and columns.

    What does not fit on the right is cut, and rows are left out at the top as far as the cursor needs it.
    """
    screen = msgspec.json.decode(cells_json, type=_Cells)
    rows, cols = size
    top = max(0, screen.cursor.row - (rows - 1))
    parts = ["\x1b[?2026h\x1b[?25l\x1b[?7l"]  # nothing is shown half, and a full last row does not scroll
    for row in range(rows):
        parts.append(f"\x1b[{row + 1};1H\x1b[m\x1b[K")
        if top + row < len(screen.lines):
            parts += [_run(run, room) for run, room in _with_room(screen.lines[top + row].runs, cols)]
    row, col = screen.cursor.row - top + 1, min(screen.cursor.col + 1, cols)
    parts.append(f"\x1b[m\x1b[?7h\x1b[{row};{col}H\x1b[?25{'h' if screen.cursor.visible else 'l'}\x1b[?2026l")
    return "".join(parts).encode()


def _with_room(runs: list[_Run], cols: int) -> list[tuple[_Run, int]]:
    """The runs that show at all, each with the columns there are for it."""
    shown, at = [], 0
    for run in runs:
        if at >= cols:
            break
        shown.append((run, cols - at))
        at += run.cols
    return shown


def _run(run: _Run, room: int) -> str:
    text = run.text if run.cols <= room else _clip(run.text, room)
    return f"\x1b[{_sgr(run)}m{text}"


def _clip(text: str, room: int) -> str:
    used = 0
    for index, char in enumerate(text):
        used += 0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        if used > room:
            return text[:index]
    return text


def _sgr(run: _Run) -> str:
    codes = ["0", *(code for name, code in _ATTRIBUTES.items() if getattr(run, name))]
    if run.underline:
        codes.append(_UNDERLINES.get(run.underline, "4"))
    for base, colour in (("38", run.foreground), ("48", run.background)):
        if isinstance(colour, int):
            codes.append(f"{base};5;{colour}")
        elif colour:
            codes.append(f"{base};2;{int(colour[1:3], 16)};{int(colour[3:5], 16)};{int(colour[5:7], 16)}")
    return ";".join(codes)
