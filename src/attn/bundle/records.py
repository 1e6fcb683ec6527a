"""What the files of a bundle say, as values, and as the bytes on disk.

JSON, one object a file; `screen` is a line of JSON and then raw parts. Fields that a later attn added are ignored,
fields that an earlier attn did not write take their defaults, anything else that does not fit raises ValueError.
"""

from __future__ import annotations

import json
from dataclasses import MISSING, asdict, dataclass, fields
from types import NoneType
from typing import Any, Final, TypeVar

Record = TypeVar("Record")


@dataclass(frozen=True)
class Spec:
    """Why a session exists: written once, fsynced before its worker starts. Sizes in cells, time in ms since 1970."""

    session_id: str
    daemon_id: str
    argv: list[str]
    cwd: str
    env_names: list[str]
    agent: str
    label: str
    rows: int
    cols: int
    created_at_ms: int
    parent: str | None = None
    resume: dict[str, Any] | None = None
    build: str = ""
    emulator: bool = True
    scrollback_lines: int = 10_000


@dataclass(frozen=True)
class Meta:
    """What a person may change. `cause` says who ended the program: killed, removed, reload; None for the program."""

    label: str
    order: int
    cause: str | None = None


@dataclass(frozen=True)
class WorkerRecord:
    """Which process serves the session, and how to speak to it. Liveness is the lock, never this pid."""

    pid: int
    start_time: int
    boot_id: str
    socket: str
    protocol_min: int
    protocol_max: int
    build: str
    snapshot_format: str
    child_pid: int


@dataclass(frozen=True)
class ExitRecord:
    """How the program ended: exactly one of code and signal is set. `offset` counts all bytes it ever wrote."""

    code: int | None
    signal: int | None
    offset: int
    at_ms: int


@dataclass(frozen=True)
class ScreenFacts:
    """What is known of a screen besides its content. Rows and columns count cells from 0."""

    rows: int
    cols: int
    cursor_row: int
    cursor_col: int
    cursor_visible: bool
    alternate_screen: bool
    offset: int
    taken_at_ms: int
    format: str
    title: str


@dataclass(frozen=True)
class ScreenRecord(ScreenFacts):
    """The last screen, as a live worker would show it.

    vt: rebuilds it in a terminal, with the end of its scrollback; text: its rows; scrolled: the rows of scrollback
    above them; joined: both with soft wraps joined; html and cells_json: the rows; tail: the raw end of the output.
    """

    vt: bytes
    text: str
    cells_json: str
    tail: bytes
    scrolled: str = ""
    joined: str = ""
    html: str = ""


_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "str": (str,),
    "int": (int,),
    "bool": (bool,),
    "str | None": (str, NoneType),
    "int | None": (int, NoneType),
    "list[str]": (list,),
    "dict[str, Any] | None": (dict, NoneType),
}


def to_json(record: Any) -> bytes:
    """A record -> the bytes of its file."""
    return _encode({field.name: getattr(record, field.name) for field in fields(record)})


def _encode(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def from_json(kind: type[Record], data: bytes) -> Record:
    """The bytes of a file -> a record of `kind`. Raises ValueError when they are not one."""
    return _build(kind, json.loads(data))


def _build(kind: type[Record], value: object) -> Record:
    if not isinstance(value, dict):
        raise ValueError(f"a {kind.__name__} is a JSON object")
    known: dict[str, Any] = {}
    for field in fields(kind):  # type: ignore[arg-type]  # every record is a dataclass
        if field.name not in value:
            if field.default is MISSING:
                raise ValueError(f"{kind.__name__} lacks {field.name}")
            continue
        known[field.name] = _checked(kind.__name__, field.name, str(field.type), value[field.name])
    return kind(**known)


def _checked(kind: str, name: str, declared: str, value: object) -> object:
    allowed = _TYPES[declared]
    fits = isinstance(value, allowed) and (bool in allowed or not isinstance(value, bool))
    if fits and declared == "list[str]" and isinstance(value, list):
        fits = all(isinstance(entry, str) for entry in value)
    if not fits:
        raise ValueError(f"{kind}.{name} is not {declared}")
    return value


_TEXTS: Final = ("text", "scrolled", "joined", "html", "cells_json")


def screen_to_bytes(screen: ScreenRecord) -> bytes:
    """One line of JSON with the facts and the length of each part by its name, then the parts."""
    facts = {field.name: getattr(screen, field.name) for field in fields(ScreenFacts)}
    parts = {"vt": screen.vt, "tail": screen.tail} | {name: getattr(screen, name).encode() for name in _TEXTS}
    head = _encode({**facts, "parts": {name: len(part) for name, part in parts.items()}})
    return b"\n".join((head, b"".join(parts.values())))


def screen_from_bytes(data: bytes) -> ScreenRecord:
    """The inverse; parts that this build does not know are passed over.

    Raises ValueError when a part is cut or missing, or the head is not one.
    """
    line, _, body = data.partition(b"\n")
    head = json.loads(line)
    facts = _build(ScreenFacts, head)
    lengths = head.get("parts")
    if not (isinstance(lengths, dict) and all(type(n) is int and n >= 0 for n in lengths.values())):
        raise ValueError("a screen names the length of each of its parts")
    if sum(lengths.values()) != len(body):
        raise ValueError(f"a screen has {len(body)} bytes of parts instead of {sum(lengths.values())}")
    parts, at = {}, 0
    for name, length in lengths.items():
        parts[name] = body[at : at + length]
        at += length
    missing = {"vt", "tail", *_TEXTS} - parts.keys()
    if missing:
        raise ValueError(f"a screen lacks the parts {', '.join(sorted(missing))}")
    texts: dict[str, Any] = {name: parts[name].decode() for name in _TEXTS}
    return ScreenRecord(**asdict(facts), vt=parts["vt"], tail=parts["tail"], **texts)
