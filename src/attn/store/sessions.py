"""The sessions as the database indexes them: the only SQL about sessions. Their truth stands in their bundles."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from attn.core.session import State
from attn.store.database import Database, Row, Value
from attn.store.failures import StoreFailure


@dataclass(frozen=True)
class SessionRow:
    """One session. Times in milliseconds since the epoch; `order` is its place in the list.

    resume: what the agent needs to go on with its conversation, as in the bundle's spec; parent: the session it was
    started from; cause: why it ended, as in the bundle's meta.
    """

    id: str
    label: str
    agent: str
    argv: list[str]
    cwd: str
    state: State
    rows: int
    cols: int
    created_at_ms: int
    order: int = 0
    last_output_at_ms: int | None = None
    exit_code: int | None = None
    exit_signal: int | None = None
    exit_at_ms: int | None = None
    cause: str | None = None
    parent: str | None = None
    resume: dict[str, Any] | None = None
    worker_build: str = ""


_NAMES: Final = tuple(field.name for field in fields(SessionRow))
# `order` is a keyword of SQL.
_COLUMNS: Final = tuple("position" if name == "order" else name for name in _NAMES)
_SELECT: Final = f"SELECT {', '.join(_COLUMNS)} FROM sessions ORDER BY position, created_at_ms, id"
_UPSERT: Final = (
    f"INSERT INTO sessions ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"
    f" ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _COLUMNS[1:])}"
)


class Sessions:
    """Every method raises StoreFailure; a write that returned is on the disk."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self) -> list[SessionRow]:
        """All sessions in their order."""
        rows = self._database.rows(_SELECT)
        try:
            return [_row(values) for values in rows]
        except ValueError as error:
            path = self._database.path
            raise StoreFailure("corrupt", f"{path} holds a session that makes no sense: {error}", path=path) from error

    def ids(self) -> set[str]:
        """Of all sessions."""
        return {str(session_id) for (session_id,) in self._database.rows("SELECT id FROM sessions")}

    def upsert(self, *rows: SessionRow) -> None:
        """Write these sessions, in one transaction, in place of those with the same ids."""
        with self._database.transaction():
            for row in rows:
                self._database.rows(_UPSERT, _values(row))

    def delete(self, session_id: str) -> None:
        """Forget a session; one that is not there is no error."""
        with self._database.transaction():
            self._database.rows("DELETE FROM sessions WHERE id = ?", (session_id,))


def _values(row: SessionRow) -> Sequence[Value]:
    values = {name: getattr(row, name) for name in _NAMES}
    values["argv"] = json.dumps(row.argv)
    values["resume"] = None if row.resume is None else json.dumps(row.resume)
    return tuple(values.values())


def _row(values: Row) -> SessionRow:
    """Raises ValueError for one that makes no sense."""
    named: dict[str, Any] = dict(zip(_NAMES, values, strict=True))
    named |= _decoded(named["argv"], named["resume"])
    return SessionRow(**named)


def legible(record: Mapping[str, Value]) -> bool:
    """Whether `Sessions.list` could read this row; columns that are not in it get their defaults."""
    try:
        _decoded(record.get("argv", "[]"), record.get("resume"))
    except ValueError:
        return False
    return True


def _decoded(argv: Value, resume: Value) -> dict[str, Any]:
    words = json.loads(str(argv))
    if not (isinstance(words, list) and all(isinstance(word, str) for word in words)):
        raise ValueError(f"{argv!r} is no command")
    facts = None if resume is None else json.loads(str(resume))
    if not isinstance(facts, dict | None):
        raise ValueError(f"{resume!r} says nothing about a conversation")
    return {"argv": words, "resume": facts}
