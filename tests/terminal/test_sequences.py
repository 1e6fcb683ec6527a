"""State to sequences: each is what a terminal needs to be told, and nothing where the default holds."""

from __future__ import annotations

import pytest

from attn.terminal import sequences
from attn.terminal.emulator import Emulator
from attn.terminal.snapshot.pages import PLAIN_STYLE, Link
from attn.terminal.snapshot.records import Snapshot


def after(output: bytes) -> Snapshot:
    terminal = Emulator(6, 40)
    terminal.feed(output)
    return terminal.capture().snapshot


def test_a_plain_style_is_a_reset() -> None:
    assert sequences.sgr(PLAIN_STYLE) == "\x1b[m"


@pytest.mark.parametrize(
    "parameters",
    ["0;1", "0;1;2;3;4;5;7;8;9;53", "0;4:3", "0;31;42", "0;95;106", "0;38;5;200;48;5;16", "0;38;2;1;2;3;58:5:9",
     "0;48;2;9;8;7;58:2::1:2:3"],
)  # fmt: skip
def test_a_style_is_said_as_programs_say_it(parameters: str) -> None:
    sequence = f"\x1b[{parameters}m"
    assert sequences.sgr(after(sequence.encode()).active.header.pen) == sequence


def test_links_keep_their_names() -> None:
    assert sequences.hyperlink(None) == "\x1b]8;;\x1b\\"
    assert sequences.hyperlink(Link(b"http://a/", b"x", 0)) == "\x1b]8;id=x;http://a/\x1b\\"
    assert sequences.hyperlink(Link(b"http://a/", b"", 7)) == "\x1b]8;;http://a/\x1b\\"


def test_nothing_is_said_about_a_fresh_terminal() -> None:
    fresh = after(b"")
    said = [
        sequences.charsets(fresh.active.header.charset),
        sequences.single_shift(fresh.active.header.charset),
        sequences.kitty_keyboard(fresh.active.header),
        sequences.cursor_style(fresh, fresh.active.header.cursor_style),
        sequences.tab_stops(fresh),
        sequences.texts_and_colors(fresh),
        sequences.mouse(fresh),
        sequences.modes(fresh),
        sequences.margins(fresh),
        sequences.left_over_screen_modes(fresh),
    ]
    assert said == [""] * len(said)


def test_charsets_can_be_taken_back() -> None:
    said = sequences.charsets(after(b"\x1b(0\x1b)A\x0e\x1b~").active.header.charset)
    assert said == "\x1b(0\x1b)A\x1b~\x0e"
    assert after((said + sequences.reset_charsets(said)).encode()).active.header.charset & 0xF00 == 0x800


def test_the_keyboard_stack_has_all_its_levels() -> None:
    assert sequences.kitty_keyboard(after(b"\x1b[=1;1u\x1b[>7u\x1b[>3u").active.header) == "\x1b[=1;1u\x1b[>7u\x1b[>3u"


def test_modes_that_changed_and_modes_that_were_saved() -> None:
    assert sequences.modes(after(b"\x1b[?2004h\x1b[?25l\x1b[20h")) == "\x1b[20h\x1b[?25l\x1b[?2004h"
    assert sequences.modes(after(b"\x1b[?2004h\x1b[?2004s\x1b[?2004l")) == "\x1b[?2004h\x1b[?2004s\x1b[?2004l"
    assert sequences.modes(after(b"\x1b[?2026h")) == ""


@pytest.mark.parametrize("said", [b"\x1b=", b"\x1b[?66h"])
def test_the_keypad_is_set_as_every_terminal_knows_it(said: bytes) -> None:
    assert sequences.modes(after(said)) == "\x1b="


def test_mouse_modes_end_with_the_one_in_force() -> None:
    assert sequences.mouse(after(b"\x1b[?1003h\x1b[?1000h\x1b[?1006h")) == "\x1b[?1003h\x1b[?1000h\x1b[?1006h"
    assert sequences.mouse(after(b"\x1b[?1000h\x1b[?1003h\x1b[?1003l")).startswith("\x1b[?1000h\x1b[?9h\x1b[?9l")


@pytest.mark.parametrize("shape", range(1, 7))
def test_cursor_shapes(shape: int) -> None:
    snapshot = after(b"\x1b[%d q" % shape)
    assert sequences.cursor_style(snapshot, snapshot.active.header.cursor_style) == f"\x1b[{shape} q"


def test_colours_are_only_those_the_program_set() -> None:
    assert sequences.texts_and_colors(after(b"\x1b]11;#0d1117\x07\x1b]4;2;#010203\x07")) == (
        "\x1b]4;2;rgb:01/02/03\x1b\\\x1b]11;rgb:0d/11/17\x1b\\"
    )


def test_the_way_into_the_alternate_screen() -> None:
    assert sequences.alternate_entry(after(b"\x1b[?1049h")) == 1049
    assert sequences.alternate_entry(after(b"\x1b[?1047h")) == 1047
    assert sequences.alternate_entry(after(b"\x1b[?47h")) == 47


def test_screen_modes_left_over_from_another_switch() -> None:
    assert sequences.left_over_screen_modes(after(b"\x1b[?1049h\x1b[?47l")) == "\x1b[?1049h\x1b[?47l"
    assert sequences.left_over_screen_modes(after(b"\x1b[?1049h")) == ""


def test_margins_and_origin() -> None:
    assert sequences.margins(after(b"\x1b[2;5r\x1b[?6h")) == "\x1b[2;5r\x1b[?6h"
    assert sequences.margins(after(b"\x1b[?69h\x1b[3;9s")) == "\x1b[?69h\x1b[3;9s"


def test_protection_in_both_dialects() -> None:
    assert sequences.protection(after(b'\x1b[1"q').active.header) == ('\x1b[1"q', '\x1b[0"q')
    assert sequences.protection(after(b"\x1bV").active.header) == ("\x1bV", "\x1bW")


def test_tab_stops() -> None:
    assert sequences.tab_stops(after(b"\x1b[3g\x1b[5G\x1bH")) == "\x1b[3g\x1b[5G\x1bH"
