"""Values that stand inside client messages: sessions, conditions, keys and what `attn status --json` prints."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

State = Literal["starting", "running", "unreachable", "exited", "recoverable", "lost"]
Fidelity = Literal["screen", "tail", "none"]
Payload = Literal["snapshot", "delta", "tail", "none"]
ScreenFormat = Literal["text", "ansi", "cells", "html"]
Severity = Literal["info", "warning", "error"]


class Message(msgspec.Struct, tag_field="type", kw_only=True, omit_defaults=False):
    """Base of all messages."""


class Request(Message):
    """Base of everything a client asks; `id` comes back in the reply."""

    id: Annotated[int, msgspec.Meta(gt=0)]


class ExitView(msgspec.Struct, kw_only=True):
    """How a program ended: exactly one of `code` and `signal` is set, both null when nobody knows."""

    code: int | None
    signal: int | None
    at_ms: int


class SessionView(msgspec.Struct, kw_only=True):
    """One session as every client sees it; `attn ls --json` prints a list of these."""

    id: str
    label: str
    agent: str
    argv: list[str]
    cwd: str
    state: State
    pid: int | None
    rows: int
    cols: int
    created_at_ms: int
    last_output_at_ms: int | None
    exit: ExitView | None
    recoverable: bool
    snapshot: bool
    worker_build: str
    title: str = ""
    order: int = 0
    parent: str | None = None


class Condition(msgspec.Struct, kw_only=True):
    """Something that is not well, shown in every client until it is over.

    One about the database also says which, SQLite's own name and words, the schema change concerned, since when nothing
    is saved, and the newest good backup; null where that does not apply.
    """

    code: str
    severity: Severity
    title: str
    detail: str
    commands: list[str]
    since_ms: int
    path: str | None = None
    db_path: str | None = None
    sqlite_name: str | None = None
    sqlite_message: str | None = None
    migration: str | None = None
    not_saved_since_ms: int | None = None
    last_good_backup: str | None = None
    last_good_backup_ms: int | None = None


class Cursor(msgspec.Struct, kw_only=True):
    """The cursor, 0-based, rows before cols."""

    row: int
    col: int
    visible: bool


class AgentView(msgspec.Struct, kw_only=True):
    """One row of the agent table as the new-session dialog shows it."""

    name: str
    title: str
    found: str | None
    install: str


class DaemonView(msgspec.Struct, kw_only=True):
    """The daemon itself."""

    pid: int
    id: str
    version: str
    protocol: int
    url: str
    since_ms: int


class StoreView(msgspec.Struct, kw_only=True):
    """The database."""

    state: Literal["ok", "migrating", "degraded", "refused", "ephemeral"]
    path: str
    last_good_backup: str | None
    last_good_backup_ms: int | None = None


class RecoveryView(msgspec.Struct, kw_only=True):
    """What the start of this daemon found: counts of sessions."""

    done: bool
    recovered: int
    recreated: int
    exited: int
    lost: int
    unreachable: int
    quarantined: int


class Theme(msgspec.Struct, kw_only=True):
    """A client's colours, `#rrggbb`: what programs get when they ask for the terminal's colours.

    `palette` holds the first colours of the palette in their order, as many as the client knows.
    """

    foreground: str
    background: str
    cursor: str
    scheme: Literal["dark", "light"]
    palette: list[str] = []


class KeyEvent(msgspec.Struct, kw_only=True):
    """One key. `key` and `code` as in the DOM's KeyboardEvent; `mods`: 1 shift, 2 alt, 4 ctrl, 8 super."""

    action: Literal["press", "repeat", "release"]
    key: str
    code: str
    text: str
    mods: int
