"""A captured terminal for programs and people without one: as text, as cells with their styles, as HTML.

Each form also comes in pieces, one a row, since writing out a long history takes longer than a session may pause.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from attn.terminal.snapshot.pages import EMPTY, HEAD, PLAIN_STYLE, TAIL, WIDE_SPACE, Link, Look, OpenPage, Row, base_of
from attn.terminal.snapshot.records import PRIMARY, Capture, Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator

_ATTRIBUTES: Final = ("bold", "italic", "faint", "blink", "inverse", "invisible", "strike", "overline")
_UNDERLINES: Final = ("", "single", "double", "curly", "dotted", "dashed")
_DEFAULT_COLORS: Final = ("#d4d4d4", "#1e1e1e")
_CSS: Final = {
    "bold": "font-weight:bold",
    "italic": "font-style:italic",
    "faint": "opacity:.6",
    "invisible": "visibility:hidden",
}
_WIDE_BLANK: Final = re.compile(f"[ {EMPTY}]{TAIL}")
_BLANK: Final = re.compile(f"[{EMPTY}{HEAD}]")
_SAFE_LINK: Final = re.compile(r"(?:https?|file)://[^\s\x00-\x1f]+\Z")


def text(capture: Capture, history: int | None = 0) -> str:
    """What stands on the screen: rows trimmed on the right, one LF after each.

    history: lines of scrollback above it, None for all. Raises SnapshotError for a damaged capture, as all here do.
    """
    return "".join(text_pieces(capture, history))


def text_pieces(capture: Capture, history: int | None) -> Iterator[str]:
    """`text`, a row a piece."""
    for page, row in _rows(capture.snapshot, history):
        yield f"{_row_text(page, row).rstrip(' ')}\n"


def joined(capture: Capture, history: int | None = None) -> str:
    """As `text`, but soft-wrapped rows are one line, as the program wrote them: for searching and copying."""
    return "".join(joined_pieces(capture, history))


def joined_pieces(capture: Capture, history: int | None) -> Iterator[str]:
    """`joined`, a row a piece."""
    blanks, unfinished = "", False
    for page, row in _rows(capture.snapshot, history):
        piece = blanks + _row_text(page, row)
        printed = piece.rstrip(" ")
        if row.wraps:
            blanks, unfinished = piece[len(printed) :], unfinished or bool(piece)
            yield printed
        else:
            blanks, unfinished = "", False
            yield f"{printed}\n"
    if unfinished:
        yield "\n"


def cells(capture: Capture, history: int | None = 0) -> dict[str, object]:
    """Everything visible as plain values, ready for JSON.

    `{rows, cols, cursor: {row, col, visible}, alternate_screen, title, history, lines}`; a line is `{wrapped, runs}`, a
    run `{text, cols}` and, where they are set, `foreground`, `background`, `underline_color` (palette index or
    `#rrggbb`), `underline` (single, double, curly, dotted, dashed), `link` and the attributes bold, italic, faint,
    blink, inverse, invisible, strike, overline.
    """
    return {**_facts(capture, history), "lines": list(_lines(capture.snapshot, history))}


def cells_pieces(capture: Capture, history: int | None) -> Iterator[str]:
    """`cells` as JSON, a row a piece."""
    yield f'{_json(_facts(capture, history))[:-1]},"lines":['
    comma = ""
    for line in _lines(capture.snapshot, history):
        yield comma + _json(line)
        comma = ","
    yield "]}"


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _facts(capture: Capture, history: int | None) -> dict[str, object]:
    snapshot = capture.snapshot
    return {
        "rows": snapshot.header.rows,
        "cols": snapshot.header.cols,
        "cursor": {"row": capture.row, "col": capture.col, "visible": capture.visible},
        "alternate_screen": bool(snapshot.header.active_screen),
        "title": snapshot.title.decode("utf-8", "replace"),
        "history": _history_rows(snapshot, history),
    }


def _lines(snapshot: Snapshot, history: int | None) -> Iterator[dict[str, object]]:
    for page, row in _rows(snapshot, history):
        yield {"wrapped": row.wraps, "runs": [_run(*span) for span in _spans(page, row)]}


def html(capture: Capture, history: int | None = 0) -> str:
    """The screen as one self-contained `<pre>` element."""
    return "".join(html_pieces(capture, history))


def html_pieces(capture: Capture, history: int | None) -> Iterator[str]:
    """`html`, a row a piece."""
    snapshot = capture.snapshot
    foreground, background = _screen_colors(snapshot)
    yield f'<pre style="color:{foreground};background:{background}">\n'
    for page, row in _rows(snapshot, history):
        yield "".join(_span_html(text, look, snapshot) for text, _cols, look in _spans(page, row)) + "\n"
    yield "</pre>\n"


def _rows(snapshot: Snapshot, history: int | None) -> Iterator[tuple[OpenPage, Row]]:
    """The visible rows, and above them rows of the scrollback (which only the primary screen has)."""
    height, wanted = snapshot.header.rows, _history_rows(snapshot, history)
    for number, place in enumerate(snapshot.screens[PRIMARY].rows(height + wanted)):
        if number == wanted:
            break
        yield place
    yield from snapshot.active.rows(height)


def _history_rows(snapshot: Snapshot, history: int | None) -> int:
    """How many of the wanted lines of scrollback there are."""
    older = snapshot.screens[PRIMARY].row_count - snapshot.header.rows
    return older if history is None else min(history, older)


def _row_text(page: OpenPage, row: Row) -> str:
    text = page.text(row)
    if row.marks:
        text = "".join(base_of(text, col) + row.marks.get(col, "") for col in range(len(text)))
    return _printed(text)


def _printed(text: str) -> str:
    """A line's text with spaces where nothing was printed."""
    if text.isascii() and text.isprintable():
        return text
    return _BLANK.sub(" ", _WIDE_BLANK.sub(WIDE_SPACE, text)).replace(TAIL, "")


