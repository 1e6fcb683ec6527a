"""The worker's terminal as `page_emulator.mjs` tells the page's, as far as the page has such a state.

What no eye can see is left out on both sides: colours of blanks without a background, trailing blanks, a soft wrap of
the top row, whose beginning is gone.
"""

from __future__ import annotations

from typing import Any

from attn.terminal.snapshot.pages import EMPTY, HEAD, PLAIN_STYLE, TAIL, Line, Link, Look
from attn.terminal.snapshot.records import ALTERNATE, PRIMARY, Screen, Snapshot

State = dict[str, Any]

_MOUSE_EVENTS = ("NONE", "X10", "VT200", "DRAG", "ANY")
_MOUSE_FORMATS = ("DEFAULT", "DEFAULT", "SGR", "DEFAULT", "SGR_PIXELS")
_CHARSETS = ("B", "B", "A", "0")
# Bold, italic, faint, blink, inverse, invisible, strike, overline: in the order of the style's bits.
_FLAGS = "btdkihso"
_SEEN_WITH_TEXT = "btdkh"
_SEEN_ALWAYS = "iso"


def worker_state(snapshot: Snapshot) -> State:
    """The worker's state as `page_emulator.mjs` tells its own, as far as the page has such a state."""
    header, screen = snapshot.header, snapshot.active
    charset = screen.header.charset
    screens = {"primary": _screen(snapshot, snapshot.screens[PRIMARY])}
    if header.active_screen == ALTERNATE:
        screens["alternate"] = _screen(snapshot, screen)
    return {
        "alternate": header.active_screen == ALTERNATE,
        "screens": screens,
        "modes": {
            "applicationCursorKeys": snapshot.mode(1),
            "applicationKeypad": snapshot.mode(66),
            "bracketedPasteMode": snapshot.mode(2004),
            "origin": snapshot.mode(6),
            "reverseWraparound": snapshot.mode(45),
            "sendFocus": snapshot.mode(1004),
            "wraparound": snapshot.mode(7),
            "insertMode": snapshot.mode(4, ansi=True),
            "lnm": snapshot.mode(20, ansi=True),
        },
        "mouse": f"{_MOUSE_EVENTS[header.mouse_event]}/{_MOUSE_FORMATS[header.mouse_format]}",
        "pen": [style(screen.header.pen, False, screen.protected), _uri(screen.link)],
        "charset": [charset >> 8 & 3, *(_CHARSETS[charset >> 2 * slot & 3] for slot in range(4))],
        "cursorHidden": not snapshot.mode(25),
        "title": snapshot.title.decode("utf-8", "replace"),
    }


def _screen(snapshot: Snapshot, screen: Screen) -> State:
    header = snapshot.header
    rows, wraps = [], []
    for opened, row in screen.rows():
        rows.append(_row(opened.line(row)))
        wraps.append(row.wraps)
    shown = screen is snapshot.active
    return {
        "rows": rows,
        "wrapped": wraps[:-1],
        "cursor": [screen.header.row, screen.header.col + screen.pending_wrap] if shown else None,
        "margins": [header.margin_top, header.margin_bottom] if shown else None,
        "tabs": [col for col in snapshot.tab_stops if 0 < col < header.cols - 1],
        "saved": _saved(screen),
    }


def _saved(screen: Screen) -> list[object]:
    saved = screen.saved_cursor
    if saved is None:
        return [0, 0, "///"]
    kept = style(saved.pen, False, saved.protected).rpartition("/")[0] + "/"  # xterm.js does not save the underline
    return [saved.row, saved.col + saved.pending_wrap, kept]


def _row(line: Line) -> list[list[str]]:
    runs: list[list[str]] = []
    begin = 0
    for end, look in line.spans:
        for col in range(begin, end):
            run = _cell(line, col, look)
            if run[0] == TAIL and runs[-1][0][-1:] == " ":  # a wide blank
                runs[-1][0] = f"{runs[-1][0][:-1]}\u3000"
            if runs and runs[-1][1:] == run[1:]:
                runs[-1][0] += run[0]
            else:
                runs.append(run)
        begin = end
    if runs and runs[-1][1:] == ["///", ""]:
        runs[-1][0] = runs[-1][0].rstrip(" ")
        if not runs[-1][0]:
            runs.pop()
    return runs


def _cell(line: Line, col: int, look: Look) -> list[str]:
    # xterm.js never stores U+FEFF, which nobody sees, and has no character for DEL.
    char = line.clusters.get(col, line.text[col]).replace("\ufeff", "")
    blank = char in (EMPTY, HEAD, " ", "\x7f")
    wide = line.text[col + 1 : col + 2] == TAIL
    shown = style(PLAIN_STYLE if char == HEAD else look.style, blank and not wide, look.protected)
    return [" " if blank else char, shown, _uri(look.link)]


def _uri(link: Link | None) -> str:
    return link.uri.decode("utf-8", "replace") if link else ""


def _color(kind: int, value: bytes) -> str:
    return "" if kind == 0 else str(value[0]) if kind == 1 else f"#{value.hex()}"


def style(raw: bytes, blank: bool, protected: bool) -> str:
    """A style as `page_emulator.mjs` writes it, `foreground/background/flags/underline`, without what a blank hides."""
    bits = raw[12] | raw[13] << 8
    has = {flag for bit, flag in enumerate(_FLAGS) if bits >> bit & 1}
    flags = "" if blank else "".join(flag for flag in _SEEN_WITH_TEXT if flag in has) + ("p" if protected else "")
    flags += "".join(flag for flag in _SEEN_ALWAYS if flag in has)
    kind = bits >> 8 & 7
    underline = f"{kind}:{_color(raw[8], raw[9:12])}" if kind else ""
    shows = not blank or underline or has & set(_SEEN_ALWAYS)
    foreground = _color(raw[0], raw[1:4]) if shows else ""
    return f"{foreground}/{_color(raw[4], raw[5:8])}/{flags}/{underline}"
