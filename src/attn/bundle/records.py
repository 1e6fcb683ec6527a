"""What the files of a bundle say, as values, and as the bytes on disk.

JSON, one object a file; `screen` is a line of JSON and then raw parts. Fields that a later attn added are ignored,
fields that an earlier attn did not write take their defaults, anything else that does not fit raises ValueError.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from types import NoneType
from typing import Any, Final, NamedTuple, TypeVar


class Spec(NamedTuple):
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


class Meta(NamedTuple):
    """What becomes of a session after its start.

    cause: who ended the program (killed, removed, reload; None for the program itself), written before the first
    signal. intent: what the daemon has set out to do and not finished (kill, remove, reload): whoever finds it
    completes it. conversation: the agent's own id of what it talks about. pinned_*: the size of `attn resize`.
    """

    label: str
    order: int
    cause: str | None = None
    intent: str | None = None
    conversation: str | None = None
    pinned_rows: int | None = None
    pinned_cols: int | None = None


class WorkerRecord(NamedTuple):
    """Which process serves the session, and how to speak to it. Liveness is the lock, never this pid.

    child_*: its program; a start time of 0 was not written by the build of that worker.
    """

    pid: int
    start_time: int
    boot_id: str
    socket: str
    protocol_min: int
    protocol_max: int
    build: str
    snapshot_format: str
    child_pid: int
    child_start_time: int = 0


class ExitRecord(NamedTuple):
    """How the program ended: exactly one of code and signal is set. `offset` counts all bytes it ever wrote."""

    code: int | None
    signal: int | None
    offset: int
    at_ms: int
    last_output_at_ms: int | None = None


class ScreenRecord(NamedTuple):
    """The last screen, as a live worker would show it. Rows and columns count cells from 0.

    vt: rebuilds it in a terminal, with the end of its scrollback; text: its rows; scrolled: the rows of scrollback
    above them; joined: both with soft wraps joined; html and cells_json: the rows; tail: the raw end of the output.
    """

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


Record = TypeVar("Record", Spec, Meta, WorkerRecord, ExitRecord)


def to_json(record: Spec | Meta | WorkerRecord | ExitRecord) -> bytes:
    """A record -> the bytes of its file."""
    return _dumps(record._asdict()).encode()


_dumps: Final = json.JSONEncoder(separators=(",", ":")).encode


def from_json(kind: type[Record], data: bytes) -> Record:
    """The bytes of a file -> a record of `kind`. Raises ValueError when they are not one."""
    value = json.loads(data)
    return kind(**_read(kind.__name__, _declared(kind), kind._field_defaults, value))


def _declared(kind: type) -> dict[str, str]:
    return {name: declared.__forward_arg__ for name, declared in kind.__annotations__.items()}


def _read(kind: str, declared: dict[str, str], defaults: Collection[str], value: object) -> dict[str, Any]:
    """The declared fields that `value` has, each of its type."""
    if not isinstance(value, dict):
        raise ValueError(f"a {kind} is a JSON object")
    for name in declared:
        if name not in value and name not in defaults:
            raise ValueError(f"{kind} lacks {name}")
    return {name: _checked(kind, name, declared[name], value[name]) for name in declared if name in value}


def _checked(kind: str, name: str, declared: str, value: object) -> object:
    allowed = _TYPES[declared]
    fits = isinstance(value, allowed) and (bool in allowed or not isinstance(value, bool))
    if fits and declared == "list[str]" and isinstance(value, list):
        fits = all(isinstance(entry, str) for entry in value)
    if not fits:
        raise ValueError(f"{kind}.{name} is not {declared}")
    return value


_TEXTS: Final = ("text", "scrolled", "joined", "html", "cells_json")
_PARTS: Final = ("vt", "tail", *_TEXTS)
_FACTS: Final = {name: declared for name, declared in _declared(ScreenRecord).items() if name not in _PARTS}


def screen_to_bytes(screen: ScreenRecord) -> bytes:
    """One line of JSON with the facts and the length of each part by its name, then the parts."""
    facts = {name: getattr(screen, name) for name in _FACTS}
    parts = {"vt": screen.vt, "tail": screen.tail} | {name: getattr(screen, name).encode() for name in _TEXTS}
    head = _dumps({**facts, "parts": {name: len(part) for name, part in parts.items()}}).encode()
    return b"\n".join((head, b"".join(parts.values())))


def screen_from_bytes(data: bytes) -> ScreenRecord:
    """The inverse; parts that this build does not know are passed over.

    Raises ValueError when a part is cut or missing, or the head is not one.
    """
    line, _, body = data.partition(b"\n")
    head = json.loads(line)
    facts = _read("screen", _FACTS, (), head)
    lengths = head.get("parts")
    if not (isinstance(lengths, dict) and all(type(n) is int and n >= 0 for n in lengths.values())):
        raise ValueError("a screen names the length of each of its parts")
    if sum(lengths.values()) != len(body):
        raise ValueError(f"a screen has {len(body)} bytes of parts instead of {sum(lengths.values())}")
    parts, at = {}, 0
    for name, length in lengths.items():
        parts[name] = body[at : at + length]
        at += length
    missing = set(_PARTS) - parts.keys()
    if missing:
        raise ValueError(f"a screen lacks the parts {', '.join(sorted(missing))}")
    texts: dict[str, Any] = {name: parts[name].decode() for name in _TEXTS}
    return ScreenRecord(**facts, vt=parts["vt"], tail=parts["tail"], **texts)
