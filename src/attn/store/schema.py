"""Reads what is really in a database, and carries out a plan of schema steps in one transaction."""

from __future__ import annotations

import re
import uuid
from functools import cache

import attn
from attn.store.database import APPLICATION_ID, Database
from attn.store.failures import StoreFailure
from attn.store.migrations import LEDGER, MIGRATIONS, Migration
from attn.store.planner import ColumnShape, IndexShape, Ledger, Plan, Schema

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
            if "CHECK" in _normal(str(sql)).split():
                code.add(_normal(str(sql)))
        elif kind == "index":
            indexes[str(name)] = _index(database, str(name), str(table))
        else:
            code.add(_normal(str(sql)))
    return Schema(tables, indexes, frozenset(foreign_keys), frozenset(code))


def read_ledger(database: Database, schema: Schema) -> Ledger:
    """What the database says of its own history; an empty ledger when it keeps none."""
    ours = database.one("PRAGMA application_id") == APPLICATION_ID
    if not {"migrations", "file_facts"} <= schema.tables.keys():
        return Ledger(application_id_ours=ours)
    done = database.rows("SELECT name, checksum FROM migrations")
    facts = {str(key): str(value) for key, value in database.rows("SELECT key, value FROM file_facts")}
    reader = facts.get("min_reader", "")
    return Ledger(
        exists=True,
        checksums={str(name): str(checksum) for name, checksum in done},
        min_reader=int(reader) if reader.isdigit() else 0,
        written_by=facts.get("written_by", ""),
        application_id_ours=ours,
    )


def apply(database: Database, plan: Plan, now_ms: int) -> None:
    """Do the plan's steps and write them into the ledger, all or nothing. Raises StoreFailure; then nothing changed."""
    doing = ", ".join(step.name for step in plan.run)
    with database.transaction(migration=doing):
        database.run(LEDGER, migration=doing)
        for step in MIGRATIONS:
            if step in plan.run:
                _refuse_conflicts(database, step)
                database.run(step.statements, migration=step.name)
            if step in plan.run or step in plan.adopt:
                how = "run" if step in plan.run else "adopted"
                database.rows(
                    "INSERT INTO migrations VALUES (?, ?, ?, ?, ?)",
                    (step.name, step.checksum, attn.__version__, now_ms, how),
                )
        _write_facts(database)
        _verify(database, doing)


def canonical() -> Schema:
    """The schema that the whole history leads to."""
    return _canonical()


def differences(found: Schema, wanted: Schema) -> list[str]:
    """Where two schemas differ, as names; empty when they are the same."""
    names = [f"table {name}" for name in sorted(found.tables.keys() ^ wanted.tables.keys())]
    for table in sorted(found.tables.keys() & wanted.tables.keys()):
        have, want = found.tables[table], wanted.tables[table]
        names += [
            f"column {table}.{key}" for key in sorted(have.keys() | want.keys()) if have.get(key) != want.get(key)
        ]
    all_indexes = sorted(found.indexes.keys() | wanted.indexes.keys())
    names += [f"index {name}" for name in all_indexes if found.indexes.get(name) != wanted.indexes.get(name)]
    if found.foreign_keys != wanted.foreign_keys:
        names.append("foreign keys")
    return names + sorted(found.code ^ wanted.code)


def dump(database: Database) -> str:
    """The text of store/schema.sql: every CREATE statement as SQLite keeps it."""
    kept = database.rows("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type DESC, name")
    head = "-- The schema that all migrations lead to. Generated from src/attn/store/migrations.py; tests compare.\n"
    return head + "".join(f"\n{sql!s};\n" for (sql,) in kept)


@cache
def _canonical() -> Schema:
    database = Database.in_memory()
    try:
        with database.transaction():
            database.run(LEDGER)
            for step in MIGRATIONS:
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


def _index(database: Database, name: str, table: str) -> IndexShape:
    columns = database.rows("SELECT name FROM pragma_index_info(?) ORDER BY seqno", (name,))
    unique = database.one('SELECT "unique" FROM pragma_index_list(?) WHERE name = ?', (table, name))
    return IndexShape(table, tuple(str(column) for (column,) in columns), bool(unique))


def _normal(sql: str) -> str:
    """A statement with one space between tokens and keywords in capitals, so that layout does not count."""
    return " ".join(word if word[0] in "'\"" else word.upper() for word in _TOKEN.findall(sql))


def _refuse_conflicts(database: Database, step: Migration) -> None:
    for conflict in step.conflicts:
        found = database.rows(conflict.sql)
        if found:
            more = f", and {len(found) - 1} more such cases" if len(found) > 1 else ""
            text = f"the step {step.name!r} cannot be done: {conflict.text.format(*found[0])}{more}"
            raise StoreFailure("duplicate_rows", text, path=database.path, migration=step.name)


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
