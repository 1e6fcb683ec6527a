"""A disk that fails at any operation: opening, migrating and backing up end with the old state or the new one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from attn.paths import Home
from attn.store import StoreFailure, open_store, schema
from attn.store.backup import listed, make_for_person
from attn.store.database import Database
from tests.store.conftest import NOW_MS, ROW, at_step, reopened
from tests.store.faulty_disk import Death, Fault, each_death, each_failure, mounted

PR = "INSERT INTO prs (id, repo, number, title, url, role, state, updated_at_ms) VALUES"


@pytest.fixture
def old(home: Home) -> Home:
    """A home with a database of the first release, with rows."""
    at_step(home, 1, *(f"{PR} ('o/r#{n}', 'o/r', {n}, 't', 'u', 'author', 'open', 1)" for n in range(1, 30)))
    return home


def keep(home: Home) -> Callable[[], None]:
    """Remember the home as it is; the result puts it back."""
    kept = home.root.with_name("kept")
    shutil.copytree(home.root, kept)

    def put_back() -> None:
        shutil.rmtree(home.root)
        shutil.copytree(kept, home.root)

    return put_back


def state(home: Home) -> tuple[list[str], int]:
    """Which steps stand in the database, read from a copy of its files, and how many rows it has."""
    copy = home.root.with_name("copy")
    shutil.copytree(home.root, copy)
    database = Database.open(copy / "attn.db")
    try:
        assert database.damage(thorough=True) == []
        columns = schema.inspect(database).tables["prs"].keys()
        names = [str(name) for (name,) in database.rows("SELECT name FROM migrations ORDER BY rowid")]
        assert ("host" in columns) == ("prs-host" in names), "the ledger says something else than the schema"
        return names, int(str(database.one("SELECT count(*) FROM prs")))
    finally:
        database.close()
        shutil.rmtree(copy)


def start(home: Home) -> None:
    open_store(home, now_ms=NOW_MS).close()


@pytest.mark.parametrize("lasting", [False, True])
@pytest.mark.parametrize("fault", ["io_error", "full"])
def test_a_migration_on_a_failing_disk_is_done_or_not_and_never_half(old: Home, fault: Fault, lasting: bool) -> None:
    put_back, seen, reported = keep(old), set(), set()
    for n, raised in each_failure(lambda: start(old), fault, StoreFailure, lasting=lasting):
        names, rows = state(old)
        assert rows == 29 and len(names) in (1, 4), (n, names)
        assert len(names) == 1 or [made.reason for made in listed(old.backups)] == ["migration"]
        if raised is None:
            assert len(names) == 4, f"operation {n} failed, the migration did not happen, and nothing was said"
        reported.add(raised.code if isinstance(raised, StoreFailure) else "")
        seen.add(len(names))
        reopened(old).close()
        put_back()
    assert seen == {1, 4} and reported <= {"", "io_error", "disk_full", "backup_failed"}


@pytest.mark.parametrize("fault", ["kill", "torn", "power"])
def test_a_migration_that_is_killed_anywhere_is_done_or_not(old: Home, fault: Death) -> None:
    put_back, seen = keep(old), set()
    for n in each_death(lambda: start(old), fault):
        names, rows = state(old)
        assert rows == 29 and len(names) in (1, 4), (n, names)
        seen.add(len(names))
        reopened(old).close()
        put_back()
    assert seen == {1, 4}


@pytest.mark.parametrize("fault", ["kill", "torn", "power"])
def test_a_first_start_that_is_killed_anywhere_is_begun_again(home: Home, fault: Death) -> None:
    for _ in each_death(lambda: start(home), fault):
        reopened(home).close()
        shutil.rmtree(home.root)
        home.root.mkdir()


@pytest.mark.parametrize("fault", ["io_error", "full"])
def test_a_write_that_returned_is_there_and_one_that_raised_was_not_said_to_be(home: Home, fault: Fault) -> None:
    start(home)
    put_back = keep(home)

    def write() -> None:
        store = open_store(home, now_ms=NOW_MS)
        try:
            store.sessions.upsert(ROW)
        finally:
            store.close()

    for _, raised in each_failure(write, fault, StoreFailure):
        store = reopened(home)
        assert store.sessions.list() == [ROW] or (raised is not None and store.sessions.list() == [])
        store.close()
        put_back()


def test_what_was_said_to_be_saved_outlasts_a_power_cut(home: Home) -> None:
    start(home)
    put_back, said = keep(home), home.root.with_name("said")

    def write() -> None:
        said.write_text("")
        store = open_store(home, now_ms=NOW_MS)
        for n in range(4):
            store.sessions.upsert(replace(ROW, id=f"row{n:07d}"))
            said.write_text(str(n + 1))
        store.close()

    for _ in each_death(write, "power"):
        store = reopened(home)
        assert len(store.sessions.list()) >= int(said.read_text() or 0)
        store.close()
        put_back()


@pytest.mark.parametrize("fault", ["io_error", "full"])
def test_a_backup_on_a_failing_disk_is_verified_or_not_there(home: Home, fault: Fault) -> None:
    store = reopened(home)
    store.sessions.upsert(ROW)
    store.close()

    def back_up() -> None:
        opened = open_store(home, now_ms=NOW_MS)
        try:
            opened.back_up("manual", NOW_MS)
        finally:
            opened.close()

    for _, raised in each_failure(back_up, fault, StoreFailure):
        made = listed(home.backups)
        assert bool(made) or raised is not None
        for backup in made:
            copy = Database.open_copy(Path(backup.path))
            assert copy.damage(thorough=True) == [] and backup.rows["sessions"] == 1
            copy.close()
        assert [path for path in home.backups.glob("*") if path.suffix not in (".db", ".json")] == []
        shutil.rmtree(home.backups, ignore_errors=True)
        reopened(home).close()


@pytest.mark.parametrize("fault", ["io_error", "full"])
def test_a_backup_elsewhere_on_a_failing_disk_is_good_or_not_there(home: Home, fault: Fault) -> None:
    store = reopened(home)
    store.sessions.upsert(ROW)
    store.close()
    folder = home.root.with_name("elsewhere")
    folder.mkdir()

    def back_up() -> None:
        opened = open_store(home, now_ms=NOW_MS)
        try:
            make_for_person(opened.database, home.backups, folder / "mine.db", NOW_MS)
        finally:
            opened.close()

    for n, raised in each_failure(back_up, fault, StoreFailure):
        if (folder / "mine.db").exists():
            copy = Database.open_copy(folder / "mine.db")
            assert copy.damage(thorough=True) == [] and copy.one("SELECT count(*) FROM sessions") == 1
            copy.close()
            shutil.rmtree(folder)
            folder.mkdir()
        else:
            assert raised is not None, f"operation {n} failed, there is no backup, and nothing was said"
        assert list(folder.iterdir()) == [], "something unfinished was left"
        reopened(home).close()


def test_the_disk_counts_what_it_is_asked(home: Home) -> None:
    with mounted() as disk:
        start(home)
    assert disk.operations > 20 and disk.failed == 0
