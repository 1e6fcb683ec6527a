"""Ways to lose or damage a database of attn, each with the code that it must be refused with."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable

from attn.paths import Home
from attn.store import open_store
from tests.store.conftest import NOW_MS, ROW, plain

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


def lost_with_its_sentinel(home: Home) -> None:
    """`rm attn.db*` was meant for something else; the backups still say that there was a database."""
    open_store(home, now_ms=NOW_MS).back_up("manual", NOW_MS)
    for path in home.root.glob("attn.db*"):
        path.unlink()


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


def text_made_illegible(home: Home) -> None:
    """A bit of the disk fell over in a setting: SQLite's own check does not look into texts."""
    plain(home, ["INSERT INTO settings VALUES ('font', 'fourteen')", "PRAGMA wal_checkpoint(TRUNCATE)"])
    data = home.database.read_bytes()
    assert b"fontfourteen" in data
    home.database.write_bytes(data.replace(b"fontfourteen", b"fontfour\xffeen"))


def schema_made_illegible(home: Home) -> None:
    data = home.database.read_bytes()
    home.database.write_bytes(data.replace(b"use_count INTEGER", b"use_c\xffunt INTEGER"))


def command_made_illegible(home: Home) -> None:
    plain(home, ["UPDATE sessions SET argv = '[[' || substr(argv, 3)"])


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
    facts = {"kind": "salvage", "folder": "20260101T000000-salvage", "source": "", "began_ms": 1, "step": "building"}
    home.intent.write_text(json.dumps(facts))


def directory(home: Home) -> None:
    home.database.unlink()
    home.database.mkdir()


def without_tables(home: Home) -> None:
    home.database.unlink()
    plain(home, ["PRAGMA user_version = 1", "VACUUM"])


def written_by_a_newer_attn(home: Home) -> None:
    plain(home, ["INSERT INTO migrations VALUES ('2031-future', 'x', '9.9.9', 1, 'run')",
                 "UPDATE file_facts SET value = '99' WHERE key = 'min_reader'"])  # fmt: skip


def of_the_go_original(home: Home) -> None:
    home.database.unlink()
    plain(home, ["CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY, applied_at TEXT)",
                 "CREATE TABLE sessions (id TEXT PRIMARY KEY, label TEXT, directory TEXT)",
                 "INSERT INTO sessions VALUES ('a', 'b', 'c')"])  # fmt: skip


def host_is_a_number(home: Home) -> None:
    plain(home, ["DROP INDEX prs_host_repo_number", "ALTER TABLE prs DROP COLUMN host",
                 "ALTER TABLE prs ADD COLUMN host INTEGER"])  # fmt: skip


def column_renamed(home: Home) -> None:
    """As one bit of the schema's text does: what is missing could be made again, but what is there is not attn's."""
    plain(home, ["ALTER TABLE sessions RENAME COLUMN exit_code TO exiv_code"])


def trigger_added(home: Home) -> None:
    plain(home, ["CREATE TRIGGER t AFTER DELETE ON prs BEGIN SELECT 1; END"])


def ledger_of_another_shape(home: Home) -> None:
    plain(home, ["ALTER TABLE file_facts RENAME COLUMN value TO valve"])


def step_half_done(home: Home) -> None:
    plain(home, ["DELETE FROM migrations WHERE name = 'sessions-launch'", "ALTER TABLE sessions DROP COLUMN cause"])


def table_dropped(home: Home) -> None:
    plain(home, ["DROP TABLE recent_locations"])


def rows_doubled(home: Home) -> None:
    rows = [f"{PR} ('{n}', 'github.com', 'o/r', 7, 't{n}', 'u', 'author', 'open', 1)" for n in (1, 2)]
    plain(home, ["DROP INDEX prs_host_repo_number", *rows])


def history_and_schema_changed(home: Home) -> None:
    plain(home, ["UPDATE migrations SET checksum = 'x' WHERE name = 'baseline'", "CREATE TABLE extra (a)"])


EDITS: list[tuple[Callable[[Home], None], str]] = [
    (written_by_a_newer_attn, "schema_newer"),
    (of_the_go_original, "foreign_schema"),
    (host_is_a_number, "schema_conflict"),
    (column_renamed, "schema_conflict"),
    (trigger_added, "schema_conflict"),
    (ledger_of_another_shape, "schema_conflict"),
    (step_half_done, "half_applied"),
    (table_dropped, "schema_behind_ledger"),
    (rows_doubled, "duplicate_rows"),
    (history_and_schema_changed, "ledger_mismatch"),
]

LOSSES: list[tuple[Callable[[Home], None], str]] = [
    (lost, "missing_file"),
    (lost_with_its_sentinel, "missing_file"),
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
    (text_made_illegible, "corrupt"),
    (schema_made_illegible, "corrupt"),
    (command_made_illegible, "corrupt"),
    (row_without_its_index_entry, "index_corrupt"),
    (log_left_behind, "log_alone"),
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
