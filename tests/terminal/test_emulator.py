"""The emulator's answers, events, sizes and captures."""

from __future__ import annotations

from pathlib import Path

import pytest

from attn.terminal import binding, emulator
from attn.terminal.cells import text
from attn.terminal.emulator import Emulator, EmulatorError, self_test
from attn.terminal.repaint import repaint
from tests.terminal.judge import copy_of, differences, recordings
from tests.terminal.queries import ANSWERS, STARTS

WIDE = "漢字漢字漢".encode()


@pytest.mark.parametrize("query", ANSWERS)
def test_every_query_gets_its_answer_once(query: bytes) -> None:
    terminal = Emulator(24, 80)
    terminal.feed(query)
    assert terminal.take_replies() == ANSWERS[query]
    assert terminal.take_replies() == b""


@pytest.mark.parametrize("program", STARTS)
def test_a_program_that_asks_for_everything_at_its_start_is_answered_in_order(program: str) -> None:
    asked, answers = STARTS[program]
    whole, split = Emulator(24, 80), Emulator(24, 80)
    whole.feed(asked)
    for byte in asked:
        split.feed(bytes([byte]))
    assert whole.take_replies() == split.take_replies() == answers


@pytest.mark.parametrize(("rows", "cols"), [(40, 120), (24, 80), (50, 200)])
def test_one_made_in_advance_is_as_one_made_to_measure(rows: int, cols: int) -> None:
    fresh, prepared = Emulator(rows, cols, scrollback_lines=100), Emulator(40, 120)
    prepared.prepare(rows, cols, 100)
    output = b"".join(b"%d\r\n" % number for number in range(20_000)) + b"\t".join([b"x"] * 40) + b"\x1b[14t\x1b[18t"
    for terminal in (fresh, prepared):
        terminal.feed(output)
    assert prepared.take_replies() == fresh.take_replies()
    assert (prepared.rows, prepared.cols, prepared.cursor) == (fresh.rows, fresh.cols, fresh.cursor)
    assert text(prepared.capture(), None) == text(fresh.capture(), None)


def test_answers_come_in_the_order_of_the_queries_however_they_are_split() -> None:
    queries = b"\x1b[?u\x1b[c\x1b[6n\x1b[?6n\x1b]10;?\x1b\\\x1b]11;?\x1b\\"  # as codex at its start, and one more
    whole, split = Emulator(24, 80), Emulator(24, 80)
    whole.feed(queries)
    for byte in queries:
        split.feed(bytes([byte]))
    answers = whole.take_replies()
    assert answers.startswith(b"\x1b[?0u\x1b[?62;22c\x1b[1;1R\x1b[?1;1R\x1b]10;rgb:")
    assert split.take_replies() == answers


def test_replies_nobody_takes_are_bounded() -> None:
    terminal = Emulator(24, 80)
    terminal.feed(b"\x1b[c" * 200_000)
    assert len(terminal.take_replies()) <= 1 << 20


def test_colour_answers_follow_the_theme() -> None:
    terminal = Emulator(24, 80)
    terminal.set_theme("#010203", "#ffeedd", "#0a0b0c", "light")
    terminal.feed(b"\x1b]10;?\x07\x1b]11;?\x07\x1b]12;?\x07\x1b[?996n")
    assert terminal.take_replies() == (
        b"\x1b]10;rgb:0101/0202/0303\x07\x1b]11;rgb:ffff/eeee/dddd\x07\x1b]12;rgb:0a0a/0b0b/0c0c\x07\x1b[?997;2n"
    )


def test_a_change_of_scheme_is_told_only_to_programs_that_asked() -> None:
    terminal = Emulator(24, 80)
    terminal.set_theme("#000000", "#ffffff", "#000000", "light")
    assert terminal.take_replies() == b""
    terminal.feed(b"\x1b[?2031h")
    terminal.set_theme("#000000", "#ffffff", "#000000", "light")
    assert terminal.take_replies() == b""
    terminal.set_theme("#ffffff", "#000000", "#ffffff", "dark")
    assert terminal.take_replies() == b"\x1b[?997;1n"


