"""How the command line prints: names made safe, ages, tables, conditions."""

from __future__ import annotations

import os
import re
import sys
import time
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from attn import __version__
from attn.cli.link import Link
from attn.core.session import printable
from attn.errors import AttnError
from attn.wire.client_views import Condition, ExitView, SessionView

# SGR colours; NO_COLOR turns them off (https://no-color.org).
_COLOURS: Final = {"running": "32", "starting": "36", "unreachable": "33", "recoverable": "33", "lost": "31"}
_LINES: Final = re.compile(r"[\r\n]+")
_AGES: Final = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))
_SEVERITIES: Final = {"error": 0, "warning": 1, "info": 2}


def say(text: str) -> None:
    """Write lines to stderr, each made safe to show."""
    for line in _LINES.split(text):
        sys.stderr.write(printable(line) + "\n")


def report(error: AttnError) -> None:
    """Tell a failure on stderr: `code: message`, then what to do."""
    say(f"{error.code}: {error.message}")
    if error.remedy:
        say(error.remedy)


def show(text: str) -> None:
    """Write one line to stdout, made safe to show."""
    sys.stdout.write(printable(text) + "\n")


def show_json(value: object) -> None:
    """Write a message struct, or a list or dict of them, as indented JSON."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def tell_conditions(link: Link) -> None:
    """One stderr line while something is not well, one when the daemon is of another build."""
    if link.hello.version != __version__:
        say(f"attn: the daemon is attn {link.hello.version}, this is attn {__version__}; run: attn daemon restart")
    worst = sorted(
        (condition for condition in link.hello.conditions if condition.severity != "info"),
        key=lambda condition: _SEVERITIES[condition.severity],
    )
    if worst:
        more = f" (and {len(worst) - 1} more: attn status)" if len(worst) > 1 else ""
        say(f"attn: {_LINES.sub(' ', condition_line(worst[0]))}{more}")


def condition_line(condition: Condition) -> str:
    """`code: title; run: command`."""
    command = f"; run: {condition.commands[0]}" if condition.commands else ""
    return f"{condition.code}: {condition.title}{command}"


def age(then_ms: int | None, now_ms: int | None = None) -> str:
    """How long ago, in one unit: `12s`, `3m`, `4h`, `9d`; `-` for never. Times in ms since the epoch."""
    if then_ms is None:
        return "-"
    seconds = max(0, (time.time_ns() // 1_000_000 if now_ms is None else now_ms) - then_ms) // 1000
    for unit_s, name in _AGES:
        if seconds >= unit_s:
            return f"{seconds // unit_s}{name}"
    return "now"


def ending(view: ExitView | None) -> str:
    """How a program ended, in words."""
    if view is None or (view.code is None and view.signal is None):
        return "ended"
    return f"exit {view.code}" if view.signal is None else f"signal {view.signal}"


def state_words(session: SessionView) -> str:
    """The state of a session as `attn ls` shows it: an exited one says how, and when."""
    if session.state == "exited" and session.exit is not None:
        when = age(session.exit.at_ms)
        return f"{ending(session.exit)}, {when if when == 'now' else f'{when} ago'}"
    return session.state


def short_path(path: str) -> str:
    """A path with the home directory as `~`."""
    home = os.path.expanduser("~")
    return "~" + path[len(home) :] if path == home or path.startswith(home + "/") else path


def width(text: str) -> int:
    """Columns that a terminal uses for `text`."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def sessions_table(sessions: Iterable[SessionView]) -> list[str]:
    """The lines of `attn ls`."""
    rows = [
        (session.id, state_words(session), age(session.last_output_at_ms), session.agent, session.label, session.cwd)
        for session in sessions
    ]
    shown = [(*row[:5], short_path(row[5])) for row in rows]
    return table(("ID", "STATE", "OUTPUT", "AGENT", "LABEL", "DIRECTORY"), shown)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Aligned lines. On a terminal they are cut to its width and states coloured; a pipe gets everything, plain."""
    cells = [[printable(cell) for cell in row] for row in (header, *rows)]
    widths = [max(width(row[column]) for row in cells) for column in range(len(header))]
    lines = ["  ".join(cell + " " * (widths[i] - width(cell)) for i, cell in enumerate(row)).rstrip() for row in cells]
    if not sys.stdout.isatty():
        return lines
    columns = _columns()
    state_at = widths[0] + 2
    return [_coloured(cut(line, columns), row[1], state_at) for line, row in zip(lines, cells, strict=True)]


def _columns() -> int:
    """Width of the terminal on stdout. Not shutil's, which imports the compressors."""
    given = os.environ.get("COLUMNS", "")
    return int(given) if given.isdecimal() and int(given) else os.get_terminal_size(sys.stdout.fileno()).columns


def cut(text: str, columns: int) -> str:
    """`text` in at most `columns` columns, the loss marked."""
    if width(text) <= columns:
        return text
    while text and width(text) > columns - 1:
        text = text[:-1]
    return text + "…"


def _coloured(line: str, state: str, start: int) -> str:
    colour = _COLOURS.get(state)
    if colour is None or os.environ.get("NO_COLOR"):
        return line
    end = start + len(state)
    return f"{line[:start]}\x1b[{colour}m{line[start:end]}\x1b[m{line[end:]}"
