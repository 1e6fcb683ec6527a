"""Logs that SQLite would work into a database that they are not of."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from attn.store.file.belonging import foreign_log, overwritten, with_log
from attn.store.file.sentinel import OTHERS, Sentinel


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database whose daemon was killed: its log has its newest row."""
    path, log = tmp_path / "attn.db", tmp_path / "attn.db-wal"
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE t (a)")
    shutil.copy(path, tmp_path / "older.db")
    os.utime(tmp_path / "older.db", (1, 1))
    with closing(sqlite3.connect(path)) as database:
        database.execute("INSERT INTO t VALUES (1)")
        database.commit()
        shutil.copy(log, tmp_path / "kept")
    (tmp_path / "kept").rename(log)
    return path


def replaced(path: Path) -> None:
    (path.parent / "older.db").rename(path)


def copied(path: Path) -> None:
    for file in (path, path.with_name("attn.db-wal")):
        shutil.copy(file, f"{file}.copy")
        Path(f"{file}.copy").replace(file)


def copied_alone(path: Path) -> None:
    """What breaks a hard link."""
    shutil.copy2(path, f"{path}.single")
    Path(f"{path}.single").replace(path)


def moved_there_and_back(path: Path) -> None:
    path.rename(path.with_name("x"))
    path.with_name("x").rename(path)


def without_log(path: Path) -> None:
    path.with_name("attn.db-wal").unlink()
    replaced(path)


@pytest.mark.parametrize(
    ("change", "foreign"),
    [(replaced, True), (copied, False), (copied_alone, False), (moved_there_and_back, False), (without_log, False)],
)
def test_a_log_is_foreign_when_the_database_alone_was_replaced(
    path: Path, change: Callable[[Path], None], foreign: bool
) -> None:
    left = with_log(path, Sentinel())
    assert foreign_log(path, left) is None and foreign_log(path, None) is None
    change(path)
    found = foreign_log(path, left)
    assert (found is not None and found.code == "wal_mismatch") is foreign


def test_a_log_is_foreign_after_a_stop_without_one_and_when_it_is_another(path: Path) -> None:
    left = with_log(path, Sentinel())
    for other in (Sentinel(clean=True), Sentinel(log_origin=OTHERS)):
        found = foreign_log(path, other)
        assert found is not None and found.code == "wal_mismatch" and str(path) in str(found.path)
    assert foreign_log(path, left.without_log()) is None


def test_a_log_is_of_others_when_its_own_database_was_written_over(path: Path) -> None:
    left = with_log(path, Sentinel())
    path.write_bytes((path.parent / "older.db").read_bytes())
    assert overwritten(path, left)
    replaced(path)
    assert not overwritten(path, left), "whatever is said of that file is not ours to say"
    path.unlink()
    assert not overwritten(path, left)