def test_palette_answers_follow_the_theme_and_a_program_s_own_colours_stand_above_it() -> None:
    terminal = Emulator(24, 80)
    terminal.feed(b"\x1b]4;200;?\x07")
    usual = terminal.take_replies()
    terminal.set_theme("#000000", "#ffffff", "#000000", "light", palette=["#010203", "#040506"])
    terminal.feed(b"\x1b]4;0;?;1;?\x07\x1b]4;200;?\x07\x1b]4;1;#aabbcc\x07\x1b]4;1;?\x07")
    themed = b"\x1b]4;0;rgb:0101/0202/0303\x07\x1b]4;1;rgb:0404/0505/0606\x07"
    assert terminal.take_replies() == themed + usual + b"\x1b]4;1;rgb:aaaa/bbbb/cccc\x07"
    restored = b"".join(repaint(terminal.capture()))
    assert restored.count(b"\x1b]4;") == 1, "the theme is the client's own, only what the program set is restored"
    terminal.set_theme("#000000", "#ffffff", "#000000", "light")
    terminal.feed(b"\x1b]104\x07\x1b]4;1;?\x07")
    assert terminal.take_replies() == ANSWERS[b"\x1b]4;1;?\x07"]


@pytest.mark.parametrize("color", ["red", "#12", "#gggggg"])
def test_a_bad_colour_is_refused(color: str) -> None:
    with pytest.raises(ValueError, match=r"colour|base 16"):
        Emulator(24, 80).set_theme(color, "#000000", "#000000", "dark")


def test_events_hold_the_newest_of_each_kind() -> None:
    terminal = Emulator(24, 80)
    terminal.feed(b"\x07\x07\x1b]2;one\x07\x1b]0;two\x1b\\\x1b]7;file://host/tmp/%0aa%20b%2\x07\x1b]52;c;aGVsbG8=\x07")
    assert sorted(terminal.take_events()) == [
        ("bell", ""),
        ("clipboard", "hello"),
        ("directory", "/tmp/a b%2"),
        ("title", "two"),
    ]
    assert terminal.take_events() == []
    assert (terminal.title, terminal.directory) == ("two", "/tmp/a b%2")


def test_facts_about_the_screen() -> None:
    terminal = Emulator(24, 80)
    terminal.feed(b"\x1b[?1049h\x1b[?2004h\x1b[?25l\x1b[5;9H")
    assert terminal.alternate_screen and terminal.bracketed_paste
    assert terminal.cursor == (4, 8, False)
    assert (terminal.rows, terminal.cols) == (24, 80)


def test_a_resize_changes_grid_and_size_reports() -> None:
    terminal = Emulator(24, 80)
    terminal.resize(30, 100, 1000, 600)
    terminal.feed(b"\x1b[18t\x1b[14t\x1b[16t")
    assert terminal.take_replies() == b"\x1b[8;30;100t\x1b[4;600;1000t\x1b[6;20;10t"
    terminal.feed(b"\x1b[?2048h")
    terminal.take_replies()
    terminal.resize(20, 90)
    assert terminal.take_replies() == b"\x1b[48;20;90;320;720t"


def test_scrollback_keeps_about_the_lines_asked_for_at_any_width() -> None:
    terminal = Emulator(24, 40, scrollback_lines=1000)
    terminal.resize(24, 200)
    terminal.feed(b"".join(b"line %d\r\n" % number for number in range(5000)))
    lines = text(terminal.capture(), None).splitlines()
    assert 1000 <= len(lines) <= 2000
    assert lines[-2] == "line 4999"


