"""One session's screen, and its keeping."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from attn.bundle.records import ScreenRecord
from attn.terminal.emulator import Emulator, EmulatorError
from attn.worker import screen as screen_module
from attn.worker.host import SliceFailed
from attn.worker.ring import Ring
from attn.worker.screen import NoScreen, Screen
from tests.worker.screens import Session, payload


@pytest.fixture(autouse=True)
def notes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(screen_module, "note", lines.append)
    return lines


def shown(data: bytes, rows: int = 5, cols: int = 20) -> str:
    """What a fresh terminal shows of `data`."""
    session = Session(rows=rows, cols=cols)
    session.write(data)
    return payload(session.screen.show("text", 0, 0)).decode()


def record(screen: Screen, at_ms: int = 9) -> ScreenRecord:
    steps = screen.record(at_ms)
    while True:
        try:
            next(steps)
        except StopIteration as made:
            kept: ScreenRecord = made.value
            return kept


# -- with an emulator ------------------------------------------------------------------------------------------------


def test_a_blank_emulator_gets_the_size_of_its_session() -> None:
    screen = Screen(Ring(), 5, 20, 1000, Emulator(40, 120))
    screen.feed(b"\x1b[18t")
    assert screen.emulator is not None
    assert (screen.emulator.rows, screen.emulator.cols) == (5, 20)


def test_a_snapshot_rebuilds_the_screen_at_its_offset() -> None:
    session = Session()
    session.write(b"one\r\n\x1b[31mtwo\x1b[2;3H")
    bulk = session.screen.snapshot(None, None, 77)
    assert bulk[0] == {
        "payload": "snapshot", "format": "vt1", "fidelity": "screen", "rows": 5, "cols": 20,
        "cursor": {"row": 1, "col": 2, "visible": True}, "alternate_screen": False, "offset": session.ring.end,
        "taken_at_ms": 77, "total_bytes": None,
    }  # fmt: skip
    session.write(b"later output is not in it")
    assert shown(payload(bulk)) == "one\ntwo\n\n\n\n"


def test_bytes_that_are_still_in_the_ring_are_sent_as_they_are() -> None:
    session = Session()
    session.write(b"0123456789")
    head, _ = bulk = session.screen.snapshot(4, None, 0)
    assert (head["payload"], head["offset"], head["total_bytes"]) == ("delta", 10, 6)
    assert payload(bulk) == b"456789"
    assert payload(session.screen.snapshot(10, None, 0)) == b""
    assert session.screen.snapshot(11, None, 0)[0]["payload"] == "snapshot"


def test_bytes_from_before_a_resize_are_not_replayed_after_it() -> None:
    session = Session()
    session.write(b"0123456789")
    session.screen.resize(6, 30, 0, 0)
    session.write(b"ab")
    head = session.screen.snapshot(10, None, 0)[0]
    assert (head["payload"], head["rows"], head["cols"]) == ("snapshot", 6, 30)
    assert session.screen.snapshot(11, None, 0)[0]["payload"] == "delta"


def test_every_format_is_served() -> None:
    session = Session()
    session.write(b"".join(b"line %d\r\n" % number for number in range(8)) + b"x" * 30)
    formats = {form: payload(session.screen.show(form, 0, 0)).decode() for form in screen_module.FORMATS}
    assert formats["text"] == "line 5\nline 6\nline 7\n" + "x" * 20 + "\n" + "x" * 10 + "\n"
    assert "x" * 30 in formats["joined"]
    assert json.loads(formats["cells"])["cols"] == 20
    assert "x" * 20 in formats["html"]
    assert formats["ansi"] == payload(session.screen.snapshot(None, 0, 0)).decode()
    assert payload(session.screen.show("text", 2, 0)).count(b"\n") == 7
    assert payload(session.screen.show("text", None, 0)).startswith(b"line 0\n")


def test_queries_are_answered_and_events_told() -> None:
    replies, events = Session().write(b"\x1b[6n\x1b]2;a title\x07\x1b]7;file://h/tmp\x07\x07")
    assert replies == b"\x1b[1;1R"
    assert sorted(events) == [("bell", ""), ("directory", "/tmp"), ("title", "a title")]


def test_a_failing_capture_is_counted_and_the_tail_serves_meanwhile(
    monkeypatch: pytest.MonkeyPatch, notes: list[str]
) -> None:
    session = Session()
    session.write(b"hello")

    def refuse(self: Emulator, *, frame_only: bool = False) -> None:
        raise EmulatorError("no capture")

    with monkeypatch.context() as broken:
        broken.setattr(Emulator, "capture", refuse)
        head, _ = bulk = session.screen.snapshot(None, None, 0)
        assert (head["payload"], head["fidelity"], payload(bulk)) == ("tail", "tail", b"hello")
        with pytest.raises(NoScreen):
            session.screen.show("cells", 0, 0)
        assert record(session.screen).vt == b"hello"
    assert session.screen.snapshot(None, None, 0)[0]["payload"] == "snapshot"
    assert session.screen.failures == 3 == len(notes)


def test_a_fault_in_painting_costs_the_emulator_not_the_session(
    monkeypatch: pytest.MonkeyPatch, notes: list[str]
) -> None:
    session = Session()
    session.write(b"hello")

    def broken(capture: object, history: object = None) -> Iterator[bytes]:
        yield b"half"
        raise IndexError("a fault")

    monkeypatch.setattr(screen_module, "repaint", broken)
    with pytest.raises(SliceFailed):
        payload(session.screen.snapshot(None, None, 0))
    assert session.screen.fidelity == "tail"
    assert payload(session.screen.snapshot(None, None, 0)) == b"hello"
    assert "a fault" in notes[0]


def test_a_fault_in_what_is_kept_costs_that_only(monkeypatch: pytest.MonkeyPatch, notes: list[str]) -> None:
    session = Session()
    session.write(b"hello")

    def broken(capture: object, history: object = None) -> str:
        raise IndexError("a fault")

    monkeypatch.setitem(screen_module._FORMATS, "cells", broken)
    kept = record(session.screen)
    assert (kept.vt, kept.cells_json) == (b"hello", "")
    assert "a fault" in notes[0]


# -- without one -----------------------------------------------------------------------------------------------------


def test_without_an_emulator_the_tail_serves_without_its_queries() -> None:
    session = Session(emulator=False)
    assert session.write(b"\x1b[31mred\x1b[6n\x1b[c\x1b[0m\r\n") == (b"", [])
    head, _ = bulk = session.screen.snapshot(None, None, 0)
    assert (head["payload"], head["fidelity"], head["offset"]) == ("tail", "tail", session.ring.end)
    assert payload(bulk) == b"\x1b[31mred\x1b[0m\r\n"
    assert payload(session.screen.snapshot(5, None, 0)) == b"red\x1b[6n\x1b[c\x1b[0m\r\n"
    with pytest.raises(NoScreen):
        session.screen.show("cells", 0, 0)
    assert payload(session.screen.show("text", 0, 0)) == payload(session.screen.show("joined", None, 0)) == b"red\n"
    kept = record(session.screen)
    assert (kept.vt, kept.text, kept.cells_json) == (b"\x1b[31mred\x1b[0m\r\n", "", "")


def test_a_long_tail_begins_at_a_safe_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screen_module, "TAIL_BYTES", 100)
    session = Session(emulator=False)
    session.write(b"start\r\n" + b"\x1b[38;2;10;20;30m" + "漢".encode() * 40 + b"\r\nlast line")
    tail = payload(session.screen.snapshot(None, None, 0))
    assert len(tail) < 100
    tail.decode()
    assert tail.endswith(b"last line")


def test_a_paste_without_an_emulator_follows_the_last_switch() -> None:
    session = Session(emulator=False)
    assert session.screen.paste("a") == b"a"
    session.write(b"\x1b[?2004h$ ")
    assert session.screen.paste("a") == b"\x1b[200~a\x1b[201~"
    session.write(b"\x1b[?2004l")
    assert session.screen.paste("a") == b"a"


# -- what is kept ----------------------------------------------------------------------------------------------------


def test_keys_are_encoded_without_an_emulator_by_what_recent_output_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session(emulator=False)
    escape = {"action": "press", "key": "Escape", "code": "Escape", "text": "", "mods": 0}
    assert session.screen.encode_keys([escape]) == b"\x1b"
    session.write(b"\x1b[>7u")
    assert session.screen.encode_keys([escape]) == b"\x1b[27u"
    with pytest.raises(ValueError, match="not a key event"):
        session.screen.encode_keys([{"action": "fly"}])

    def missing(*_: object, **__: object) -> None:
        raise EmulatorError("no library")

    monkeypatch.setattr(screen_module, "Emulator", missing)
    with pytest.raises(NoScreen):
        session.screen.encode_keys([escape])


def test_a_record_holds_the_screen_in_every_form() -> None:
    session = Session()
    session.write(b"\x1b]2;t\x07one\r\n\x1b[1mtwo")
    kept = record(session.screen, 5)
    assert (kept.rows, kept.cols, kept.cursor_row, kept.cursor_col, kept.cursor_visible) == (5, 20, 1, 3, True)
    assert (kept.offset, kept.taken_at_ms, kept.format, kept.title) == (session.ring.end, 5, "vt1", "t")
    assert kept.tail == session.ring.since(0)
    assert kept.text == "one\ntwo\n\n\n\n" == shown(kept.vt)
    assert json.loads(kept.cells_json)["rows"] == 5
    assert kept.html.startswith("<pre") and "two" in kept.html


def test_a_record_holds_what_scrolled_away() -> None:
    session = Session()
    session.write(b"".join(b"%d\r\n" % number for number in range(20)) + b"x" * 30)
    kept = record(session.screen, 5)
    assert kept.scrolled.startswith("0\n1\n2\n") and kept.text == "17\n18\n19\n" + "x" * 20 + "\n" + "x" * 10 + "\n"
    assert kept.joined.endswith("19\n" + "x" * 30 + "\n")


@pytest.mark.parametrize("form", ["text", "joined", "cells", "html"])
@pytest.mark.parametrize("line", [b"\r\n", b"plain text of some length\r\n", b"\x1b[3%dmx\x1b[my" * 30 + b"\r\n"])
def test_a_long_history_is_written_out_in_small_slices_in_every_form(form: str, line: bytes) -> None:
    session = Session(rows=24, cols=80)
    session.screen = Screen(session.ring, 24, 80, 5000, emulator=True)
    session.write(line.replace(b"%d", b"1") * 4000)
    _head, slices = session.screen.show(form, None, 0)
    sizes = [len(part) for part in slices]
    assert len(sizes) > 10
    assert max(sizes) < 64 << 10


@pytest.mark.parametrize("before", [b"", b"\x1b[?1049h"])
def test_scrollback_is_cut_from_the_oldest_line_and_may_grow_again(before: bytes) -> None:
    session = Session(rows=24, cols=80)
    session.screen = Screen(session.ring, 24, 80, 5000, emulator=True)
    session.write(b"".join(b"line %d\r\n" % number for number in range(4000)) + before)
    whole = session.screen.scrollback_bytes
    assert whole == pytest.approx(4000 * 80 * 8, rel=0.01)
    session.screen.cut_scrollback(whole // 4)
    assert whole // 8 < session.screen.scrollback_bytes < whole // 2  # the library drops whole pages
    session.screen.cut_scrollback(whole)
    assert session.screen.cuts == 1
    session.write(b"\x1b[?1049l" + b"".join(b"line %d\r\n" % number for number in range(4000, 7000)))
    lines = payload(session.screen.show("text", None, 0)).decode().split("\n")
    assert len(lines) > 3500
    assert lines[-3] == "line 6999"
    session.screen.cut_scrollback(0)
    assert session.screen.scrollback_bytes < 200_000
