"""Rows painted for a terminal whose pen is known."""

from __future__ import annotations

import pytest

from attn.terminal.emulator import Emulator
from attn.terminal.painter import Painter
from attn.terminal.snapshot.pages import PLAIN_STYLE, Link
from attn.terminal.snapshot.records import PRIMARY, Snapshot


def snapshot_of(output: str, rows: int = 3, cols: int = 10) -> Snapshot:
    terminal = Emulator(rows, cols)
    terminal.feed(output.encode())
    return terminal.capture().snapshot


def lines(output: str, history: int | None = None) -> str:
    snapshot = snapshot_of(output)
    painter = Painter(snapshot)
    slices = list(painter.lines(snapshot.screens[PRIMARY], history))
    return b"".join([*slices, painter.take()]).decode()


@pytest.mark.parametrize(
    ("output", "painted"),
    [
        ("ab\r\ncd", "ab\r\ncd\r\n"),
        ("0123456789ab", "0123456789ab\r\n"),  # a soft wrap wraps again by itself
        ("0123456789ab\x1b[1;4H\x1b[K", "012\r\nab\r\n"),
        ("a\x1b[2Cb", "a\x1b[2Cb\r\n\r\n"),
        ("a\x1b[Cb", "a\x1b[Cb\r\n\r\n"),
        ("漢字", "漢字\r\n\r\n"),
        ("👍x", "👍\x1b[3Gx\r\n\r\n"),  # terminals disagree about its width
        ("e\u0301x", "e\u0301\x1b[2Gx\r\n\r\n"),
        ("\x1b[44m\x1b[K", "\x1b[0;44m\x1b[K\x1b[m\r\n\r\n"),
        ("\x1b[44m\x1b[3X", "\x1b[0;44m\x1b[3X\x1b[3C\x1b[m\r\n\r\n"),
        ("123456789漢", "123456789漢\r\n"),
        ("123456789漢\x1b[2;1Hx", "123456789 x\r\n"),  # only a wide character wraps before the last column
    ],
)
def test_rows_as_text_and_sequences(output: str, painted: str) -> None:
    assert lines(output) == painted


def test_only_the_last_lines_are_painted_when_history_is_limited() -> None:
    output = "1\r\n2\r\n3\r\n4\r\n5"
    assert lines(output) == "1\r\n2\r\n3\r\n4\r\n5"
    assert lines(output, 1) == "2\r\n3\r\n4\r\n5"
    assert lines(output, 0) == "3\r\n4\r\n5"


def test_a_newline_is_never_written_with_a_background() -> None:
    assert lines("\x1b[41mab\r\n\x1b[42mcd") == "\x1b[0;41mab\x1b[m\r\n\x1b[0;42mcd\x1b[m\r\n"


def test_the_pen_changes_only_when_it_must() -> None:
    painter = Painter(snapshot_of(""))
    bold = PLAIN_STYLE[:12] + b"\x01\0\0\0"
    painter.pen(bold)
    painter.pen(bold)
    painter.pen(bold, Link(b"http://a/", b"", 1))
    painter.plain()
    painter.plain()
    assert painter.take() == b"\x1b[0;1m\x1b]8;;http://a/\x1b\\\x1b[m\x1b]8;;\x1b\\"


def test_a_pen_that_somebody_else_changed_is_reset() -> None:
    painter = Painter(snapshot_of(""))
    painter.reset_style()
    assert painter.take() == b"\x1b[m"
    assert painter.take() == b""


def test_a_grid_is_painted_in_place() -> None:
    snapshot = snapshot_of("\x1b[?1049h\x1b[2;3Hx")
    painter = Painter(snapshot)
    slices = list(painter.grid(snapshot.active))
    assert b"".join([*slices, painter.take()]) == b"\x1b[2;1H\x1b[2Cx"


def test_the_cell_at_a_place() -> None:
    snapshot = snapshot_of("a漢e\u0301\r\n\x1b[42m\x1b[K")
    painter, screen = Painter(snapshot), snapshot.active
    assert painter.cell(screen, 0, 0).text == "a"
    assert (painter.cell(screen, 0, 2).col, painter.cell(screen, 0, 2).text) == (1, "漢")
    assert painter.cell(screen, 0, 3).text == "e\u0301"
    assert (painter.cell(screen, 0, 9).text, painter.cell(screen, 0, 9).style) == (" ", PLAIN_STYLE)
    assert (painter.cell(screen, 1, 4).text, painter.cell(screen, 1, 4).style[4:6]) == (" ", b"\x01\x02")


def test_slices_are_handed_out_while_painting() -> None:
    output = "".join(f"\x1b[3{number % 8}m{number}\r\n" for number in range(2000))
    snapshot = snapshot_of(output)
    painter = Painter(snapshot)
    slices = list(painter.lines(snapshot.screens[PRIMARY], None))
    assert len(slices) > 5
    assert max(map(len, slices)) < 10_000
