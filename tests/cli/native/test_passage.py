"""What reaches the terminal: judged by an emulator that stands for it."""

from __future__ import annotations

import json

import pytest

from attn.cli.link import Frame
from attn.cli.native.passage import Passage
from attn.errors import AttnError
from attn.terminal.cells import cells, text
from attn.terminal.emulator import Emulator
from attn.wire import client_api
from attn.wire.client_events import AttachResult
from attn.wire.client_views import Cursor, Fidelity, Payload

SIZE = (6, 20)
SHELL = b"$ ls\r\nfile\r\n$ attn attach x"


def result(
    payload: Payload = "snapshot",
    offset: int = 10,
    handle: int = 1,
    *,
    size: tuple[int, int] = SIZE,
    format_: str = "vt1",
    fidelity: Fidelity = "screen",
) -> AttachResult:
    return AttachResult(
        id=1,
        handle=handle,
        session="s",
        screen_rows=size[0],
        screen_cols=size[1],
        cursor=Cursor(row=0, col=0, visible=True),
        alternate_screen=False,
        offset=offset,
        payload=payload,
        format=format_,
        fidelity=fidelity,
        source="live",
        taken_at_ms=0,
        running=True,
    )


def snapshot(data: bytes, *, last: bool = True) -> Frame:
    return Frame(client_api.SNAPSHOT_END if last else client_api.SNAPSHOT, 1, 10, data)


def output(offset: int, data: bytes) -> Frame:
    return Frame(client_api.OUTPUT, 1, offset, data)


@pytest.fixture
def terminal() -> Emulator:
    emulator = Emulator(*SIZE)
    emulator.feed(SHELL)
    return emulator


@pytest.fixture
def passage(terminal: Emulator) -> Passage:
    """One that shows `hello` at offset 10."""
    passage = Passage(SIZE)
    terminal.feed(passage.enter() + passage.begin(result()) + passage.frame(snapshot(b"hello"))[0])
    return passage


def lines(terminal: Emulator, history: int | None = 0) -> list[str]:
    return text(terminal.capture(), history).rstrip("\n").splitlines()


def test_what_was_visible_is_in_the_scrollback_without_gaps(terminal: Emulator, passage: Passage) -> None:
    assert lines(terminal, None) == ["$ ls", "file", "$ attn attach x", "hello"]
    assert lines(terminal) == ["hello"]
    assert terminal.cursor == (0, 5, True)


def test_output_follows_and_overlap_is_skipped(terminal: Emulator, passage: Passage) -> None:
    for frame in (output(6, b"ello"), output(8, b"lo, wor"), output(15, b"ld")):
        shown, acknowledged = passage.frame(frame)
        assert acknowledged == frame.offset + len(frame.data)
        terminal.feed(shown)
    assert lines(terminal) == ["hello, world"]
    assert passage.offset == 17


def test_missing_output_is_noticed(passage: Passage) -> None:
    with pytest.raises(AttnError, match="from 10 to 12 is missing"):
        passage.frame(output(12, b"x"))


def test_a_snapshot_is_acknowledged_with_its_last_part(passage: Passage) -> None:
    passage.begin(result(offset=99))
    assert passage.frame(snapshot(b"a", last=False)) == (b"a", None)
    assert passage.offset is None
    assert passage.frame(snapshot(b"b")) == (b"b", 99)
    assert passage.offset == 99


def test_a_second_snapshot_replaces_screen_and_modes_and_adds_no_history(terminal: Emulator, passage: Passage) -> None:
    terminal.feed(passage.frame(output(10, b"\x1b[?1049h\x1b[?1h\x1b[3;4r\x1b[31mfull screen"))[0])
    before = cells(terminal.capture(), None)["history"]
    terminal.feed(passage.begin(result(offset=50)) + passage.frame(snapshot(b"again"))[0])
    assert lines(terminal) == ["again"]
    assert not terminal.alternate_screen
    assert cells(terminal.capture(), None)["history"] == before
    assert cells(terminal.capture())["lines"][0]["runs"] == [{"text": "again", "cols": 5}]  # type: ignore[index]