@pytest.mark.parametrize("cols", [40, 80, 120, 250])
@pytest.mark.parametrize("wanted", [1000, 10_000])
def test_the_lines_asked_for_are_there_at_any_moment(cols: int, wanted: int) -> None:
    terminal = Emulator(24, cols, scrollback_lines=wanted)
    terminal.feed(b"\r\n" * (wanted + 3000))
    for _ in range(60):  # so that the oldest lines are given back somewhere in between
        terminal.feed(b"\r\n" * 41)
        kept = terminal.scrollback_bytes // (8 * cols)
        assert wanted <= kept <= wanted + 2500


def test_a_narrow_client_that_looks_in_costs_no_scrollback() -> None:
    terminal = Emulator(24, 120, scrollback_lines=1000)
    terminal.feed(b"".join(b"line %d\r\n" % number for number in range(5000)))
    before = text(terminal.capture(), None).splitlines()
    terminal.resize(24, 45)
    terminal.resize(24, 120)
    assert text(terminal.capture(), None).splitlines()[:10] == before[:10]


@pytest.mark.parametrize("cut", range(0, 14, 3))
def test_a_program_cannot_change_the_number_of_columns(cut: int) -> None:
    wish = b"\x1b[?40h\x1b[?3h"
    terminal = Emulator(24, 80)
    terminal.feed(b"kept" + wish[:cut])
    terminal.feed(wish[cut:] + b" whole")
    capture = terminal.capture()
    assert capture.snapshot.header.cols == terminal.cols == 80
    assert text(capture, None).rstrip() == "kept whole"  # the library would clear the screen


def test_bytes_mean_the_same_however_they_are_split() -> None:
    recording = next(found for found in recordings() if found.name.startswith("claude-main"))
    output = b"".join(event for event in recording.events if isinstance(event, bytes))[:60_000]
    whole, split = Emulator(24, 80), Emulator(24, 80)
    whole.feed(output)
    at, size = 0, 1
    while at < len(output):
        split.feed(output[at : at + size])
        at, size = at + size, size % 7 + 1
    assert differences(whole.capture(), split.capture()) == []
    assert whole.capture().tail == split.capture().tail
    assert whole.take_replies() == split.take_replies()


# A shrink without reflow halves the wide character in the last column.
HALVED = {
    "alternate screen": b"\x1b[?1049h" + WIDE,
    "primary screen": b"\x1b[?7l" + WIDE,
    "origin mode": b"\x1b[?1049h" + WIDE + b"\x1b[1;2r\x1b[?6h",
}
HIDDEN = b"shell$ \x1b[?47h\x1b[H" + WIDE + b"\x1b[?47l"


@pytest.mark.parametrize("unfinished", [b"", b"\x1b[3", b"\x1b]0;ti"])
@pytest.mark.parametrize("state", HALVED)
def test_a_halved_wide_character_is_repaired(state: str, unfinished: bytes) -> None:
    terminal = Emulator(3, 10)
    terminal.feed(HALVED[state])
    terminal.resize(3, 9)
    cursor = terminal.cursor
    terminal.feed(unfinished)
    with pytest.raises(binding.LibraryError):
        terminal._terminal.snapshot(0)  # the library's failure is real
    capture = terminal.capture()
    assert text(capture).startswith("漢字漢字\n")
    assert capture.snapshot.continuation == unfinished
    assert terminal.cursor == cursor
    assert (terminal.repairs, terminal.encode_failures) == (1, 0)
    assert differences(capture, copy_of(capture).capture()) == []


@pytest.mark.parametrize("unfinished", [b"", b"\x1b[3"])
def test_a_halved_character_on_the_hidden_screen_is_repaired_there(unfinished: bytes) -> None:
    terminal = Emulator(3, 10)
    terminal.feed(HIDDEN)
    terminal.resize(3, 9)
    terminal.feed(unfinished)
    with pytest.raises(binding.LibraryError):
        terminal._terminal.snapshot(0)
    capture = terminal.capture()
    assert text(capture) == "shell$\n\n\n"
    assert capture.snapshot.continuation == unfinished
    assert (terminal.repairs, terminal.encode_failures) == (1, 0)
    terminal.feed(b"m\x1b[?47h")
    assert text(terminal.capture()) == "漢字漢字\n\n\n"


