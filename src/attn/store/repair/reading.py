"""Every row that SQLite can still read, around the places where it cannot.

A table is read by ranges of its row ids, from both ends towards each damaged place and then in halves, since a seek
reaches what lies beyond. The index of its key is read apart: it knows which rows there were, so that what is lost can
be named.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

from attn.store import schema
from attn.store.database import Database, Row, Value
from attn.store.failures import StoreFailure

Key = tuple[Value, ...]
Record = dict[str, Value]

# Reads that fail cost 20 µs each; a damaged page of 4096 bytes holds at most some hundred rows.
PROBES_MAX: Final = 20_000
_NO_ROWID: Final = 1 << 62  # above every row id that SQLite gave out by counting
# How far above the last row that is known it is looked for more.
UNKNOWN_ROWS: Final = 1 << 20


@dataclass
class Table:
    """What was read of one table, newest row first.

    damaged: some of it could not be read; known: keys that its index names, `indexed` if it could be read to its end;
    illegible: rows whose text is no text; unreadable: row ids at which there may have been a row.
    """

    name: str
    columns: tuple[str, ...]
    rows: list[Record] = field(default_factory=list)
    damaged: bool = False
    known: set[Key] = field(default_factory=set)
    indexed: bool = False
    unreadable: int = 0
    illegible: list[Record] = field(default_factory=list)

    def fewer(self, found: int) -> int:
        """At how many row ids there may still be a row, once some are accounted for; not known remains not known."""
        return self.unreadable if self.unreadable >= UNKNOWN_ROWS else max(0, self.unreadable - found)

    @property
    def complete(self) -> bool:
        """Whether its index names every row there was: damage may also end it early, and then it lacks rows."""
        return self.indexed and all(key_of(self.name, row) in self.known for row in self.rows)


@dataclass
class Harvest:
    """What was read of a database. readable: at least its schema could be."""

    tables: dict[str, Table] = field(default_factory=dict)
    readable: bool = True

    @property
    def damaged(self) -> bool:
        return not self.readable or any(table.damaged or table.illegible for table in self.tables.values())

    def count(self) -> int:
        return sum(len(table.rows) for table in self.tables.values())


def harvest(database: Database) -> Harvest:
    """Read everything. Never fails: what cannot be read is said in the result."""
    found = Harvest()
    try:
        names = [str(name) for (name,) in database.each("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        for name in names:
            if not name.startswith("sqlite_"):
                columns = database.rows("SELECT name FROM pragma_table_xinfo(?)", (name,))
                found.tables[name] = Table(name, tuple(str(column) for (column,) in columns))
    except (StoreFailure, UnicodeDecodeError):
        return Harvest(readable=False)
    for table in found.tables.values():
        _read(database, table)
    return found


def keys_of(name: str) -> tuple[str, ...]:
    """The columns that identify a row of a table of ours; none for tables that are not."""
    return tuple(column for column, shape in schema.canonical().tables.get(name, {}).items() if shape.key)


def key_of(table: str, record: Record) -> Key:
    return tuple(record.get(column) for column in keys_of(table))


def _read(database: Database, table: Table) -> None:
    scan = _Scan(database, table)
    rows = scan.run()
    keys = keys_of(table.name)
    indexed = _indexed(database, table, keys) if keys and set(keys) <= set(table.columns) else {}
    for rowid in indexed.keys() - rows.keys():
        rows.update(scan.single(rowid))
    for rowid in sorted(rows, reverse=True):
        try:
            record = {name: _text(value) for name, value in zip(table.columns, rows[rowid], strict=True)}
        except UnicodeDecodeError:
            table.illegible.append(dict(zip(table.columns, map(_rough, rows[rowid]), strict=True)))
        else:
            table.rows.append(record)
    table.known = set(indexed.values())
    table.damaged |= bool(table.known - {key_of(table.name, record) for record in table.rows})


class _Scan:
    """Reads one table by row ids."""

    def __init__(self, database: Database, table: Table) -> None:
        self._database, self._table = database, table
        # Texts as bytes: one that is damaged must not end the reading.
        values = ", ".join(f"CASE typeof({q}) WHEN 'text' THEN CAST({q} AS BLOB) ELSE {q} END"
                           for q in map(_quoted, table.columns))  # fmt: skip
        self._select = f"SELECT rowid, {values} FROM {_quoted(table.name)} NOT INDEXED WHERE rowid"
        self._probes = 0
        self._rows: dict[int, Row] = {}

    def run(self) -> dict[int, Row]:
        """Rows by their ids."""
        gaps = deque([(-_NO_ROWID, _NO_ROWID)])
        while gaps and self._probes < PROBES_MAX:
            low, high = gaps.popleft()
            whole, last = self._towards(low, high, "ASC")
            if whole:
                continue
            self._table.damaged = True
            low = low if last is None else last + 1
            _, first = self._towards(low, high, "DESC")
            high = min(high if first is None else first - 1, self._highest(low, high))
            if low < high:
                middle = (low + high) // 2
                gaps += [(low, middle), (middle + 1, high)]
            else:
                self._table.unreadable += low == high
        self._table.unreadable += sum(high - low + 1 for low, high in gaps)
        return self._rows

    def single(self, rowid: int) -> dict[int, Row]:
        self._towards(rowid, rowid, "ASC")
        return {rowid: self._rows[rowid]} if rowid in self._rows else {}

    def _towards(self, low: int, high: int, direction: str) -> tuple[bool, int | None]:
        """Read from one end of a range: whether all of it could be read, and the last row id that was."""
        last = None
        try:
            for rowid, *values in self._database.each(
                f"{self._select} BETWEEN ? AND ? ORDER BY rowid {direction}", (low, high)
            ):
                last = int(str(rowid))
                self._rows[last] = tuple(values)
        except StoreFailure:
            self._probes += 1
            return False, last
        return True, last

    def _highest(self, low: int, high: int) -> int:
        """Where looking for rows above `low` ends, if nothing is known of them: ids are given out by counting."""
        return high if high < _NO_ROWID else max([low + UNKNOWN_ROWS, *self._rows])


def _indexed(database: Database, table: Table, keys: tuple[str, ...]) -> dict[int, Key]:
    """Row ids and keys as the index of the key tells them, from both of its ends."""
    columns = ", ".join(f"CAST({_quoted(name)} AS BLOB)" for name in keys)
    order = ", ".join(map(_quoted, keys))
    found: dict[int, Key] = {}
    for direction in ("ASC", "DESC"):
        try:
            for rowid, *values in database.each(
                f"SELECT rowid, {columns} FROM {_quoted(table.name)} ORDER BY {order} {direction}"
            ):
                found[int(str(rowid))] = tuple(_rough(value) for value in values)
            table.indexed = direction == "ASC"
            break
        except StoreFailure:
            table.damaged = True
    return found


def _text(value: Value) -> Value:
    return value.decode() if isinstance(value, bytes) else value


def _rough(value: Any) -> Any:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