def test_a_delta_continues_from_what_is_shown(terminal: Emulator, passage: Passage) -> None:
    terminal.feed(passage.frame(output(10, b" you"))[0])
    shown = passage.begin(result("delta", offset=20, handle=2), since=10)
    assert shown == b""
    assert passage.frame(Frame(client_api.SNAPSHOT, 2, 20, b" you a")) == (b" a", None)
    assert passage.frame(Frame(client_api.SNAPSHOT_END, 2, 20, b"ll!!")) == (b"ll!!", 20)
    assert passage.offset == 20


def test_no_payload_clears_nothing(passage: Passage) -> None:
    assert passage.begin(result("none", offset=30)) == b""
    assert passage.frame(snapshot(b"")) == (b"", 30)


def test_a_format_from_another_build_changes_nothing_and_the_output_goes_on(
    terminal: Emulator, passage: Passage
) -> None:
    assert passage.begin(result(offset=50, format_="vt9")) == b""
    assert passage.frame(snapshot(b"\x1b[2Jwhat is this", last=False)) == (b"", None)
    assert passage.frame(snapshot(b"", last=True)) == (b"", 50)
    terminal.feed(passage.frame(output(50, b" goes on"))[0])
    assert lines(terminal)[0] == "hello goes on"


def test_raw_output_passes_whatever_the_size(passage: Passage) -> None:
    passage.begin(result("tail", size=(30, 100), fidelity="tail"))
    assert passage.passing and passage.fits
    assert passage.frame(snapshot(b"the end"))[0] == b"the end"


def test_the_terminal_is_waited_for_until_it_answered_the_last_question(passage: Passage) -> None:
    assert passage.answers_due
    passage.heard(b"\x1b]11;rgb:00/00/00\x07")
    assert passage.answers_due
    passage.heard(b"\x1b[?62;22c")
    assert not passage.answers_due


def test_questions_are_left_out(passage: Passage) -> None:
    assert passage.frame(output(10, b"a\x1b[c\x1b[6n\x1b]11;?\x07b"))[0] == b"ab"


def test_leaving_resets_the_modes_and_goes_below_the_last_row(terminal: Emulator, passage: Passage) -> None:
    terminal.feed(
        passage.frame(output(10, b"\x1b[?1049h\x1b[?2004h\x1b[?25l\x1b[>1u\x1b[2;3r\x1b[44mTUI\x1b[c\x1b[1"))[0]
    )
    terminal.feed(passage.leave())
    assert not terminal.alternate_screen
    assert not terminal.bracketed_paste
    assert not terminal.key_events_wanted
    assert terminal.cursor == (SIZE[0] - 1, 0, True)
    assert lines(terminal, None)[-1] == "hello"
    terminal.feed(b"plain")
    assert cells(terminal.capture())["lines"][-1]["runs"] == [{"text": "plain", "cols": 5}]  # type: ignore[index]


def test_a_session_of_another_size_does_not_pass(passage: Passage) -> None:
    passage.begin(result(size=(6, 30), offset=40))
    assert not passage.passing
    assert passage.frame(snapshot(b"wide")) == (b"", 10 + 30)
    assert passage.frame(output(40, b"more")) == (b"", 44)
    assert passage.offset is None


def test_frames_are_painted_until_the_stream_passes_again(terminal: Emulator, passage: Passage) -> None:
    other = Emulator(6, 30)
    other.feed(b"\x1b[?25lpicture of another size")
    picture = json.dumps(cells(other.capture())).encode()
    terminal.feed(passage.begin(result(size=(6, 30))) + passage.paint(picture))
    assert lines(terminal) == ["picture of another s"]
    terminal.feed(passage.begin(result(offset=60)) + passage.frame(snapshot(b"own"))[0])
    assert passage.paint(picture) == b""
    assert lines(terminal) == ["own"]
    assert terminal.cursor == (0, 3, True)


@pytest.mark.parametrize("allowed", [True, False])
def test_the_clipboard_is_written_only_where_the_settings_allow_it(allowed: bool) -> None:
    passage = Passage(SIZE, clipboard=allowed)
    passage.begin(result())
    passage.frame(snapshot(b""))
    shown, _ = passage.frame(output(10, b"\x1b]52;c;aGk=\x07"))
    assert (b"]52;" in shown) is allowed
