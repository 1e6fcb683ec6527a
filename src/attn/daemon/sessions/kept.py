"""A screen that a worker left behind in its bundle, as the HEAD and bytes that a live worker would have sent. Pure."""

from __future__ import annotations

from typing import Any, Final

from attn.bundle.records import ScreenRecord
from attn.core import vtfilter
from attn.errors import AttnError

Json = dict[str, Any]

_NOTHING: Final[Json] = {
    "cursor": {"row": 0, "col": 0, "visible": True}, "alternate_screen": False, "payload": "none", "format": "",
    "fidelity": "none", "taken_at_ms": 0,
}  # fmt: skip


def no_screen(rows: int, cols: int, offset: int) -> Json:
    """HEAD of a payload that carries nothing and clears nothing."""
    return {**_NOTHING, "rows": rows, "cols": cols, "offset": offset}


def kept(screen: ScreenRecord, form: str) -> tuple[Json, bytes]:
    """HEAD and bytes in one of `ansi`, `cells`, `text`, `joined`. Raises AttnError `screen_unavailable`.

    A session without an emulator left the end of its raw output in place of a screen: that has no text and no cells.
    """
    whole = bool(screen.cells_json)
    if form == "html" or (form != "ansi" and not whole):
        what = "an html form" if whole else "a screen, only raw output"
        raise AttnError("screen_unavailable", f"what was kept has no {what}", "use --format ansi")
    cursor = {"row": screen.cursor_row, "col": screen.cursor_col, "visible": screen.cursor_visible}
    head: Json = {
        "rows": screen.rows, "cols": screen.cols, "cursor": cursor, "alternate_screen": screen.alternate_screen,
        "offset": screen.offset, "taken_at_ms": screen.taken_at_ms, "format": screen.format if whole else "",
        "payload": "snapshot" if whole else "tail", "fidelity": "screen" if whole else "tail",
    }  # fmt: skip
    if form == "cells":
        return {**head, "format": "cells"}, screen.cells_json.encode()
    if form in ("text", "joined"):
        return head, screen.text.encode()
    return head, screen.vt or safe_tail(screen.tail)


def safe_tail(tail: bytes) -> bytes:
    """The raw end of the output from a safe boundary on, without the questions in it."""
    return vtfilter.QueryFilter().feed(tail[vtfilter.safe_cut(tail) :])