@pytest.mark.parametrize("output", [*HALVED.values(), HIDDEN])
def test_within_a_character_the_formatter_stands_in_until_it_is_finished(output: bytes) -> None:
    terminal = Emulator(3, 10)
    terminal.feed(output)
    terminal.resize(3, 9)
    terminal.feed("漢".encode()[:2])
    assert terminal.capture().snapshot.continuation == "漢".encode()[:2]
    assert (terminal.repairs, terminal.encode_failures) == (0, 1)
    terminal.feed("漢".encode()[2:])
    terminal.capture()
    assert terminal.encode_failures == 1


def test_what_cannot_be_repaired_is_captured_by_the_formatter() -> None:
    terminal = Emulator(3, 10)
    terminal.feed(b"\x1b[?7l" + WIDE + b"\r\n\n\n\n\n\x1b[1mlast")
    terminal.resize(3, 9)  # the halved character is in the history, where nothing reaches it
    assert text(terminal.capture()) == "\n\nlast\n"
    assert (terminal.repairs, terminal.encode_failures) == (0, 1)


def test_a_sequence_beyond_the_bound_fails_the_capture_and_nothing_else() -> None:
    terminal = Emulator(3, 10)
    terminal.feed(b"abc\x1b]0;" + b"x" * (5 << 20))
    with pytest.raises(EmulatorError, match="no capture"):
        terminal.capture()
    terminal.feed(b"\x07d")
    assert text(terminal.capture()).startswith("abcd\n")


def test_a_frame_capture_shows_what_a_whole_one_shows() -> None:
    terminal = Emulator(24, 80)
    terminal.feed(b"".join(b"line %d\r\n" % number for number in range(5000)) + b"\x1b[?1049hfull screen")
    frame, whole = terminal.capture(frame_only=True), terminal.capture()
    assert text(frame) == text(whole)
    assert len(frame.data) < len(whole.data) / 4


def test_a_capture_of_an_endless_history_holds_its_newest_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulator, "_CAPTURE_HISTORY_BYTES", 100_000)
    terminal = Emulator(24, 80, scrollback_lines=20_000)
    terminal.feed(b"".join(b"line %d\r\n" % number for number in range(20_000)))
    capture = terminal.capture()
    lines = text(capture, None).splitlines()
    assert len(capture.data) < 200_000
    assert 1000 < len(lines) < 15_000
    assert lines[:-1] == [f"line {number}" for number in range(20_000 - len(lines) + 1, 20_000)]
    assert differences(capture, copy_of(capture).capture()) == []


def test_compressing_loses_nothing() -> None:
    terminal = Emulator(24, 120)
    terminal.feed(b"".join(b"line %d\r\n" % number for number in range(9000)))
    before = text(terminal.capture(), None)
    dirty_kb = private_kb()
    steps = 1
    while terminal.compress():
        steps += 1
    assert steps > 5
    assert private_kb() < dirty_kb - 1000
    assert text(terminal.capture(), None) == before
    while terminal.compress():
        continue
    assert private_kb() < dirty_kb - 1000


def private_kb() -> int:
    """Memory that this process shares with nobody."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))


def test_the_self_test_passes_here_and_fails_on_another_snapshot_format(monkeypatch: pytest.MonkeyPatch) -> None:
    self_test()
    monkeypatch.setattr(binding.Terminal, "snapshot", lambda _self, _history: b"GHOSTSNP\x02\x00")
    with pytest.raises(EmulatorError, match="does not work"):
        self_test()


def test_without_the_library_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise binding.LibraryError("pyghostty is not installed")

    monkeypatch.setattr(binding, "load", missing)
    with pytest.raises(EmulatorError, match="not installed"):
        Emulator(24, 80)
    assert emulator.SNAPSHOT_FORMAT == "vt1"
