"""The image is what SQLite itself would see, and taking it changes nothing."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from attn.store import StoreFailure
from attn.store.database import Database
from attn.store.repair import image


def logged(path: Path, commits: int) -> sqlite3.Connection:
    """A database with everything but its header page in its log."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("CREATE TABLE t (n INTEGER, text TEXT)")
    for number in range(commits):
        database.execute("INSERT INTO t VALUES (?, ?)", (number, "x" * 900))
    return database


def rows(data: bytes | None) -> int:
    database = Database.of_image(data or b"")
    try:
        assert database.damage(thorough=True) == []
        return int(str(database.one("SELECT count(*) FROM t")))
    finally:
        database.close()


def test_the_log_is_worked_in(tmp_path: Path) -> None:
    database = logged(tmp_path / "a.db", 40)
    files = image.read(tmp_path / "a.db")
    assert rows(image.whole(files)) == 40
    assert files.sizes.keys() == {"a.db", "a.db-wal", "a.db-shm"}
    database.close()
    assert image.whole(image.read(tmp_path / "a.db")) == image.plain(image.read(tmp_path / "a.db"))


def test_what_an_earlier_use_of_the_log_left_is_not(tmp_path: Path) -> None:
    database = logged(tmp_path / "a.db", 40)
    database.execute("PRAGMA wal_checkpoint(RESTART)")
    database.execute("DELETE FROM t WHERE n >= 10")
    files = image.read(tmp_path / "a.db")
    assert len(files.log or b"") > 40 * 4096 and rows(image.whole(files)) == 10
    database.close()


@pytest.mark.parametrize("cut", [0, 10, 32, 40, 4152, 20_000, 30_001])
def test_a_log_counts_up_to_its_last_whole_commit(tmp_path: Path, cut: int) -> None:
    database = logged(tmp_path / "a.db", 20)
    files = image.read(tmp_path / "a.db")
    database.close()
    data = bytearray(files.log or b"")
    (tmp_path / "b.db").write_bytes(files.database or b"")
    (tmp_path / "b.db-wal").write_bytes(data[:cut])
    found = image.whole(image.read(tmp_path / "b.db"))
    with sqlite3.connect(tmp_path / "b.db") as other:
        tables = other.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        wanted = other.execute("SELECT count(*) FROM t").fetchone()[0] if tables else 0
    other.close()
    assert (rows(found) if tables else 0) == wanted


def test_a_flipped_byte_ends_the_log(tmp_path: Path) -> None:
    database = logged(tmp_path / "a.db", 20)
    files = image.read(tmp_path / "a.db")
    database.close()
    data = bytearray(files.log or b"")
    data[len(data) // 2] ^= 1
    (tmp_path / "b.db").write_bytes(files.database or b"")
    (tmp_path / "b.db-wal").write_bytes(data)
    assert 0 < rows(image.whole(image.read(tmp_path / "b.db"))) < 20


def test_reading_leaves_no_trace(tmp_path: Path) -> None:
    logged(tmp_path / "a.db", 3).close()
    os.utime(tmp_path / "a.db", (1, 1))
    before = [(entry.name, entry.stat()) for entry in os.scandir(tmp_path)]
    image.whole(image.read(tmp_path / "a.db"))
    assert [(entry.name, entry.stat()) for entry in os.scandir(tmp_path)] == before


def test_what_is_not_there_and_what_is_no_file(tmp_path: Path) -> None:
    files = image.read(tmp_path / "a.db")
    assert image.whole(files) is None and files.sizes == {}
    (tmp_path / "a.db").touch()
    assert image.whole(image.read(tmp_path / "a.db")) == b""
    (tmp_path / "b.db").mkdir()
    with pytest.raises(StoreFailure, match="not_a_database"):
        image.read(tmp_path / "b.db")
    (tmp_path / "c.db").symlink_to(tmp_path / "a.db")
    assert image.read(tmp_path / "c.db").real == tmp_path / "a.db"


def test_what_is_too_large_is_said(tmp_path: Path) -> None:
    with (tmp_path / "a.db").open("wb") as file:
        file.truncate(image.MAX_BYTES + 1)
    with pytest.raises(StoreFailure, match="too large"):
        image.read(tmp_path / "a.db")


def test_a_lost_header_is_taken_from_another(tmp_path: Path) -> None:
    logged(tmp_path / "a.db", 20).close()
    data = (tmp_path / "a.db").read_bytes()
    mended = image.with_header_of(bytes(100) + data[100:], image.plain(image.read(tmp_path / "a.db")) or b"")
    assert rows(mended) == 20
