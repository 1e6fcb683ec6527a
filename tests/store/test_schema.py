"""Reading schemas, doing steps, and the generated schema.sql."""

from __future__ import annotations

from pathlib import Path

import pytest

from attn.store import schema
from attn.store.database import Database
from attn.store.failures import StoreFailure
from attn.store.migrations import MIGRATIONS
from attn.store.planner import Plan

GENERATED = Path(schema.__file__).with_name("schema.sql")


@pytest.fixture
def database() -> Database:
    database = Database.in_memory()
    schema.apply(database, Plan(run=MIGRATIONS), 5)
    return database


def changed(statement: str) -> list[str]:
    """How a database differs from the canonical schema after one statement."""
    database = Database.in_memory()
    schema.apply(database, Plan(run=MIGRATIONS), 5)
    with database.transaction():
        database.run((statement,))
    return schema.differences(schema.inspect(database), schema.canonical())


def test_schema_sql_is_current(database: Database) -> None:
    assert GENERATED.read_text() == schema.dump(database), "run tools/gen_reference.py"


def test_the_ledger_holds_every_step(database: Database) -> None:
    ledger = schema.read_ledger(database, schema.inspect(database))
    assert ledger.checksums == {step.name: step.checksum for step in MIGRATIONS}
    assert ledger.application_id_ours and 0 < ledger.min_reader <= len(MIGRATIONS)
    assert database.rows("SELECT DISTINCT applied_at_ms, applied_by FROM migrations") == [(5, "run")]


def test_a_column_counts_the_same_however_it_came() -> None:
    one, two = Database.in_memory(), Database.in_memory()
    with one.transaction(), two.transaction():
        one.run(("CREATE TABLE t (a TEXT, b INTEGER NOT NULL DEFAULT 1)",))
        two.run(("CREATE TABLE t (a TEXT)", "ALTER TABLE t ADD COLUMN b INTEGER NOT NULL DEFAULT 1"))
    assert schema.inspect(one) == schema.inspect(two)


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("ALTER TABLE prs ADD COLUMN extra TEXT", "column prs.extra"),
        ("DROP INDEX prs_host_repo_number", "index prs_host_repo_number"),
        ("CREATE INDEX other ON prs (repo)", "index other"),
        ("CREATE TABLE other (a)", "table other"),
        ("DROP TABLE settings", "table settings"),
        ("CREATE VIEW other AS SELECT 1", "CREATE VIEW OTHER AS SELECT 1"),
    ],
)
def test_every_difference_is_seen(statement: str, named: str) -> None:
    assert changed(statement) == [named]


def test_a_trigger_and_a_check_are_seen_too() -> None:
    assert changed("CREATE TRIGGER t AFTER DELETE ON prs BEGIN SELECT 1; END")
    assert any("CHECK" in line for line in changed("CREATE TABLE c (a CHECK (a > 0))"))


def test_ids_of_pull_requests_are_rewritten_once_and_for_all() -> None:
    database = Database.in_memory()
    schema_until = Plan(run=MIGRATIONS[:1])
    with database.transaction():
        for step in schema_until.run:
            database.run(step.statements)
        database.rows("INSERT INTO prs VALUES ('o/r#7', 'o/r', 7, 't', 'u', 'author', 'open', 1)")
    schema.apply(database, Plan(run=MIGRATIONS[1:], adopt=MIGRATIONS[:1]), 5)
    assert database.rows("SELECT id, host FROM prs") == [("github.com:o/r#7", "github.com")]
    with database.transaction():
        database.run(MIGRATIONS[2].statements[:1])
    assert database.one("SELECT id FROM prs") == "github.com:o/r#7"


def test_a_schema_that_would_come_out_wrong_is_rolled_back() -> None:
    database = Database.in_memory()
    with database.transaction():
        database.run(("CREATE TABLE stray (a)",))
    with pytest.raises(StoreFailure) as raised:
        schema.apply(database, Plan(run=MIGRATIONS), 5)
    assert raised.value.code == "migration_failed" and "stray" in raised.value.message
    assert schema.inspect(database).tables.keys() == {"stray"}
