"""Rows of cells in all their encodings."""

from __future__ import annotations

import pytest

from attn.terminal.emulator import Emulator
from attn.terminal.snapshot.pages import CLUSTER, EMPTY, HEAD, PLAIN, TAIL, WIDE_SPACE, Line, Row
from attn.terminal.snapshot.records import PRIMARY


def line(output: str, number: int = 0, cols: int = 10) -> tuple[Row, Line, str]:
    """A row of a small terminal, its line, and its text alone."""
    terminal = Emulator(4, cols)
    terminal.feed(output.encode())
    page, row = list(terminal.capture().snapshot.screens[PRIMARY].rows())[number]
    return row, page.line(row), page.text(row)


@pytest.mark.parametrize(
    ("output", "width_log2"), [("plain", 0), ("€uro", 1), ("\x1b[31mred\x1b[m plain", 2), ("漢x", 3)]
)
def test_every_width_of_encoded_cells(output: str, width_log2: int) -> None:
    row, found, text = line(output)
    assert row.width_log2 == width_log2
    assert found.text == text
    assert text.replace(TAIL, "") == output.replace("\x1b[31m", "").replace("\x1b[m", "")


def test_an_empty_row_has_no_spans() -> None:
    _row, found, text = line("")
    assert (found.text, found.spans, text) == ("", [], "")


def test_spans_end_where_the_look_changes() -> None:
    _row, found, _text = line("ab\x1b[1mc\x1b[22md")
    assert [end for end, _look in found.spans] == [2, 3, 4]
    assert found.spans[0][1] is found.spans[2][1] is PLAIN
    assert found.spans[1][1].style[12] == 1


def test_skipped_cells_are_empty_and_wide_characters_have_tails() -> None:
    assert line("a\x1b[3Cb漢c")[1].text == f"a{EMPTY * 3}b漢{TAIL}c"


def test_a_wide_character_that_does_not_fit_leaves_a_head() -> None:
    row, found, _text = line("123456789漢")
    assert row.wraps
    assert found.text == f"123456789{HEAD}"


def test_erased_cells_carry_only_their_background() -> None:
    for color, style in (("44", b"\x01\x04\0\0"), ("48;2;1;2;3", b"\x02\x01\x02\x03")):
        _row, found, text = line(f"x\x1b[{color}m\x1b[K")
        (end, look) = found.spans[-1]
        assert (end, look.erased, look.style[4:8]) == (10, True, style)
        assert text == f"x{EMPTY * 9}"


def test_clusters_are_looked_up_by_column() -> None:
    _row, found, text = line("ae\u0301漢\u0302")
    assert found.text == f"a{CLUSTER}{CLUSTER}{TAIL}"
    assert found.clusters == {1: "e\u0301", 2: "漢\u0302"}
    assert text == f"ae漢{TAIL}"


def test_links_and_protection_are_part_of_a_look() -> None:
    _row, found, _text = line('\x1b]8;id=i;http://a/\x07x\x1b]8;;\x07\x1b[1"qy')
    first, second = found.spans[0][1], found.spans[1][1]
    assert first.link is not None
    assert (first.link.uri, first.link.id, first.protected) == (b"http://a/", b"i", False)
    assert (second.link, second.protected) == (None, True)


def test_links_without_a_name_are_told_apart() -> None:
    _row, found, _text = line("\x1b]8;;http://a/\x07x\x1b]8;;\x07\x1b]8;;http://a/\x07y")
    assert found.spans[0][1].link != found.spans[1][1].link


def test_a_wide_blank_is_an_ideographic_space_below_its_marks() -> None:
    _row, found, _text = line("\x1b(A漢\u0302")
    assert found.clusters in ({}, {0: f"{WIDE_SPACE}\u0302"})
