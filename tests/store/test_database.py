"""The one connection: alone, durable, and loud when something is wrong."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from attn.store.database import Database
from attn.store.failures import StoreFailure


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "attn.db"
    path.touch(0o600)
    return path


@pytest.fixture
def database(path: Path) -> Database:
    database = Database.open(path)
    with database.transaction():
        database.run(("CREATE TABLE t (a INTEGER PRIMARY KEY)",))
    return database


def test_the_settings_are_what_durability_needs(database: Database, path: Path) -> None:
    settings = {name: database.one(f"PRAGMA {name}") for name in ("journal_mode", "synchronous", "foreign_keys")}
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["attn.db", "attn.db-wal"]
    assert {entry.stat().st_mode & 0o777 for entry in path.parent.iterdir()} == {0o600}


def test_nobody_else_can_write_or_read_meanwhile(database: Database, path: Path) -> None:
    other = sqlite3.connect(path, timeout=0)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("SELECT * FROM t")
    other.close()


def test_a_file_that_another_program_holds_is_a_failure(path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreFailure) as raised:
        Database.open(path)
    assert raised.value.code == "store_locked" and raised.value.transient
    other.close()
    Database.open(path).close()


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreFailure):
        Database.open(tmp_path / "attn.db")
    assert list(tmp_path.iterdir()) == []


def test_what_goes_wrong_inside_a_transaction_has_not_happened(database: Database) -> None:
    with pytest.raises(StoreFailure), database.transaction():
        database.rows("INSERT INTO t VALUES (1)")
        database.rows("INSERT INTO t VALUES (1)")
    assert database.rows("SELECT * FROM t") == []
    with pytest.raises(RuntimeError), database.transaction():
        database.rows("INSERT INTO t VALUES (2)")
        raise RuntimeError
    assert database.rows("SELECT * FROM t") == []


def test_committed_rows_survive_the_end_of_the_process(path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from attn.store.database import Database\n"
        "database = Database.open(Path(sys.argv[1]))\n"
        "with database.transaction():\n"
        "    database.run(('CREATE TABLE t (a INTEGER)', 'INSERT INTO t VALUES (7)'))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    assert os.spawnv(os.P_WAIT, _python(), [_python(), "-c", code, str(path)]) == -9
    database = Database.open(path)
    assert database.one("SELECT a FROM t") == 7
    database.close()


def test_a_file_that_was_replaced_takes_no_writes(database: Database, path: Path) -> None:
    path.rename(path.with_name("moved.db"))
    path.touch()
    with pytest.raises(StoreFailure) as raised, database.transaction():
        database.rows("INSERT INTO t VALUES (1)")
    assert raised.value.code == "file_moved"
    path.unlink()
    with pytest.raises(StoreFailure) as raised:
        database.check_file()
    assert raised.value.code == "file_moved"


def test_a_copy_is_whole_and_only_read(database: Database, tmp_path: Path) -> None:
    with database.transaction():
        database.rows("INSERT INTO t VALUES (5)")
    database.copy_to(tmp_path / "copy.db")
    copy = Database.open_copy(tmp_path / "copy.db")
    assert copy.rows("SELECT * FROM t") == [(5,)] and copy.damage(thorough=True) == []
    with pytest.raises(StoreFailure):
        copy.rows("DELETE FROM t")
    copy.close()


def _python() -> str:
    import sys

    return sys.executable
