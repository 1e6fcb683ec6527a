"""Reads what is really in a database, and carries out a plan of schema steps in one transaction."""

from __future__ import annotations

import re
import uuid
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final

import attn
from attn.store.database import APPLICATION_ID, Database
from attn.store.failures import StoreFailure
from attn.store.migrations import LEDGER, LEDGER_TABLES, MIGRATIONS, Column, Conflict, Fact, Index, Migration
from attn.store.planner import ColumnShape, IndexShape, Ledger, Plan, Schema

# The columns of the ledger that are asked for, by table.
_LEDGER_READ: Final = {"migrations": {"name", "checksum"}, "file_facts": {"key", "value"}}
_TOKEN = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|[A-Za-z0-9_]+|[^\sA-Za-z0-9_]")


def inspect(database: Database) -> Schema:
    """The schema as pragmas tell it, so that it does not depend on how a table came to have its columns."""
    tables: dict[str, dict[str, ColumnShape]] = {}
    indexes: dict[str, IndexShape] = {}
    foreign_keys: set[tuple[object, ...]] = set()
    code: set[str] = set()
    for kind, name, table, sql in database.rows("SELECT type, name, tbl_name, sql FROM sqlite_schema"):
        if str(name).startswith("sqlite_"):
            continue
        if kind == "table":
            tables[str(name)] = _columns(database, str(name))
            foreign_keys |= {
                (name, *row) for row in database.rows("SELECT * FROM pragma_foreign_key_list(?)", (str(name),))
            }
            code |= set(_constraints(database, str(name)))
            if "CHECK" in _normal(str(sql)).split():
                code.add(_normal(str(sql)))
        elif kind == "index":
            indexes[str(name)] = _index(database, str(name), str(table))
        else:
            code.add(_normal(str(sql)))
    return Schema(tables, indexes, frozenset(foreign_keys), frozenset(code))


def read_ledger(database: Database, schema: Schema) -> Ledger:
    """What the database says of its own history; an empty ledger when it keeps none.

    Raises StoreFailure `schema_conflict` when its ledger is not one that can be read.
    """
    ours = database.one("PRAGMA application_id") == APPLICATION_ID
    if not schema.tables.keys() >= LEDGER_TABLES:
        return Ledger(application_id_ours=ours)
    for table, wanted in _LEDGER_READ.items():
        if not schema.tables[table].keys() >= wanted:
            text = f"{database.path} has a table {table} without {' and '.join(sorted(wanted))}"
            raise StoreFailure("schema_conflict", text, path=database.path)
    done = database.rows("SELECT name, checksum FROM migrations")
    facts = {str(key): str(value) for key, value in database.rows("SELECT key, value FROM file_facts")}
    reader = facts.get("min_reader", "")
    return Ledger(
        exists=True,
        checksums={str(name): str(checksum) for name, checksum in done},
        min_reader=int(reader) if reader.isdigit() else 0,
        written_by=facts.get("written_by", ""),
        application_id_ours=ours,
        steps=int(str(database.one("PRAGMA user_version"))),
    )


def apply(database: Database, plan: Plan, now_ms: int) -> None:
    """Do the plan's steps and write them into the ledger, all or nothing. Raises StoreFailure; then nothing changed."""
    doing = ", ".join(step.name for step in plan.run)
    with database.transaction(migration=doing):
        database.run(LEDGER, migration=doing)
        for step, fact in plan.restore:
            _refuse_conflicts(database, step)
            database.run((_making(fact),), migration=step.name)
        for step in MIGRATIONS:
            if step in plan.run:
                _refuse_conflicts(database, step)
                database.run(step.statements, migration=step.name)
            if step in (*plan.run, *plan.adopt, *plan.relabel):
                how = "run" if step in plan.run else "adopted"
                database.rows(
                    "INSERT OR REPLACE INTO migrations VALUES (?, ?, ?, ?, ?)",
                    (step.name, step.checksum, attn.__version__, now_ms, how),
                )
        _write_facts(database)
        _verify(database, doing)


def _making(fact: Fact) -> str:
    """The statement that makes a part of a step again."""
    match fact:
        case Column():
            extra = " NOT NULL" if fact.not_null else ""
            extra += f" DEFAULT {fact.default}" if fact.default is not None else ""
            return f'ALTER TABLE {fact.table} ADD COLUMN "{fact.name}" {fact.type}{extra}'
        case Index():
            unique = "UNIQUE " if fact.unique else ""
            return f"CREATE {unique}INDEX {fact.name} ON {fact.table} ({', '.join(fact.columns)})"


def with_ledger(found: Schema) -> Schema:
    """The same schema with the tables of the ledger, which are made again when they are missing: they hold no rows of
    the user's."""
    if found.tables.keys() >= LEDGER_TABLES:
        return found  # nearly always: building another schema takes milliseconds of a start
    whole = canonical(())
    kept = tuple(f"table {name}: " for name in whole.tables.keys() - found.tables.keys())
    code = {text for text in whole.code if text.startswith(kept)}
    return replace(found, tables={**whole.tables, **found.tables}, code=found.code | code)


def canonical(steps: tuple[Migration, ...] = MIGRATIONS) -> Schema:
    """The schema that these steps, by default the whole history, lead to."""
    return _canonical(steps)


