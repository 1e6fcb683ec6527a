"""Words and rules of a session: its id, its label, its size, and how people refer to it."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Final, Literal, Protocol

from attn.errors import AttnError

State = Literal["starting", "running", "unreachable", "exited", "recoverable", "lost"]
"""What is known of a session. `unreachable`: its worker lives but does not answer; `recoverable`: its worker is gone
and the agent's conversation can be resumed; `lost`: it is gone and nobody knows how it ended."""

ENDED: Final[frozenset[State]] = frozenset({"exited", "recoverable", "lost"})

ID_LENGTH: Final = 10
_ID_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
_ID: Final = re.compile(rf"[a-z0-9]{{{ID_LENGTH}}}", re.ASCII)

MAX_LABEL_CHARS: Final = 200

# A wide character needs two columns, and every emulator and TUI assumes a second row somewhere. Above a thousand
# no screen shows it (8K at 8 pixels a column is 960), while a grid costs 8 bytes a cell in worker, snapshot and page.
MIN_ROWS: Final = 2
MIN_COLS: Final = 2
MAX_ROWS: Final = 1000
MAX_COLS: Final = 1000
DEFAULT_ROWS: Final = 40
DEFAULT_COLS: Final = 120
_SIZE: Final = re.compile(r"(\d{1,9})[xX×](\d{1,9})", re.ASCII)

# What must not reach a person's terminal or page inside a name: C0, C1 and DEL, lone surrogates, the bidirectional
# marks, embeddings and isolates (Unicode TR9), the line and paragraph separators.
_UNPRINTABLE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]",
)


class SessionLike(Protocol):
    """Anything with an id and a label."""

    @property
    def id(self) -> str: ...

    @property
    def label(self) -> str: ...


def new_session_id(random_bytes: bytes) -> str:
    """Ten characters of [a-z0-9] from at least 8 random bytes; 51 bits, so two of them never meet."""
    if len(random_bytes) < 8:
        raise ValueError("a session id needs at least 8 random bytes")
    number = int.from_bytes(random_bytes, "big")
    digits = []
    for _ in range(ID_LENGTH):
        number, digit = divmod(number, len(_ID_ALPHABET))
        digits.append(_ID_ALPHABET[digit])
    return "".join(digits)


def valid_session_id(text: str) -> bool:
    """Whether `text` can be a session id; anything that becomes a file name must pass here first."""
    return _ID.fullmatch(text) is not None


def printable(text: str) -> str:
    """`text` without the characters that change what a person sees around it (terminal escapes, bidi tricks)."""
    return _UNPRINTABLE.sub("", text)


def clean_label(text: str) -> str:
    """A label that a person gave, without outer spaces.

    Raises AttnError `invalid_label`: silently changing what a person typed would make the label unfindable.
    """
    label = text.strip(" ")
    if not label:
        raise AttnError("invalid_label", "the label is empty", "give it at least one visible character")
    if len(label) > MAX_LABEL_CHARS:
        raise AttnError(
            "invalid_label",
            f"the label has {len(label)} characters, the most is {MAX_LABEL_CHARS}",
            "choose a shorter label",
        )
    found = _UNPRINTABLE.search(label)
    if found:
        raise AttnError(
            "invalid_label",
            f"the label holds U+{ord(found.group()):04X}, a control or text-direction character",
            "leave out tabs, newlines, escapes and bidirectional marks",
        )
    return label


def automatic_label(text: str, taken: Collection[str] = ()) -> str:
    """A label made by attn from a program's or a directory's name: cleaned, cut, and unlike those in `taken`."""
    base = " ".join(printable(text).split())[: MAX_LABEL_CHARS - 8].rstrip() or "session"
    label, number = base, 1
    while label in taken:
        number += 1
        label = f"{base}-{number}"
    return label


def check_size(rows: int, cols: int) -> None:
    """Raises AttnError `invalid_size` outside MIN_ROWS..MAX_ROWS, MIN_COLS..MAX_COLS."""
    if not (MIN_ROWS <= rows <= MAX_ROWS and MIN_COLS <= cols <= MAX_COLS):
        raise AttnError(
            "invalid_size",
            f"a terminal of {rows} rows and {cols} columns cannot be made",
            f"choose {MIN_ROWS} to {MAX_ROWS} rows and {MIN_COLS} to {MAX_COLS} columns",
        )


def parse_size(text: str) -> tuple[int, int]:
    """`"40x120"` -> (40, 120), rows first. Raises AttnError `invalid_size`."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise AttnError("invalid_size", f"{text!r} is not a size", "write ROWSxCOLS, for example 40x120")
    rows, cols = int(match[1]), int(match[2])
    check_size(rows, cols)
    return rows, cols


def resolve(sessions: Sequence[SessionLike], ref: str) -> str:
    """What a person typed -> the id of the session meant: an id, else a whole label, else the beginning of an id.

    A whole label wins over a prefix, so that a script's label keeps meaning its session whatever ids come up later.
    Raises AttnError `unknown_session` or `ambiguous_session`, the latter naming the candidates.
    """
    if any(session.id == ref for session in sessions):
        return ref
    found = [session for session in sessions if session.label == ref]
    if not found and ref:
        found = [session for session in sessions if session.id.startswith(ref)]
    if len(found) == 1:
        return found[0].id
    shown = printable(ref)[:80]
    if not found:
        raise AttnError("unknown_session", f"there is no session {shown!r}", "attn ls")
    names = ", ".join(f"{session.id} ({printable(session.label)})" for session in found[:5])
    more = f" and {len(found) - 5} more" if len(found) > 5 else ""
    raise AttnError("ambiguous_session", f"{shown!r} may mean {names}{more}", "give more of the id")
