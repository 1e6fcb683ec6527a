"""Rows into a fresh database with the schema that attn needs; what finds no place there is kept apart, and named."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from attn.store import schema
from attn.store.database import Database, Value
from attn.store.failures import StoreFailure
from attn.store.migrations import MIGRATIONS
from attn.store.planner import ColumnShape, Plan
from attn.store.repair.reading import Key, Record, Table, key_of, keys_of
from attn.store.sessions import legible

# Written by attn itself into every database, so never carried over.
OWN_TABLES: Final = frozenset({"migrations", "file_facts"})
# By which column, where rows contradict each other, the newest is known.
_AGE: Final = ("updated_at_ms", "used_at_ms", "last_output_at_ms", "created_at_ms")
_NUMBERED: Final = re.compile(r"#\d+$")
# What a value becomes that a row lacks and its column needs.
_FILLING: Final[dict[str, Value]] = {"TEXT": "", "INTEGER": 0}


@dataclass(frozen=True)
class Dropped:
    """Something that has no place in the new database. row: all of it, to be kept apart; why: in words; whole: the
    row is not in the new database at all."""

    table: str
    row: Record
    why: str
    whole: bool = True


@dataclass
class Transferred:
    """The new database. kept: rows by table; dropped: what is only in the report; filled: values that were missing;
    doubtful: rows that contradict themselves, in words.

    keys: of the rows that it holds, by table; settled: what became of keys that the history changes.
    """

    image: bytes
    kept: dict[str, int] = field(default_factory=dict)
    dropped: list[Dropped] = field(default_factory=list)
    filled: int = 0
    doubtful: list[str] = field(default_factory=list)
    keys: dict[str, set[Key]] = field(default_factory=dict)
    settled: dict[tuple[str, Key], Key] = field(default_factory=dict)

    def missing(self, table: str, named: Iterable[Key]) -> set[Key]:
        """Those of some keys whose rows are not in the new database."""
        held = self.keys.get(table, set())
        return {key for key in named if self.settled.get((table, key), key) not in held}


def transfer(tables: Sequence[Table], uuid: str | None, now_ms: int) -> Transferred:
    """Put the rows into a new database in memory. uuid: the identity that it inherits. Raises StoreFailure."""
    database = Database.in_memory()
    try:
        schema.apply(database, Plan(run=MIGRATIONS), now_ms)
        if uuid:
            database.rows("UPDATE file_facts SET value = ? WHERE key = 'uuid'", (uuid,))
        result = Transferred(b"")
        for table in tables:
            if table.name not in OWN_TABLES:
                _carry(database, table, result)
        damage = database.damage(thorough=True) or database.rows("PRAGMA foreign_key_check")
        if damage:
            raise StoreFailure("store_failed", f"the new database is not good: {damage[0]}", path=database.path)
        result.image = database.image()
        return result
    finally:
        database.close()


def _carry(database: Database, table: Table, result: Transferred) -> None:
    columns = schema.canonical().tables.get(table.name)
    rows = [*table.rows]
    result.dropped += [Dropped(table.name, row, "its text is damaged") for row in table.illegible]
    if columns is None:
        result.dropped += [Dropped(table.name, row, f"attn has no table {table.name}") for row in rows]
        return
    age = next((name for name in _AGE if name in columns), "")
    rows.sort(key=lambda row: _number(row.get(age)), reverse=True)  # stable: then the one that was written last
    kept: set[Key] = set()
    for row in rows:
        extra = {name: value for name, value in row.items() if name not in columns and value is not None}
        fitted = _settled(table.name, _fitted(row, columns, result))
        if fitted is None:
            result.dropped.append(Dropped(table.name, row, "a value does not fit its column"))
            continue
        doubt = _contradiction(table.name, row, fitted)
        if not doubt:
            result.settled[table.name, key_of(table.name, row)] = key_of(table.name, fitted)
        why = _inserted(database, table.name, fitted, kept)
        if why:
            result.dropped.append(Dropped(table.name, row, why))
            continue
        kept.add(key_of(table.name, fitted))
        if doubt:
            result.doubtful.append(doubt)
        if extra:
            names = ", ".join(extra)
            where = {**{name: fitted[name] for name in keys_of(table.name)}, **extra}
            why = f"attn has no column {names}; the row is kept without"
            result.dropped.append(Dropped(table.name, where, why, whole=False))
    result.kept[table.name], result.keys[table.name] = len(kept), kept


def _inserted(database: Database, table: str, row: Record, kept: set[Key]) -> str:
    """Why the row cannot stand beside the others; empty when it does now."""
    names = ", ".join(f'"{name}"' for name in row)
    try:
        database.rows(f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(row))})", tuple(row.values()))
    except StoreFailure as failure:
        if failure.sqlite_name.startswith("SQLITE_CONSTRAINT"):
            same = "key" if key_of(table, row) in kept else "facts"
            return f"a newer row with the same {same} is kept ({failure.raw_message})"
        raise
    return ""


def _fitted(row: Record, columns: dict[str, ColumnShape] | object, result: Transferred) -> Record | None:
    """The values of the columns that the new table has, each of its type; None when one cannot be."""
    assert isinstance(columns, dict)
    fitted: Record = {}
    for name, shape in columns.items():
        value = row.get(name)
        if value is None and shape.not_null:
            if shape.key:
                return None
            if shape.default is not None:
                continue
            value = _FILLING[shape.type]
            result.filled += 1
        elif value is not None:
            try:
                value = int(value) if shape.type == "INTEGER" else _as_text(value)
            except ValueError:  # UnicodeDecodeError is one
                return None
        fitted[name] = value
    return fitted


def _settled(table: str, row: Record | None) -> Record | None:
    """What the history's changes of data make of a row, which doing it again does not change; None for a session that
    attn could not read back."""
    if row is not None and table == "prs":
        row["id"] = f"{row.get('host', 'github.com')!s}:{row['repo']!s}#{row['number']!s}"
    return None if row is not None and table == "sessions" and not legible(row) else row


def _contradiction(table: str, row: Record, fitted: Record) -> str:
    """How the id of a pull request and its facts differ, in words; empty when they do not. An id without a number says
    nothing that could differ: attn gave it before ids were made of the facts."""
    was, now = str(row.get("id")), str(fitted.get("id"))
    if table != "prs" or not _NUMBERED.search(was) or was in (now, f"{fitted['repo']!s}#{fitted['number']!s}"):
        return ""
    return f"{table} {was} is {now} by its facts, and kept as that"


def _as_text(value: Value) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _number(value: Value) -> int:
    return value if isinstance(value, int) else 0
