"""Screens that a worker left behind."""

from __future__ import annotations

import pytest

from attn.bundle.records import ScreenRecord
from attn.daemon.sessions.kept import kept, no_screen, safe_tail
from attn.errors import AttnError

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
    for form in ("text", "cells", "joined", "html"):
        with pytest.raises(AttnError, match="only raw output"):
            kept(raw, form)


def test_a_tail_asks_no_questions() -> None:
    assert safe_tail(b"cut\r\none\x1b[6n two\x1b[c\r\n") == b"one two\r\n"


def test_nothing_clears_nothing() -> None:
    head = no_screen(24, 80, 9)
    assert (head["payload"], head["fidelity"], head["rows"], head["offset"]) == ("none", "none", 24, 9)
