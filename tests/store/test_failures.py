"""Every error of SQLite and of the file system becomes a row of the table of conditions."""

from __future__ import annotations

import errno
import tempfile
from pathlib import Path

import pytest

from attn.core import health
from attn.errors import EXIT_BY_CODE
from attn.store.failures import SqliteError, StoreFailure, classify, classify_os

PATH = Path(tempfile.gettempdir(), "attn.db")

SQLITE = [
    ("SQLITE_BUSY", 5, "store_locked"),
    ("SQLITE_LOCKED", 6, "store_locked"),
    ("SQLITE_READONLY", 8, "permission_denied"),
    ("SQLITE_READONLY_DIRECTORY", 1544, "permission_denied"),
    ("SQLITE_READONLY_DBMOVED", 1032, "file_moved"),
    ("SQLITE_IOERR_FSYNC", 1034, "io_error"),
    ("SQLITE_IOERR_WRITE", 778, "io_error"),
    ("SQLITE_CORRUPT", 11, "corrupt"),
    ("SQLITE_CORRUPT_INDEX", 779, "corrupt"),
    ("SQLITE_FULL", 13, "disk_full"),
    ("SQLITE_CANTOPEN", 14, "permission_denied"),
    ("SQLITE_NOTADB", 26, "not_a_database"),
    ("SQLITE_ERROR", 1, "store_failed"),
]


@pytest.mark.parametrize(("name", "extended", "code"), SQLITE)
def test_a_code_decides_and_never_the_words(name: str, extended: int, code: str) -> None:
    failure = classify(SqliteError(name, extended, "database is locked: disk full"), PATH)
    assert failure.code == code and code in health.KINDS and code in EXIT_BY_CODE
    assert (failure.sqlite_name, failure.raw_message) == (name, "database is locked: disk full")
    assert str(PATH) in failure.message and failure.remedy


def test_an_error_inside_a_migration_names_it() -> None:
    failure = classify(SqliteError("SQLITE_ERROR", 1, "no such table"), PATH, migration="prs-host")
    assert (failure.code, failure.migration) == ("migration_failed", "prs-host")
    assert classify(SqliteError("SQLITE_FULL", 13, "full"), PATH, migration="prs-host").code == "disk_full"


@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.EACCES, "permission_denied"), (errno.ENOSPC, "disk_full"), (errno.EROFS, "read_only_disk"),
     (errno.EMFILE, "fd_exhausted"), (errno.ENFILE, "fd_exhausted"), (errno.EIO, "io_error")],
)  # fmt: skip
def test_errors_of_the_file_system(number: int, code: str) -> None:
    assert classify_os(OSError(number, "words"), PATH).code == code


def test_the_error_behind_an_error_of_sqlite_decides_too() -> None:
    """SQLite knows ENOSPC, but neither a quota nor a file system that became read-only."""
    for number, code in ((errno.EDQUOT, "disk_full"), (errno.EROFS, "read_only_disk"), (errno.EIO, "io_error")):
        assert classify(SqliteError("SQLITE_IOERR_WRITE", 778, "disk I/O error", number), PATH).code == code


def test_what_the_files_explain_is_told_with_the_file_that_is_meant(tmp_path: Path) -> None:
    failure = classify(SqliteError("SQLITE_CANTOPEN", 14, "unable to open"), tmp_path / "gone" / "attn.db")
    assert (failure.code, failure.path) == ("home_unwritable", tmp_path / "gone")


def test_what_ends_by_itself_is_told_apart() -> None:
    assert StoreFailure("disk_full", "x", path=PATH).transient
    assert not StoreFailure("corrupt", "x", path=PATH).transient


def test_every_condition_of_the_store_has_an_exit_status() -> None:
    rows = list(health.KINDS)
    store = rows[rows.index("schema_newer") : rows.index("store_failed") + 1]
    assert [code for code in store if code not in EXIT_BY_CODE] == []
