"""A store that can be trusted, or a refusal that leaves everything as it was."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from attn.paths import Home
from attn.store import StoreFailure, open_store, opening
from attn.store.backup import listed
from attn.store.file import probes
from attn.store.file.sentinel import Sentinel
from attn.store.migrations import MIGRATIONS, Migration
from tests.store.conftest import NOW_MS, ROW, at_step, fingerprint, plain, refused, reopened, sentinel
from tests.store.losses import crashed


def names(steps: Sequence[Migration]) -> list[str]:
    return [step.name for step in steps]


def test_the_first_start_makes_a_private_complete_database(home: Home) -> None:
    store = open_store(home, now_ms=NOW_MS)
    assert (store.state, store.plan.empty, store.interrupted) == ("ok", True, False)
    assert sorted(path.name for path in home.root.iterdir()) == ["attn.db", "attn.db-wal", "attn.db.meta"]
    assert {path.stat().st_mode & 0o777 for path in home.root.iterdir()} == {0o600}
    store.close()


def test_everything_is_there_again(home: Home) -> None:
    store = open_store(home, now_ms=NOW_MS)
    store.sessions.upsert(ROW)
    store.places.remember("/x", 1)
    store.settings.set("theme", "dark")
    store.close()
    store = reopened(home)
    assert (store.sessions.list(), store.places.recent(), store.settings.get("theme")) == ([ROW], ["/x"], "dark")
    assert not store.interrupted and listed(home.backups) == []
    store.close()


def test_an_interrupted_run_is_noticed_and_nothing_is_lost(home: Home) -> None:
    store = open_store(home, now_ms=NOW_MS)
    store.sessions.upsert(ROW)
    for name in ("attn.db", "attn.db-wal", "attn.db.meta"):
        shutil.copy(home.root / name, home.root / f"{name}.kept")
    store.close()
    for name in ("attn.db", "attn.db-wal", "attn.db.meta"):
        (home.root / f"{name}.kept").replace(home.root / name)
    store = reopened(home)
    assert store.interrupted and store.sessions.list() == [ROW]
    store.close()


def test_in_memory_only_where_it_was_asked_for(home: Home) -> None:
    store = open_store(home, ephemeral=True, now_ms=NOW_MS)
    store.sessions.upsert(ROW)
    assert store.state == "ephemeral" and store.back_up("manual", NOW_MS) is None
    store.check()
    store.close()
    assert list(home.root.iterdir()) == []


def test_a_creation_that_was_interrupted_is_begun_again(home: Home) -> None:
    (home.root / "attn.db.new").write_bytes(b"half")
    (home.root / "attn.db.new-wal").write_bytes(b"half")
    reopened(home).close()
    assert sorted(path.name for path in home.root.iterdir()) == ["attn.db", "attn.db.meta"]


def test_an_empty_file_without_a_past_is_a_first_start(home: Home) -> None:
    home.database.touch()
    reopened(home).close()


@pytest.mark.parametrize("done", range(1, len(MIGRATIONS)))
def test_every_older_schema_is_brought_up_to_date_with_a_backup_before(home: Home, done: int) -> None:
    insert = "INSERT INTO prs (id, repo, number, title, url, role, state, updated_at_ms) VALUES"
    at_step(home, done, f"{insert} ('o/r#7', 'o/r', 7, 't', 'u', 'author', 'open', 1)")
    store = reopened(home)
    assert store.plan.run == MIGRATIONS[done:]
    assert store.database.one("SELECT count(*) FROM prs") == 1
    [made] = listed(home.backups)
    assert made.reason == "migration" and made.rows["prs"] == 1
    store.close()


def test_a_column_that_is_there_already_opens_without_a_word(home: Home) -> None:
    at_step(home, 1, "ALTER TABLE prs ADD COLUMN host TEXT NOT NULL DEFAULT 'github.com'")
    store = reopened(home)
    assert names(store.plan.adopt) == ["prs-host"]
    assert names(store.plan.run) == ["prs-id-with-host", "sessions-launch"]
    store.close()


def test_a_forgotten_line_of_the_ledger_is_written_again(home: Home) -> None:
    reopened(home).close()
    plain(home, ["DELETE FROM migrations WHERE name = 'prs-host'"])
    store = reopened(home)
    assert (names(store.plan.adopt), store.plan.run) == (["prs-host"], ())
    store.close()


def test_another_column_of_that_name_is_refused(home: Home) -> None:
    at_step(home, 1, "ALTER TABLE prs ADD COLUMN host INTEGER")
    failure = refused(home, "schema_conflict")
    assert "prs.host" in failure.message and failure.migration == "prs-host"


def test_rows_that_break_the_unique_index_are_refused(home: Home) -> None:
    insert = "INSERT INTO prs (id, repo, number, title, url, role, state, updated_at_ms) VALUES"
    at_step(home, 2, *(f"{insert} ('{i}', 'o/r', 7, 't', 'u', 'author', 'open', 1)" for i in (1, 2)))
    with pytest.raises(StoreFailure) as raised:
        open_store(home, now_ms=NOW_MS)
    assert raised.value.code == "duplicate_rows" and "github.com:o/r#7" in raised.value.message
    for later in range(1, 10):
        with pytest.raises(StoreFailure):
            open_store(home, now_ms=NOW_MS + later)
    assert [made.at_ms for made in listed(home.backups)] == []


def test_a_newer_database_is_refused_with_who_wrote_it(home: Home) -> None:
    at_step(home, 4, "INSERT INTO migrations VALUES ('2031-future', 'x', '9.9.9', 1, 'run')",
            "UPDATE file_facts SET value = '9' WHERE key = 'min_reader'",
            "UPDATE file_facts SET value = '9.9.9' WHERE key = 'written_by'")  # fmt: skip
    assert "9.9.9" in refused(home, "schema_newer").message


def test_a_newer_database_that_this_attn_may_use_is_used(home: Home) -> None:
    at_step(home, 4, "INSERT INTO migrations VALUES ('2031-future', 'x', '9.9.9', 1, 'run')",
            "ALTER TABLE sessions ADD COLUMN mood TEXT")  # fmt: skip
    store = open_store(home, now_ms=NOW_MS)
    store.sessions.upsert(ROW)
    assert store.sessions.list() == [ROW]
    store.close()


def test_the_database_of_the_go_original_is_recognised(home: Home) -> None:
    plain(home, ["CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY, applied_at TEXT)",
                 "CREATE TABLE sessions (id TEXT PRIMARY KEY, label TEXT, directory TEXT)",
                 "INSERT INTO sessions VALUES ('a', 'b', 'c')"])  # fmt: skip
    assert "Go" in refused(home, "foreign_schema").message


def test_a_schema_that_somebody_edited_is_refused(home: Home) -> None:
    reopened(home).close()
    plain(home, ["DROP TABLE recent_locations"])
    refused(home, "schema_behind_ledger")
    plain(home, ["CREATE TABLE extra (a)"])


def test_a_trigger_that_somebody_added_is_refused(home: Home) -> None:
    reopened(home).close()
    plain(home, ["CREATE TRIGGER t AFTER DELETE ON prs BEGIN SELECT 1; END"])
    refused(home, "schema_conflict")


LEDGERS = [
    "UPDATE migrations SET checksum = 'x' WHERE name = 'baseline'",
    "DELETE FROM migrations",
    "DROP TABLE migrations",
    "DELETE FROM file_facts",
    "PRAGMA user_version = 2",
    "PRAGMA application_id = 7",
]


@pytest.mark.parametrize("change", LEDGERS)
def test_a_wrong_history_of_a_right_schema_is_put_right_after_a_backup(home: Home, change: str) -> None:
    store = reopened(home)
    store.sessions.upsert(ROW)
    store.close()
    plain(home, [change])
    store = reopened(home)
    assert not store.plan.empty and len(listed(home.backups)) == 1 and store.sessions.list() == [ROW]
    store.close()
    store = reopened(home)
    assert store.plan.empty
    store.close()


def test_a_wrong_history_of_a_wrong_schema_is_refused(home: Home) -> None:
    reopened(home).close()
    plain(home, ["UPDATE migrations SET checksum = 'x' WHERE name = 'baseline'", "CREATE TABLE extra (a)"])
    refused(home, "ledger_mismatch")


@pytest.mark.parametrize("change", ["ALTER TABLE sessions DROP COLUMN cause", "DROP INDEX prs_host_repo_number"])
def test_what_is_missing_and_loses_nothing_is_made_again_after_a_backup(home: Home, change: str) -> None:
    store = reopened(home)
    store.sessions.upsert(ROW)
    store.close()
    plain(home, [change])
    store = reopened(home)
    assert len(store.plan.restore) == 1 and len(listed(home.backups)) == 1 and store.sessions.list() == [ROW]
    store.close()


def test_no_backup_no_migration(home: Home) -> None:
    at_step(home, 1)
    home.backups.write_text("a file in the way")
    refused(home, "backup_failed")
    home.backups.unlink()
    assert reopened(home).plan.run == MIGRATIONS[1:]


def test_a_replaced_file_is_noticed_while_it_is_open(home: Home) -> None:
    store = open_store(home, now_ms=NOW_MS)
    shutil.copy(home.database, home.root / "other.db")
    (home.root / "other.db").replace(home.database)
    with pytest.raises(StoreFailure) as raised:
        store.check()
    assert raised.value.code == "file_moved"
    with pytest.raises(StoreFailure):
        store.sessions.upsert(ROW)
    store.close()


def test_a_file_that_others_could_read_is_made_private(home: Home) -> None:
    reopened(home).close()
    home.database.chmod(0o644)
    reopened(home).close()
    assert home.database.stat().st_mode & 0o777 == 0o600


def test_a_damaged_sentinel_still_says_that_there_was_a_database(home: Home) -> None:
    sentinel(home)
    home.sentinel.write_text("{")
    refused(home, "missing_file")
    home.sentinel.write_text(json.dumps([1]))
    refused(home, "missing_file")


def test_a_change_that_fails_twice_is_not_tried_again_until_somebody_asks(home: Home) -> None:
    at_step(home, 1, "INSERT INTO prs VALUES ('o/r#7', 'o/r', 7, 't', 'u', 'author', 'open', 1)",
            "CREATE TRIGGER t BEFORE UPDATE ON prs BEGIN SELECT RAISE(ABORT, 'no'); END")  # fmt: skip
    before = fingerprint(home)["attn.db"]
    for tried in (1, 2, 2, 2):
        with pytest.raises(StoreFailure) as raised:
            open_store(home, now_ms=NOW_MS)
        failure, left = raised.value, Sentinel.read(home.sentinel)
        assert failure.code == "migration_failed" and failure.migration and left and left.failed_times == tried
        assert fingerprint(home)["attn.db"] == before
    assert "2 times" in failure.message and len(listed(home.backups)) == 1
    plain(home, ["DROP TRIGGER t"])
    with pytest.raises(StoreFailure):
        open_store(home, now_ms=NOW_MS)
    store = open_store(home, retry=True, now_ms=NOW_MS)
    assert store.plan.run == MIGRATIONS[1:] and store.sentinel.failed_times == 0
    store.close()


def test_the_older_of_two_versions_says_so_at_every_start(home: Home) -> None:
    reopened(home).close()
    left = Sentinel.read(home.sentinel)
    assert left is not None
    replace(left, newest_version="9.9.9", newest_python="/new/bin/python").write(home.sentinel)
    for _ in range(3):
        store = reopened(home)
        [warning] = store.warnings
        assert (warning.code, warning.path) == ("binary_mismatch", Path("/new/bin/python")) and "9.9.9" in warning.text
        store.close()


def test_rows_that_refer_to_nothing_are_a_warning(home: Home) -> None:
    at_step(home, 4, "INSERT INTO migrations VALUES ('2031-future', 'x', '9.9.9', 1, 'run')",
            "CREATE TABLE notes (a TEXT REFERENCES sessions (id))", "INSERT INTO notes VALUES ('gone')")  # fmt: skip
    store = open_store(home, now_ms=NOW_MS)
    assert [warning.code for warning in store.warnings] == ["fk_violation"]
    store.close()


def test_an_sqlite_that_is_too_old_is_not_used(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "library_version", lambda: "3.31.1")
    assert "3.31.1" in refused(home, "sqlite_version").message and list(home.root.iterdir()) == []


def test_what_was_open_is_rescued_when_the_file_is_replaced(home: Home) -> None:
    store = open_store(home, now_ms=NOW_MS)
    store.sessions.upsert(ROW)
    other = home.root / "other.db"
    with closing(sqlite3.connect(other, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE theirs (a)")
        shutil.copy(other, home.database.with_suffix(".new"))
        shutil.copy(f"{other}-wal", f"{home.database}-wal.new")
    home.database.with_suffix(".new").replace(home.database)
    Path(f"{home.database}-wal.new").replace(f"{home.database}-wal")
    theirs = fingerprint(home)
    made = store.rescue(NOW_MS)
    assert made is not None and made.reason == "rescued" and made.rows["sessions"] == 1
    assert {name: digest for name, digest in fingerprint(home).items() if name.startswith("attn.db")} == {
        name: digest for name, digest in theirs.items() if name.startswith("attn.db")
    }


def test_a_program_that_works_on_the_database_is_waited_for(home: Home) -> None:
    """Its log is no foreign one: it goes with the program."""
    reopened(home).close()
    work = (
        "import sqlite3, sys; database = sqlite3.connect(sys.argv[1], isolation_level=None);"
        " database.execute('INSERT INTO settings VALUES (1, 2)'); print('done', flush=True); sys.stdin.read();"
        " database.close()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", work, str(home.database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == b"done\n"
        with pytest.raises(StoreFailure) as raised:
            open_store(home, now_ms=NOW_MS)
        assert (raised.value.code, raised.value.pid) == ("store_locked", str(process.pid))
        process.communicate()
    store = reopened(home)
    assert store.settings.all() == {"1": "2"}
    store.close()


def test_what_stands_in_the_place_of_the_sentinel_is_named(home: Home) -> None:
    reopened(home).close()
    home.sentinel.unlink()
    home.sentinel.mkdir()
    assert str(home.sentinel) in refused(home, "io_error").message


def test_a_log_that_is_gone_after_a_kill_is_told_and_one_that_was_brought_in_is_not(home: Home) -> None:
    crashed(home)
    log = home.root / "attn.db-wal"
    written = "2001-02-03"
    os.utime(home.database, (datetime.fromisoformat(written).timestamp(),) * 2)
    log.unlink()
    store = open_store(home, now_ms=NOW_MS)
    [warning] = store.warnings
    assert (warning.code, warning.path) == ("log_missing", home.database)
    assert str(log) in warning.text and written in warning.text and "sqlite3" in warning.text
    store.close()
    for _ in range(2):
        store = reopened(home)
        assert store.warnings == [], "it ended in order"
        store.settings.set("theme", "dark")
        store.rest()
        assert log.stat().st_size
        store.rest()
        assert not log.stat().st_size, "it is quiet: everything is in the database"
        store.settings.set("theme", "light")
        origin = probes.log_origin(home.database)
        assert origin is not None and origin == store.sentinel.log_origin
        store.close()
