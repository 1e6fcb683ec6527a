"""The one connection: alone, durable, and loud when something is wrong."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
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
def database(path: Path) -> Iterator[Database]:
    database = Database.open(path)
    database.accept()
    with database.transaction():
        database.run(("CREATE TABLE t (a INTEGER PRIMARY KEY)",))
    yield database
    database.close()


def other_program(code: str, path: Path) -> subprocess.Popen[str]:
    """Another process on the same file: inside this one, POSIX locks of a second SQLite library would not count."""
    script = f"import sqlite3, sys\ndb = sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None)\n{code}"
    return subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_the_settings_are_what_durability_needs(database: Database, path: Path) -> None:
    settings = {name: database.one(f"PRAGMA {name}") for name in ("journal_mode", "synchronous", "foreign_keys")}
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["attn.db", "attn.db-wal"]
    assert {entry.stat().st_mode & 0o777 for entry in path.parent.iterdir()} == {0o600}


def test_nobody_else_can_write_or_read_meanwhile(database: Database, path: Path) -> None:
    code = (
        "try:\n    db.execute('SELECT * FROM t')\nexcept sqlite3.OperationalError as error:\n"
        "    print(error.sqlite_errorname)"
    )
    output, _ = other_program(code, path).communicate(timeout=30)
    assert output.strip() == "SQLITE_BUSY"


def test_a_file_that_another_program_holds_is_a_failure(path: Path) -> None:
    holder = other_program("db.execute('BEGIN EXCLUSIVE')\nprint('held', flush=True)\nsys.stdin.read()", path)
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    with pytest.raises(StoreFailure) as raised:
        Database.open(path)
    assert raised.value.code == "store_locked" and raised.value.transient
    holder.communicate(timeout=30)
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
        "database.accept()\n"
        "with database.transaction():\n"
        "    database.run(('CREATE TABLE t (a INTEGER)', 'INSERT INTO t VALUES (7)'))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False, timeout=30).returncode == -9
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


def test_looking_changes_no_byte(path: Path) -> None:
    other_program("db.execute('CREATE TABLE t (a)')", path).communicate(timeout=30)
    before = path.read_bytes()
    database = Database.open(path)
    assert database.rows("SELECT * FROM t") == [] and database.damage(thorough=True) == []
    database.close()
    assert path.read_bytes() == before and [entry.name for entry in path.parent.iterdir()] == ["attn.db"]


def test_a_text_that_is_none_is_damage_in_whatever_way_it_is_met(database: Database) -> None:
    with database.transaction():
        database.run(("CREATE TABLE texts (a TEXT)", "INSERT INTO texts VALUES (CAST(x'61ff' AS TEXT))"))
    assert database.damage(thorough=False) == []
    [line] = database.damage(thorough=True)
    assert "a text in texts" in line and not database.only_indexes_damaged()
    with pytest.raises(StoreFailure) as raised:
        database.rows("SELECT * FROM texts")
    assert raised.value.code == "corrupt"


def test_a_copy_is_whole_and_only_read(database: Database, tmp_path: Path) -> None:
    with database.transaction():
        database.rows("INSERT INTO t VALUES (5)")
    database.copy_to(tmp_path / "copy.db")
    copy = Database.open_copy(tmp_path / "copy.db")
    assert copy.rows("SELECT * FROM t") == [(5,)] and copy.damage(thorough=True) == []
    with pytest.raises(StoreFailure):
        copy.rows("DELETE FROM t")
    copy.close()


@pytest.mark.parametrize("theirs", [b"", b"another database, as long or not"])
def test_a_file_that_was_overwritten_in_place_takes_no_writes(database: Database, path: Path, theirs: bytes) -> None:
    for number in range(3):
        with database.transaction():
            database.rows("INSERT INTO t VALUES (?)", (number,))
        database.check_file()
        database.settle()
        database.check_file()
    path.write_bytes(theirs)
    with pytest.raises(StoreFailure) as raised, database.transaction():
        database.rows("INSERT INTO t VALUES (7)")
    assert raised.value.code == "file_moved" and "overwritten" in raised.value.message
    assert database.rows("SELECT a FROM t") == [(0,), (1,), (2,)], "what is open can still be saved"
    database.abandon()
    assert path.read_bytes() == theirs
