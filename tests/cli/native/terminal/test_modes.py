"""What a stream set is taken back: judged by the emulator itself, on random streams cut anywhere."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from attn.cli.native.terminal.modes import ModeTracker
from attn.terminal.cells import cells
from attn.terminal.emulator import Emulator

CLEAR = b"\x1b[H\x1b[J\x1b[3J"
MODES = (1, 5, 6, 7, 9, 25, 47, 66, 69, 1000, 1002, 1003, 1004, 1005, 1006, 1015, 1016, 1047, 1049)
QUESTIONS = (
    b"".join(b"\x1b[?%d$p" % mode for mode in (*MODES, 2004, 2026, 2031, 2048))
    + b"\x1b[4$p\x1b[20$p\x1b[?u\x1b]4;1;?\x1b\\\x1b]10;?\x1b\\\x1b]11;?\x1b\\\x1b]12;?\x1b\\"
    + b"\x1bP$qm\x1b\\\x1bP$qr\x1b\\\x1bP$q q\x1b\\"
)
SEQUENCES = [
    b"text",
    "ü世".encode(),
    b"\x1b[1;31m",
    b"\x1b[?1049h",
    b"\x1b[?1049l",
    b"\x1b[?47h",
    b"\x1b[?1h",
    b"\x1b[?1l",
    b"\x1b[?5h",
    b"\x1b[?6h",
    b"\x1b[?7l",
    b"\x1b[?25l",
    b"\x1b[?1000;1002;1006h",
    b"\x1b[?1003h",
    b"\x1b[?1002l",
    b"\x1b[?1004h",
    b"\x1b[?2004h",
    b"\x1b[?2004l",
    b"\x1b[?2026h",
    b"\x1b[?2026l",
    b"\x1b[?2031h",
    b"\x1b[?2048h",
    b"\x1b[?69h",
    b"\x1b[4h",
    b"\x1b[20h",
    b"\x1b[3;9r",
    b"\x1b[r",
    b"\x1b[>1u",
    b"\x1b[>31u",
    b"\x1b[<u",
    b"\x1b[<2u",
    b"\x1b[=5;1u",
    b"\x1b[>4;2m",
    b"\x1b[5 q",
    b"\x1b[0 q",
    b"\x1b(0",
    b"\x1b(B",
    b"\x1b)0",
    b"\x0e",
    b"\x0f",
    b"\x1b=",
    b"\x1b>",
    b"\x1b]8;id=1;https://example.org/a\x1b\\",
    b"\x1b]8;;\x07",
    b"\x1b]11;#102030\x1b\\",
    b"\x1b]12;red\x07",
    b"\x1b]4;1;#ff0000\x1b\\",
    b"\x1b[!p",
    b"\x1bc",
    b"\r\n",
]


def state(*parts: bytes) -> tuple[bytes, dict[str, object]]:
    """What the emulator says of itself after `parts`, and how it shows text then."""
    emulator = Emulator(12, 40)
    emulator.set_theme("#ffffff", "#000000", "#ffffff", "dark")
    for part in parts:
        emulator.feed(part)
    emulator.take_replies()
    emulator.feed(CLEAR + QUESTIONS + b"q~x\x1b[1;1Hy\n\nz" + b"w" * 50)
    return emulator.take_replies(), cells(emulator.capture())


@given(st.lists(st.sampled_from(SEQUENCES), max_size=14), st.integers(1, 9), st.integers(0, 6))
@example([b"\x1b[5 q", b"\x1b[?1049h", b"\x1b[0 q"], 1, 0)
@example([b"\x1b]8;id=1;https://example.org/a\x1b\\", b"\x1b]8;;\x07"], 1, 2)
def test_the_terminal_is_as_it_was(sequences: list[bytes], step: int, cut: int) -> None:
    stream = b"".join(sequences)
    stream = stream[: len(stream) - cut]
    tracker = ModeTracker()
    for start in range(0, len(stream), step):
        tracker.feed(stream[start : start + step])
    assert state(stream, tracker.undo()) == state()


def test_nothing_is_reset_that_was_not_set() -> None:
    tracker = ModeTracker()
    tracker.feed(b"plain text\r\n\x1b[1mbold\x1b[m")
    assert tracker.undo() == b"\x1b\\\x1b[m"


def test_what_was_reset_again_is_left_alone() -> None:
    tracker = ModeTracker()
    tracker.feed(b"\x1b[?2004h\x1b[?25l\x1b[?25h\x1b[?2004l\x1b[>1u\x1b[<u\x1b[?1049h\x1b[?1049l\x1b[2 q\x1b[ q")
    assert tracker.undo() == b"\x1b\\\x1b[m"


def test_the_alternate_screen_is_left_by_the_way_it_was_entered_and_its_keyboard_first() -> None:
    tracker = ModeTracker()
    tracker.feed(b"\x1b[>1u\x1b[?1049h\x1b[>3u\x1b[>5u")
    assert tracker.alternate_screen
    assert tracker.undo() == b"\x1b\\\x1b[<2u\x1b[?1049l\x1b[<1u\x1b[m"
    assert not tracker.alternate_screen


def test_an_update_that_holds_the_screen_back_ends_first() -> None:
    tracker = ModeTracker()
    tracker.feed(b"\x1b[?1000h\x1b[?2026h")
    assert tracker.undo().startswith(b"\x1b\\\x1b[?2026l")


@pytest.mark.parametrize("mode", [3, 12, 1007, 2027])
def test_modes_that_terminals_start_differently_are_left(mode: int) -> None:
    tracker = ModeTracker()
    tracker.feed(b"\x1b[?%dh" % mode)
    assert tracker.undo() == b"\x1b\\\x1b[m"


def test_the_cursor_looks_as_it_did_before() -> None:
    tracker = ModeTracker()
    tracker.heard(b"typed\x1bP1$r2 q\x1b\\more")
    tracker.feed(b"\x1b[5 q")
    assert tracker.undo() == b"\x1b\\\x1b[2 q\x1b[m"
    tracker.heard(b"\x1bP1$r1 q\x1b\\")
    tracker.feed(b"\x1b[5 q")
    assert tracker.undo() == b"\x1b\\\x1b[0 q\x1b[m"
    tracker.feed(b"\x1b[5 q\x1b[0 q")
    assert tracker.undo() == b"\x1b\\\x1b[m"


def test_titles_that_were_pushed_are_popped() -> None:
    tracker = ModeTracker()
    tracker.feed(b"\x1b[22;0t\x1b[22;2t\x1b[23;2t")
    assert tracker.undo() == b"\x1b\\\x1b[23;0t\x1b[m"


def test_progress_is_ended() -> None:
    tracker = ModeTracker()
    tracker.feed(b"\x1b]9;4;1;50\x07")
    assert b"\x1b]9;4;0\x1b\\" in tracker.undo()


def test_a_long_string_is_not_kept() -> None:
    tracker = ModeTracker()
    tracker.feed(b"\x1b]52;c;" + b"A" * 100_000)
    assert len(tracker._unfinished) < 5000
    tracker.feed(b"\x07\x1b[?2004h")
    assert b"\x1b[?2004l" in tracker.undo()
