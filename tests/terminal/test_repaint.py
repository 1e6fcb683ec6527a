"""The bytes of a snapshot: what they hold, what they never hold, how they come."""

from __future__ import annotations

import re

import pytest

from attn.terminal import sequences
from attn.terminal.cells import text
from attn.terminal.emulator import Emulator
from attn.terminal.repaint import _Cursors, repaint
from attn.terminal.snapshot.records import ALTERNATE, PRIMARY, Capture, SnapshotError
from tests.terminal.judge import copy_of, differences, judge, recordings

# Sequences that a terminal answers: in a snapshot they would be typed into the program.
QUERY = re.compile(
    rb"\x1b\[[?>=]?\d*(?:c|n|u(?<!>\du))|\$p|\x1b\]\d+;(?:\d+;)?\?|\x1bP[$+]q|\x1b\[\d+t|\x1b\[>\d*q|\x1bZ"
)


def captured(output: bytes, rows: int = 6, cols: int = 20) -> Capture:
    terminal = Emulator(rows, cols)
    terminal.feed(output)
    return terminal.capture()


def painted(output: bytes, history: int | None = None) -> bytes:
    return b"".join(repaint(captured(output), history))


# One state each; a copy must have all of it, also after the rest of the bytes.
STATES = {
    "styles": b"\x1b[1;2;3;4:3;5;7;8;9;53;58:5:9;38;5;200;48;2;1;2;3mx\x1b[0m y\x1b[91;102mz\x1b[4:2mw",
    "links": b"\x1b]8;;http://a/\x07one\x1b]8;;\x07 \x1b]8;id=q;http://b/\x07two",
    "wide and combined": "漢字 e\u0301 👍\u200d한 ｆ ☺".encode(),
    "wide character that did not fit": b"x" * 19 + "漢字".encode(),
    "soft wrap": b"abcdefghij" * 5,
    "soft wrap before blanks": b"x" * 20 + b" \x1b[2;10Hy",
    "erased with a background": b"\x1b[41m\x1b[2J\x1b[3;5Hx\x1b[K\x1b[44m\x1b[4;2H\x1b[5X",
    "pending wrap": b"x" * 20,
    "pending wrap on a wide character": b"x" * 18 + "漢".encode(),
    "cursor hidden, bar": b"\x1b[?25l\x1b[6 q",
    "pen and open link": b"\x1b]8;;http://a/\x07\x1b[1;35m",
    "saved cursor": b"\x1b[3;4H\x1b[32m\x1b(0\x1b7\x1b[H\x1b[m\x1b(B",
    "saved cursors of both screens": b"\x1b[2;2H\x1b7\x1b[?47h\x1b[3;3H\x1b7\x1b[?47l",
    "margins and origin": b"\x1b[2;5r\x1b[?6h\x1b[2;3Hx",
    "left and right margins": b"\x1b[?69h\x1b[3;15s\x1b[4;5H",
    "insert, no autowrap, newline mode": b"\x1b[4h\x1b[?7l\x1b[20h",
    "tab stops": b"\x1b[3g\x1b[5G\x1bH\x1b[11G\x1bH",
    "charsets": b"\x1b(0\x1b)A\x0e",
    "charsets saved under another screen": b"\x1b(0\x1b7\x1b(B\x1b[?47h\x1b[Hlower case",
    "single shift": b"\x1b*0abc\x1bN",
    "application keys": b"\x1b[?1h\x1b=",
    "mouse": b"\x1b[?1000h\x1b[?1002h\x1b[?1006h\x1b[?1004h",
    "mouse switched off by another mode": b"\x1b[?1002h\x1b[?1003h\x1b[?1003l",
    "bracketed paste": b"\x1b[?2004h",
    "kitty keyboard stack": b"\x1b[=1;1u\x1b[>7u\x1b[>3u",
    "kitty keyboard of both screens": b"\x1b[>1u\x1b[?1049h\x1b[>7u",
    "modifyOtherKeys": b"\x1b[>4;2m",
    "title and directory": b"\x1b]2;a title\x07\x1b]7;file:///tmp\x07",
    "colours": b"\x1b]4;3;#010203\x07\x1b]10;#ffffff\x07\x1b]11;#0d1117\x07\x1b]12;#ff0000\x07",
    "saved modes": b"\x1b[?1h\x1b[?1;2004s\x1b[?1l",
    "protected cells": b'a\x1b[1"qbc\x1b[0"qd\x1b[?J',
    "ISO protected cells": b"a\x1bVbc\x1bWd\x1b[1K",
    "pointer shape": b"\x1b]22;pointer\x1b\\",
    "alternate screen": b"shell$ \x1b[?1049h\x1b[2J\x1b[Hfull",
    "alternate screen by 47": b"shell$ \x1b[?47hfull",
    "hidden alternate screen": b"\x1b[?1047h\x1b[31mgone\x1b[?47lshell$ ",
    "unfinished sequence": b"abc\x1b[1;3",
    "unfinished title": b"abc\x1b]2;half a ti",
    "unfinished character": b"abc\xe6\xbc",
    "history": b"".join(b"line %d\r\n" % number for number in range(30)),
    "blank lines at the end of the history": b"x" + b"\r\n" * 20,
}
# What a program may do next; each shows state that the screen does not.
CONTINUATIONS = (
    b"\xa2m next \x1b[b",
    "\u0301 joined".encode(),
    b"\x1b8after restore\x1b[?1049l\x1b8back",
    b"\t\tx\n\ny\x1b[?6lz\x0f q",
)


