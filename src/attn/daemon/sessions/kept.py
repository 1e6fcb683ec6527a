"""A screen that a worker left behind in its bundle, as the HEAD and bytes that a live worker would have sent. Pure."""

from __future__ import annotations

from typing import Any, Final

from attn.bundle.records import ScreenRecord
from attn.core import vtfilter
from attn.errors import AttnError
from attn.wire.client_api import SNAPSHOT_FORMATS

Json = dict[str, Any]

_NOTHING: Final[Json] = {
    "cursor": {"row": 0, "col": 0, "visible": True}, "alternate_screen": False, "payload": "none", "format": "",
    "fidelity": "none", "taken_at_ms": 0,
}  # fmt: skip


def no_screen(rows: int, cols: int, offset: int) -> Json:
    """HEAD of a payload that carries nothing and clears nothing."""
    return {**_NOTHING, "rows": rows, "cols": cols, "offset": offset}


def understood(head: Json) -> Json:
    """`head`, or where the payload it announces is in a format that no client of this build paints: no screen."""
    if head["payload"] != "snapshot" or head["format"] in SNAPSHOT_FORMATS:
        return head
    return {**head, "payload": "none", "fidelity": "none"}


def kept(screen: ScreenRecord, form: str, history: int | None = None) -> tuple[Json, bytes]:
    """HEAD and bytes in one of `ansi`, `cells`, `html`, `text`, `joined`. Raises AttnError `screen_unavailable`.

    `history` lines of scrollback (None: all that was kept) stand above a `text`; the other forms have what was kept.
    A session without an emulator left the end of its raw output in place of a screen: that has a text, but no cells.
    """
    whole = bool(screen.cells_json)
    if form in ("cells", "html") and not whole:
        raise AttnError(
            "screen_unavailable", "what was kept is no screen, only raw output", "use --format text or ansi"
        )
    cursor = {"row": screen.cursor_row, "col": screen.cursor_col, "visible": screen.cursor_visible}
    head: Json = {
        "rows": screen.rows, "cols": screen.cols, "cursor": cursor, "alternate_screen": screen.alternate_screen,
        "offset": screen.offset, "taken_at_ms": screen.taken_at_ms, "format": screen.format if whole else "",
        "payload": "snapshot" if whole else "tail", "fidelity": "screen" if whole else "tail",
    }  # fmt: skip
    if form == "ansi":
        return head, screen.vt or safe_tail(screen.tail)
    if not whole:
        text = vtfilter.plain_text(screen.vt or safe_tail(screen.tail))
        return head, vtfilter.last_lines(text, screen.rows if form == "text" else None, history).encode()
    if form == "text":
        above = screen.scrolled.split("\n")[:-1]
        skipped = 0 if history is None else max(0, len(above) - history)
        return head, "".join([*(f"{line}\n" for line in above[skipped:]), screen.text]).encode()
    content = {"cells": screen.cells_json, "html": screen.html, "joined": screen.joined}[form]
    return {**head, "format": "cells"} if form == "cells" else head, content.encode()


def safe_tail(tail: bytes) -> bytes:
    """The raw end of the output from a safe boundary on, without the questions in it."""
    return vtfilter.QueryFilter().feed(tail[vtfilter.safe_cut(tail) :])
