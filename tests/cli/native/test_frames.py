"""Frames of a session of another size: fed to an emulator they show the same cells."""

from __future__ import annotations

import json

import pytest

from attn.cli.native.frames import frame_bytes
from attn.terminal.cells import cells, text
from attn.terminal.emulator import Emulator

STYLED = (
    b"\x1b[1;3;4:3;31;48;5;200mstyled\x1b[m plain\r\n\x1b[38;2;1;2;3;9mstrike\x1b[m\r\n"
    + "wide 世界 é\u0301\r\n".encode()
    + b"\x1b[2;7;53mfaint"
)


def emulated(data: bytes, rows: int, cols: int) -> Emulator:
    emulator = Emulator(rows, cols)
    emulator.feed(data)
    return emulator


def frame_of(data: bytes, own: tuple[int, int], shown: tuple[int, int]) -> bytes:
    return frame_bytes(json.dumps(cells(emulated(data, *own).capture())).encode(), shown)


def test_the_same_size_shows_the_same_cells() -> None:
    original = cells(emulated(STYLED, 6, 20).capture())
    assert cells(emulated(frame_of(STYLED, (6, 20), (6, 20)), 6, 20).capture()) == original


def test_a_larger_session_is_cut_on_the_right() -> None:
    shown = emulated(frame_of(b"0123456789\r\nab", (5, 10), (5, 4)), 5, 4)
    assert text(shown.capture()).splitlines()[:2] == ["0123", "ab"]


def test_a_wide_character_at_the_edge_is_left_out() -> None:
    shown = emulated(frame_of("abc世d".encode(), (5, 10), (5, 4)), 5, 4)
    assert text(shown.capture()).splitlines()[0] == "abc"


def test_the_rows_with_the_cursor_are_shown() -> None:
    shown = emulated(frame_of(b"\r\n".join(b"row %d" % row for row in range(9)), (9, 10), (3, 10)), 3, 10)
    assert text(shown.capture()).splitlines() == ["row 6", "row 7", "row 8"]
    assert shown.cursor == (2, 5, True)


def test_a_smaller_session_leaves_the_rest_empty() -> None:
    dirty = emulated(b"x" * 100, 5, 20)
    dirty.feed(frame_of(b"ab", (2, 4), (5, 20)))
    assert text(dirty.capture()).split() == ["ab"]


def test_a_hidden_cursor_is_hidden() -> None:
    assert emulated(frame_of(b"\x1b[?25l", (5, 10), (5, 10)), 5, 10).cursor[2] is False


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (50, 200)])
def test_a_full_screen_never_scrolls(size: tuple[int, int]) -> None:
    shown = emulated(frame_of(b"y" * 2000, (8, 30), size), max(2, size[0]), max(2, size[1]))
    assert cells(shown.capture(), None)["history"] == 0