@pytest.mark.parametrize("state", STATES)
def test_a_copy_has_the_state_and_goes_on_alike(state: str) -> None:
    capture = captured(STATES[state])
    assert differences(capture, copy_of(capture).capture()) == []
    for more in CONTINUATIONS:
        original, copy = Emulator(6, 20), copy_of(capture)
        original.feed(STATES[state])
        for terminal in (original, copy):
            terminal.feed(more)
        assert differences(original.capture(), copy.capture()) == [], more


def test_snapshots_ask_nothing_and_hold_no_frame() -> None:
    for recording in recordings():
        output = b"".join(event for event in recording.events if isinstance(event, bytes))
        terminal = Emulator(recording.rows, recording.cols)
        terminal.feed(output[: len(output) // 2] + b"\x18\x1b[?2026h")
        snapshot = b"".join(repaint(terminal.capture()))
        assert b"?2026" not in snapshot
        assert not QUERY.search(snapshot), QUERY.search(snapshot)


def test_the_unfinished_bytes_come_last() -> None:
    assert painted(b"abc\x1b]2;half").endswith(b"\x1b]2;half")


def test_history_is_limited_to_the_lines_asked_for() -> None:
    output = b"".join(b"line %d\r\n" % number for number in range(30)) + b"end"
    capture = captured(output)
    for history in (0, 1, 7, None):
        copy = copy_of(capture) if history is None else Emulator(6, 20)
        if history is not None:
            copy.feed(b"".join(repaint(capture, history)))
        again = copy.capture()
        assert text(again) == text(capture)
        assert text(again, None) == text(capture, history)


def test_a_frame_capture_paints_the_frame() -> None:
    terminal = Emulator(6, 20)
    terminal.feed(b"".join(b"line %d\r\n" % number for number in range(3000)) + b"\x1b[?1049hfull")
    frame = b"".join(repaint(terminal.capture(frame_only=True), 0))
    whole = b"".join(repaint(terminal.capture(), 0))
    assert frame == whole


def test_a_long_history_comes_in_many_small_slices() -> None:
    terminal = Emulator(40, 120)
    terminal.feed(b"".join(b"\x1b[3%dm%d\x1b[m text\r\n" % (number % 8, number) for number in range(9000)))
    capture = terminal.capture()
    slices = list(repaint(capture))
    assert len(slices) > 30
    assert max(map(len, slices)) < 64 << 10
    copy = Emulator(40, 120)
    for piece in slices:
        copy.feed(piece)
    assert differences(capture, copy.capture()) == []


def test_an_empty_terminal_needs_next_to_nothing() -> None:
    assert len(painted(b"")) < 32


def test_a_damaged_capture_is_refused() -> None:
    with pytest.raises(SnapshotError):
        list(repaint(Capture(b"GHOSTSNP\x01\x00\x01\x00", b"", 0, 0, True)))


def test_the_judge_sees_what_is_lost() -> None:
    recording = next(found for found in recordings() if found.name.startswith("vim"))
    assert judge(recording, 3000) == ([], [])
    left, right = captured(b"a\x1b[1mb"), captured(b"ab")
    assert differences(left, right) == ["screen 0 cells", "screen 0 pen"]


def test_both_screens_are_in_a_snapshot() -> None:
    copy = copy_of(captured(b"shell$ vi\x1b[?1049h\x1b[Hfile"))
    assert set(copy.capture().snapshot.screens) == {PRIMARY, ALTERNATE}
    assert text(copy.capture()).startswith("file\n")
    copy.feed(b"\x1b[?1049l")
    assert text(copy.capture()).startswith("shell$ vi\n")


PARTS = (
    *("sgr", "hyperlink", "protection", "charsets", "reset_charsets", "single_shift", "kitty_keyboard"),
    *("cursor_style", "tab_stops", "texts_and_colors", "mouse", "left_over_screen_modes", "modes", "margins"),
)


@pytest.mark.parametrize("part", PARTS)
def test_every_part_of_a_snapshot_is_needed(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any one of them some state above is lost, so the tests above would say so."""
    captures = [captured(output) for output in STATES.values()]
    monkeypatch.setattr(sequences, part, lambda *_: ("", "") if part == "protection" else "")
    assert any(differences(capture, copy_of(capture).capture()) for capture in captures)


def test_every_step_of_the_emission_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    captures = [captured(output) for output in STATES.values()]
    for step in ("enter_alternate", "hidden_alternate", "save", "place"):
        with monkeypatch.context() as without:
            without.setattr(_Cursors, step, lambda *_: iter(()))
            assert any(differences(capture, copy_of(capture).capture()) for capture in captures), step
