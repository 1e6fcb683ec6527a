"""The binary snapshot's records."""

from __future__ import annotations

import pytest

from attn.terminal.emulator import Emulator
from attn.terminal.snapshot.records import ALTERNATE, PRIMARY, SnapshotError, parse


def snapshot_bytes(output: bytes) -> bytes:
    terminal = Emulator(6, 20)
    terminal.feed(output)
    return terminal.capture().data


def test_the_terminal_record() -> None:
    snapshot = parse(
        snapshot_bytes(
            b"\x1b]2;t\x07\x1b]7;file:///d\x07\x1b]4;1;#010203\x07\x1b[2;5r\x1b[?2004h\x1b[3g\x1b[5G\x1bH\x1b[1;"
        )
    )
    header = snapshot.header
    assert (header.rows, header.cols, header.margin_top, header.margin_bottom) == (6, 20, 1, 4)
    assert (snapshot.title, snapshot.directory) == (b"t", b"file:///d")
    assert snapshot.palette_overrides == {1: b"\x01\x02\x03"}
    assert snapshot.tab_stops == [4]
    assert snapshot.mode(2004) and snapshot.changed_mode(2004)
    assert snapshot.mode(7) and not snapshot.changed_mode(7)
    assert snapshot.continuation == b"\x1b[1;"
    assert len(snapshot.palette) == 3 * 256


def test_the_screen_records() -> None:
    snapshot = parse(snapshot_bytes(b"\x1b[2;3H\x1b[1m\x1b7\x1b[?1049h\x1b[4;5H\x1b]8;;http://a/\x07" + b"x" * 16))
    primary, alternate = snapshot.screens[PRIMARY], snapshot.screens[ALTERNATE]
    assert snapshot.active is alternate
    assert primary.saved_cursor is not None
    assert (primary.saved_cursor.row, primary.saved_cursor.col) == (1, 2)
    assert not (primary.saved_cursor.pending_wrap or primary.saved_cursor.origin or primary.saved_cursor.protected)
    assert (alternate.header.row, alternate.header.col, alternate.pending_wrap) == (3, 19, True)
    assert alternate.link is not None and alternate.link.uri == b"http://a/"
    assert alternate.row_count == 6


def test_history_comes_before_the_screen_oldest_first() -> None:
    screen = parse(snapshot_bytes(b"".join(b"%d\r\n" % number for number in range(2000)))).screens[PRIMARY]
    lines = [page.text(row) for page, row in screen.rows()]
    assert lines[0] == "0"
    assert lines == [str(number) for number in range(2000)] + [""]
    assert [page.text(row) for page, row in screen.rows(3)] == ["1998", "1999", ""]


def test_mode_numbers_stand_for_their_bits() -> None:
    for number in (1, 6, 25, 45, 66, 1000, 1006, 1049, 2004, 2026, 2031, 2048):
        on, off = (parse(snapshot_bytes(b"\x1b[?%d%s" % (number, end))).mode(number) for end in (b"h", b"l"))
        assert (on, off) == (True, False), number
    assert parse(snapshot_bytes(b"\x1b[4h\x1b[20h")).mode(20, ansi=True)


@pytest.mark.parametrize("damage", [b"", b"GHOSTSNP\x02\x00", b"GHOSTSNP\x01\x00"])
def test_other_bytes_are_refused(damage: bytes) -> None:
    with pytest.raises(SnapshotError):
        parse(damage)


def test_a_snapshot_cut_anywhere_is_refused_or_whole_enough_to_read() -> None:
    data = snapshot_bytes(b"hello\x1b[31m world\x1b[?1049hx")
    for size in range(0, len(data), 7):
        try:
            snapshot = parse(data[:size])
        except SnapshotError:
            continue
        assert snapshot.active.row_count >= 0


def test_a_capture_parses_once() -> None:
    terminal = Emulator(6, 20)
    capture = terminal.capture()
    assert capture.snapshot is capture.snapshot