def differences(found: Schema, wanted: Schema) -> list[str]:
    """Where two schemas differ, as names; empty when they are the same."""
    strange = found.tables.keys() ^ wanted.tables.keys()
    names = [f"table {name}" for name in sorted(strange)]
    for table in sorted(found.tables.keys() & wanted.tables.keys()):
        have, want = found.tables[table], wanted.tables[table]
        names += [
            f"column {table}.{key}" for key in sorted(have.keys() | want.keys()) if have.get(key) != want.get(key)
        ]
    all_indexes = sorted(found.indexes.keys() | wanted.indexes.keys())
    names += [f"index {name}" for name in all_indexes if found.indexes.get(name) != wanted.indexes.get(name)]
    if found.foreign_keys != wanted.foreign_keys:
        names.append("foreign keys")
    said = tuple(f"table {name}: " for name in strange)
    return names + sorted(code for code in found.code ^ wanted.code if not code.startswith(said))


def dump(database: Database) -> str:
    """The text of store/schema.sql: every CREATE statement as SQLite keeps it."""
    kept = database.rows("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type DESC, name")
    head = "-- The schema that all migrations lead to. Generated from src/attn/store/migrations.py; tests compare.\n"
    return head + "".join(f"\n{sql!s};\n" for (sql,) in kept)


@cache
def _canonical(steps: tuple[Migration, ...]) -> Schema:
    database = Database.in_memory()
    try:
        with database.transaction():
            database.run(LEDGER)
            for step in steps:
                database.run(step.statements, migration=step.name)
        return inspect(database)
    finally:
        database.close()


def _columns(database: Database, table: str) -> dict[str, ColumnShape]:
    found = database.rows('SELECT name, type, "notnull", dflt_value, pk FROM pragma_table_xinfo(?)', (table,))
    return {
        str(name): ColumnShape(str(type_).upper(), bool(not_null), None if default is None else str(default), bool(key))
        for name, type_, not_null, default, key in found
    }


def _constraints(database: Database, table: str) -> list[str]:
    """What belongs to a table and no column tells: its kind, and its UNIQUE constraints."""
    kinds = database.rows("SELECT wr, strict FROM pragma_table_list(?)", (table,))
    found = [f"table {table}: without rowid {without_rowid!r}, strict {strict!r}" for without_rowid, strict in kinds]
    made = database.rows("SELECT name FROM pragma_index_list(?) WHERE origin = 'u'", (table,))
    return found + [f"table {table}: {_index(database, str(name), table)}" for (name,) in made]


def _index(database: Database, name: str, table: str) -> IndexShape:
    columns = database.rows('SELECT name, "desc", coll FROM pragma_index_xinfo(?) WHERE key ORDER BY seqno', (name,))
    # A descending, case-blind or partial index is another one: it shows as a column of another name.
    shown = [
        f"{column!s}{' DESC' if down else ''}{'' if rule == 'BINARY' else f' {rule!s}'}"
        for column, down, rule in columns
    ]
    found = database.rows('SELECT "unique", partial FROM pragma_index_list(?) WHERE name = ?', (table, name))
    unique, partial = found[0] if found else (0, 0)
    return IndexShape(table, (*shown, "WHERE") if partial else tuple(shown), bool(unique))


def _normal(sql: str) -> str:
    """A statement with one space between tokens and keywords in capitals, so that layout does not count."""
    return " ".join(word if word[0] in "'\"" else word.upper() for word in _TOKEN.findall(sql))


def foresee_conflicts(database: Database, found: Schema, plan: Plan, path: Path) -> None:
    """Raises StoreFailure `duplicate_rows` for rows that already show that a step of the plan cannot be done."""
    for step in {*plan.run, *(step for step, _ in plan.restore)}:
        for conflict in step.conflicts:
            if conflict.needs in found.tables.get(conflict.table, {}):
                _refuse_conflict(database, step, conflict, path)


def _refuse_conflicts(database: Database, step: Migration) -> None:
    for conflict in step.conflicts:
        _refuse_conflict(database, step, conflict, database.path)


def _refuse_conflict(database: Database, step: Migration, conflict: Conflict, path: Path) -> None:
    found = database.rows(conflict.sql)
    if found:
        more = f", and {len(found) - 1} more such cases" if len(found) > 1 else ""
        text = f"{path}: the step {step.name!r} cannot be done: {conflict.text.format(*found[0])}{more}"
        raise StoreFailure("duplicate_rows", text, path=path, migration=step.name)


def _write_facts(database: Database) -> None:
    done = {str(name) for (name,) in database.rows("SELECT name FROM migrations")}
    reader = max((step.min_reader for step in MIGRATIONS if step.name in done), default=0)
    database.rows("INSERT OR IGNORE INTO file_facts VALUES ('uuid', ?)", (str(uuid.uuid4()),))
    for key, value in (("min_reader", str(reader)), ("written_by", attn.__version__)):
        database.rows("INSERT OR REPLACE INTO file_facts VALUES (?, ?)", (key, value))
    database.run((f"PRAGMA application_id = {APPLICATION_ID}", f"PRAGMA user_version = {len(MIGRATIONS)}"))


def _verify(database: Database, doing: str) -> None:
    wrong = differences(inspect(database), canonical())
    broken = database.rows("PRAGMA foreign_key_check")
    if not wrong and not broken:
        return
    what = f"the schema would differ in {', '.join(wrong[:5])}" if wrong else f"{len(broken)} references would dangle"
    code = "migration_failed" if doing else "schema_conflict"
    raise StoreFailure(code, f"{database.path} was left as it is: {what}", path=database.path, migration=doing)