def _spans(page: OpenPage, row: Row) -> Iterator[tuple[str, int, Look]]:
    """A row's spans: text, number of columns, look."""
    line, begin = page.line(row), 0
    for end, look in line.spans:
        text = line.text[begin:end]
        if line.clusters:
            text = "".join(line.clusters.get(begin + at, char) for at, char in enumerate(text))
        yield _printed(text), end - begin, look
        begin = end


def _run(text: str, cols: int, look: Look) -> dict[str, object]:
    run: dict[str, object] = {"text": text, "cols": cols}
    if look.style != PLAIN_STYLE:
        run.update(_style(look.style))
    if look.link:
        run["link"] = look.link.uri.decode("utf-8", "replace")
    return run


def _style(style: bytes) -> dict[str, object]:
    colors = {"foreground": style[0:4], "background": style[4:8], "underline_color": style[8:12]}
    found: dict[str, object] = {
        name: color[1] if color[0] == 1 else f"#{color[1:].hex()}" for name, color in colors.items() if color[0]
    }
    flags = style[12] | style[13] << 8
    found.update({name: True for bit, name in enumerate(_ATTRIBUTES) if flags >> bit & 1})
    underline = _UNDERLINES[flags >> 8 & 7]
    return {**found, "underline": underline} if underline else found


def _screen_colors(snapshot: Snapshot) -> tuple[str, str]:
    """Foreground and background: what the program set, else the theme's, else ours."""
    chosen = []
    for color, fallback in zip((snapshot.header.foreground, snapshot.header.background), _DEFAULT_COLORS, strict=True):
        value = color[5:8] if color[4] else color[1:4] if color[0] else None
        chosen.append(f"#{value.hex()}" if value is not None else fallback)
    return chosen[0], chosen[1]


def _span_html(text: str, look: Look, snapshot: Snapshot) -> str:
    shown = _escape(text)
    css = _css(look.style, snapshot) if look.style != PLAIN_STYLE else ""
    if css:
        shown = f'<span style="{css}">{shown}</span>'
    target = _target(look.link) if look.link else ""
    return f'<a href="{_escape(target)}">{shown}</a>' if target else shown


def _escape(plain: str) -> str:
    # not html.escape: that module's table of entities would cost every worker memory
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def _target(link: Link) -> str:
    uri = link.uri.decode("utf-8", "replace")
    return uri if _SAFE_LINK.match(uri) else ""


def _css(style: bytes, snapshot: Snapshot) -> str:
    look = _style(style)
    foreground, background = (_css_color(look.get(name), snapshot) for name in ("foreground", "background"))
    if "inverse" in look:
        plain_foreground, plain_background = _screen_colors(snapshot)
        foreground, background = background or plain_background, foreground or plain_foreground
    parts = [f"color:{foreground}"] if foreground else []
    parts += [f"background:{background}"] if background else []
    parts += [css for name, css in _CSS.items() if name in look]
    lines = [
        line
        for name, line in (("underline", "underline"), ("strike", "line-through"), ("overline", "overline"))
        if name in look
    ]
    parts += [f"text-decoration:{' '.join(lines)}"] if lines else []
    return ";".join(parts)


def _css_color(color: object, snapshot: Snapshot) -> str:
    if isinstance(color, int):
        rgb = snapshot.palette_overrides.get(color, snapshot.palette[3 * color : 3 * color + 3])
        return f"#{rgb.hex()}"
    return color if isinstance(color, str) else ""
