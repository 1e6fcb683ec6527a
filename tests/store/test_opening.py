"""A store that can be trusted, or a refusal that leaves everything as it was."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from attn.core import health
from attn.paths import Home
from attn.store import SessionRow, StoreFailure, open_store, schema
from attn.store.backup import listed
from attn.store.migrations import MIGRATIONS
from attn.store.opening import Store
from tests.store.conftest import NOW_MS, at_step, fingerprint, plain, sentinel

ROW = SessionRow("abcde00001", "web", "codex", ["codex"], "/home/x", "running", 40, 120, 1000)


def refused(home: Home, code: str) -> StoreFailure:
    """Opening fails with this code, three times over, and no file of the database changes."""
    before = fingerprint(home)
    for _ in range(3):
        with pytest.raises(StoreFailure) as raised:
            open_store(home, now_ms=NOW_MS)
        assert raised.value.code == code and code in health.KINDS
    assert fingerprint(home) == before
    return raised.value


def reopened(home: Home) -> Store:
    store = open_store(home, now_ms=NOW_MS)
    assert schema.differences(schema.inspect(store.database), schema.canonical()) == []
    return store


def test_the_first_start_makes_a_private_complete_database(home: Home) -> None:
    store = open_store(home, now_ms=NOW_MS)
    assert (store.state, store.migrated, store.interrupted) == ("ok", [], False)
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


def log_left_behind(home: Home) -> None:
    home.database.replace(home.root / "elsewhere.db")
    (home.root / "attn.db-wal").write_bytes(b"log")


def dangling(home: Home) -> None:
    home.database.replace(home.root / "elsewhere.db")
    home.database.symlink_to(home.root / "nowhere.db")


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
    (cut_in_the_middle, "corrupt"),
    (page_overwritten, "corrupt"),
    (log_left_behind, "wal_mismatch"),
    (dangling, "symlink"),
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


@pytest.mark.parametrize("done", range(1, len(MIGRATIONS)))
def test_every_older_schema_is_brought_up_to_date_with_a_backup_before(home: Home, done: int) -> None:
    insert = "INSERT INTO prs (id, repo, number, title, url, role, state, updated_at_ms) VALUES"
    at_step(home, done, f"{insert} ('o/r#7', 'o/r', 7, 't', 'u', 'author', 'open', 1)")
    store = reopened(home)
    assert store.migrated == [step.name for step in MIGRATIONS[done:]]
    assert store.database.one("SELECT count(*) FROM prs") == 1
    [made] = listed(home.backups)
    assert made.reason == "migration" and made.rows["prs"] == 1
    store.close()


def test_a_column_that_is_there_already_opens_without_a_word(home: Home) -> None:
    at_step(home, 1, "ALTER TABLE prs ADD COLUMN host TEXT NOT NULL DEFAULT 'github.com'")
    store = reopened(home)
    assert store.adopted == ["prs-host"]
    assert store.migrated == ["prs-id-with-host", "sessions-launch"]
    store.close()


def test_a_forgotten_line_of_the_ledger_is_written_again(home: Home) -> None:
    reopened(home).close()
    plain(home, ["DELETE FROM migrations WHERE name = 'prs-host'"])
    store = reopened(home)
    assert (store.adopted, store.migrated) == (["prs-host"], [])
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
    assert [made.at_ms for made in listed(home.backups)] == [NOW_MS]


PREFIXES = [
    (done, count) for done, step in enumerate(MIGRATIONS) if done for count in range(1, len(step.statements) + 1)
]


@pytest.mark.parametrize(("done", "count"), PREFIXES)
def test_every_half_done_step_is_finished_or_refused(home: Home, done: int, count: int) -> None:
    step = MIGRATIONS[done]
    at_step(home, done, *step.statements[:count])
    try:
        reopened(home).close()
    except StoreFailure as failure:
        assert failure.code == "half_applied" and 0 < count < len(step.statements)
        refused(home, "half_applied")


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


def test_a_changed_history_is_refused(home: Home) -> None:
    reopened(home).close()
    plain(home, ["UPDATE migrations SET checksum = 'x' WHERE name = 'baseline'"])
    refused(home, "ledger_mismatch")


def test_no_backup_no_migration(home: Home) -> None:
    at_step(home, 1)
    home.backups.write_text("a file in the way")
    before = fingerprint(home)["backups"]
    with pytest.raises(StoreFailure):
        open_store(home, now_ms=NOW_MS)
    home.backups.unlink()
    assert before and reopened(home).migrated == [step.name for step in MIGRATIONS[1:]]


def test_a_file_that_may_not_be_written_is_refused(tmp_path: Path) -> None:
    assert _as_nobody(lambda home: home.database.chmod(0o400)) == "permission_denied"


def test_a_directory_that_may_not_be_written_is_refused() -> None:
    assert _as_nobody(lambda home: home.root.chmod(0o500)) == "home_unwritable"


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


def _as_nobody(change: Callable[[Home], None]) -> str:
    """What opening says to a user who is not root (root may write everything), in a process of its own."""
    import tempfile

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
