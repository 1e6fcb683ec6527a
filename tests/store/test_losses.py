"""A database that was lost, damaged or put there by hand is refused with its own code, and left as it is."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from attn.paths import Home
from attn.store import StoreFailure, open_store
from tests.store.conftest import NOW_MS, ROW, plain, refused, reopened

PR = "INSERT INTO prs (id, host, repo, number, title, url, role, state, updated_at_ms) VALUES"
LIVE = ("attn.db", "attn.db-wal", "attn.db.meta")


def crashed(home: Home) -> None:
    """Leaves the home as a daemon that was killed does: with a log, and a sentinel that says so."""
    store = open_store(home, now_ms=NOW_MS)
    store.sessions.upsert(ROW)
    copies = {name: (home.root / name).read_bytes() for name in LIVE}
    store.close()
    for name, data in copies.items():
        (home.root / name).write_bytes(data)


def foreign_log(home: Home) -> None:
    """The log of another database of attn, in place of ours."""
    other = Home(home.root / "other", home.root / "other" / "s", is_default=False)
    other.root.mkdir()
    crashed(other)
    (other.root / "attn.db-wal").replace(home.root / "attn.db-wal")
    shutil.rmtree(other.root)


def lost(home: Home) -> None:
    home.database.unlink()


def emptied(home: Home) -> None:
    home.database.write_bytes(b"")


def overwritten(home: Home) -> None:
    home.database.write_text("this is a text and no database, but longer than a header " * 5)


def zeroed(home: Home) -> None:
    home.database.write_bytes(bytes(home.database.stat().st_size))


def cut_to_the_header(home: Home) -> None:
    home.database.write_bytes(home.database.read_bytes()[:60])


def cut_in_the_middle(home: Home) -> None:
    data = home.database.read_bytes()
    home.database.write_bytes(data[: len(data) // 2])


def page_overwritten(home: Home) -> None:
    data = bytearray(home.database.read_bytes())
    data[4096:8192] = b"\x77" * 4096
    home.database.write_bytes(data)


def cut_short(home: Home) -> None:
    data = home.database.read_bytes()
    home.database.write_bytes(data[:-4096])


def version_of_the_future(home: Home) -> None:
    data = bytearray(home.database.read_bytes())
    data[18:20] = b"\x05\x05"
    home.database.write_bytes(data)


def schema_format_of_the_future(home: Home) -> None:
    data = bytearray(home.database.read_bytes())
    data[44:48] = (99).to_bytes(4, "big")
    home.database.write_bytes(data)


def row_without_its_index_entry(home: Home) -> None:
    database = sqlite3.connect(home.database, isolation_level=None)
    [entry] = database.execute("SELECT * FROM sqlite_schema WHERE name = 'prs_host_repo_number'")
    database.execute("PRAGMA writable_schema = ON")
    database.execute("DELETE FROM sqlite_schema WHERE name = 'prs_host_repo_number'")
    database.close()
    database = sqlite3.connect(home.database, isolation_level=None)
    database.execute(f"{PR} ('i', 'github.com', 'o/r', 7, 't', 'u', 'author', 'open', 1)")
    database.execute("PRAGMA writable_schema = ON")
    database.execute("INSERT INTO sqlite_schema VALUES (?, ?, ?, ?, ?)", entry)
    database.close()


def log_left_behind(home: Home) -> None:
    home.database.replace(home.root / "elsewhere.db")
    (home.root / "attn.db-wal").write_bytes(b"log")


def log_put_there(home: Home) -> None:
    """After a clean stop no log stands there; this one is of another database of attn."""
    foreign_log(home)


def journal_put_there(home: Home) -> None:
    (home.root / "attn.db-journal").write_bytes(b"pages of another")


def log_of_another(home: Home) -> None:
    """The daemon was killed, and somebody put another log in place of the one it left."""
    crashed(home)
    foreign_log(home)


def backup_put_there(home: Home) -> None:
    """The daemon was killed, and somebody copied a backup over the database but left the log."""
    copied = home.root / "copied.db"
    plain(home, [f"VACUUM INTO '{copied}'"])
    crashed(home)
    home.database.write_bytes(copied.read_bytes())


def dangling(home: Home) -> None:
    home.database.replace(home.root / "elsewhere.db")
    home.database.symlink_to(home.root / "nowhere.db")


def link_to_itself(home: Home) -> None:
    home.database.unlink()
    home.database.symlink_to(home.database)


def link_to_a_directory(home: Home) -> None:
    home.database.unlink()
    home.database.symlink_to(home.root)


def second_name(home: Home) -> None:
    os.link(home.database, home.root / "second.db")


def repair_interrupted(home: Home) -> None:
    home.intent.write_text("{}")


def directory(home: Home) -> None:
    home.database.unlink()
    home.database.mkdir()


def without_tables(home: Home) -> None:
    home.database.unlink()
    plain(home, ["PRAGMA user_version = 1", "VACUUM"])


LOSSES: list[tuple[Callable[[Home], None], str]] = [
    (lost, "missing_file"),
    (emptied, "empty_file"),
    (without_tables, "empty_file"),
    (overwritten, "not_a_database"),
    (zeroed, "not_a_database"),
    (cut_to_the_header, "not_a_database"),
    (version_of_the_future, "not_a_database"),
    (schema_format_of_the_future, "corrupt"),
    (cut_in_the_middle, "corrupt"),
    (cut_short, "corrupt"),
    (page_overwritten, "corrupt"),
    (row_without_its_index_entry, "index_corrupt"),
    (log_left_behind, "wal_mismatch"),
    (log_put_there, "wal_mismatch"),
    (journal_put_there, "wal_mismatch"),
    (log_of_another, "wal_mismatch"),
    (backup_put_there, "wal_mismatch"),
    (dangling, "symlink"),
    (link_to_itself, "symlink"),
    (link_to_a_directory, "symlink"),
    (second_name, "hard_link"),
    (repair_interrupted, "repair_incomplete"),
    (directory, "not_a_database"),
]


@pytest.mark.parametrize(("damage", "code"), LOSSES, ids=[damage.__name__ for damage, _ in LOSSES])
def test_a_database_that_was_lost_is_never_replaced_by_an_empty_one(
    home: Home, damage: Callable[[Home], None], code: str
) -> None:
    store = open_store(home, now_ms=NOW_MS)
    store.sessions.upsert(ROW)
    store.close()
    damage(home)
    failure = refused(home, code)
    assert str(home.root) in failure.message and failure.remedy


def test_a_file_that_may_not_be_written_is_refused(tmp_path: Path) -> None:
    assert _as_nobody(lambda home: home.database.chmod(0o400)) == "permission_denied"


def test_a_directory_that_may_not_be_written_is_refused() -> None:
    assert _as_nobody(lambda home: home.root.chmod(0o500)) == "home_unwritable"


def _as_nobody(change: Callable[[Home], None]) -> str:
    """What opening says to a user who is not root (root may write everything), in a process of its own."""
    root = Path(tempfile.mkdtemp(prefix="attn-nobody-"))
    home = Home(root, root / "s", is_default=False)
    reopened(home).close()
    for path in (root, *root.iterdir()):
        if os.getuid() == 0:
            os.chown(path, 65534, 65534)
    change(home)
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        if os.getuid() == 0:
            os.setuid(65534)
        try:
            open_store(home, now_ms=NOW_MS).close()
            os.write(theirs, b"opened")
        except StoreFailure as failure:
            os.write(theirs, failure.code.encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(theirs)
    with open(ours, "rb") as answer:
        code = answer.read().decode()
    root.chmod(0o700)
    shutil.rmtree(root)
    return code
