"""Screens that a worker left behind."""

from __future__ import annotations

import pytest

from attn.bundle.records import ScreenRecord
from attn.daemon.sessions.kept import kept, no_screen, safe_tail, understood
from attn.errors import AttnError
from attn.terminal.emulator import SNAPSHOT_FORMAT
from attn.wire.client_api import SNAPSHOT_FORMATS

SCREEN = ScreenRecord(
    rows=2, cols=9, cursor_row=1, cursor_col=3, cursor_visible=False, alternate_screen=True, offset=70, taken_at_ms=5,
    format="vt1", title="t", vt=b"\x1b[Hscreen", text="screen\n", cells_json='{"rows":2}', tail=b"raw",
    scrolled="older\nold\n", joined="older old\nscreen\n", html="<pre>",
)  # fmt: skip


def test_each_form_of_a_whole_screen() -> None:
    head, data = kept(SCREEN, "ansi")
    assert data == b"\x1b[Hscreen"
    assert (head["payload"], head["fidelity"], head["format"], head["offset"]) == ("snapshot", "screen", "vt1", 70)
    assert head["cursor"] == {"row": 1, "col": 3, "visible": False}
    assert kept(SCREEN, "text")[1] == b"older\nold\nscreen\n"
    assert kept(SCREEN, "text", 1)[1] == b"old\nscreen\n"
    assert kept(SCREEN, "text", 0)[1] == b"screen\n"
    assert kept(SCREEN, "joined")[1] == b"older old\nscreen\n"
    assert kept(SCREEN, "html")[1] == b"<pre>"
    assert kept(SCREEN, "cells")[1] == b'{"rows":2}'


def test_raw_output_is_called_a_tail_and_nothing_else() -> None:
    raw = SCREEN._replace(vt=b"raw end", cells_json="", text="")
    head, data = kept(raw, "ansi")
    assert (head["payload"], head["fidelity"], data) == ("tail", "tail", b"raw end")
    for form in ("cells", "html"):
        with pytest.raises(AttnError, match="only raw output"):
            kept(raw, form)


def test_raw_output_has_a_text() -> None:
    raw = SCREEN._replace(vt=b"one\r\n\x1b[1mtwo\x1b[m\r\nthree\r\n", cells_json="", text="")
    assert kept(raw, "text", 0)[1] == b"two\nthree\n"
    assert kept(raw, "joined")[1] == kept(raw, "text", None)[1] == b"one\ntwo\nthree\n"
    assert kept(raw, "text", 0)[0]["fidelity"] == "tail"


def test_a_format_that_nobody_paints_is_no_screen() -> None:
    head, _ = kept(SCREEN, "ansi")
    assert understood(head) is head
    strange = understood({**head, "format": "vt9"})
    assert (strange["payload"], strange["fidelity"], strange["offset"]) == ("none", "none", 70)
    tail, _ = kept(SCREEN._replace(cells_json=""), "ansi")
    assert understood(tail) is tail
    assert SNAPSHOT_FORMAT in SNAPSHOT_FORMATS


def test_a_tail_asks_no_questions() -> None:
    assert safe_tail(b"cut\r\none\x1b[6n two\x1b[c\r\n") == b"one two\r\n"


def test_nothing_clears_nothing() -> None:
    head = no_screen(24, 80, 9)
    assert (head["payload"], head["fidelity"], head["rows"], head["offset"]) == ("none", "none", 24, 9)
