"""Copies are verified before they count, and bounded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from attn.paths import Home
from attn.store import backup, open_store
from attn.store.backup import Backup, kept, listed, make, newest_intact, rotate, write_durably
from attn.store.database import Database
from attn.store.failures import StoreFailure
from attn.store.opening import Store
from tests.store.conftest import NOW_MS


@pytest.fixture
def store(home: Home) -> Iterator[Store]:
    store = open_store(home, now_ms=NOW_MS)
    store.places.remember("/x", 1)
    yield store
    store.close()


def test_a_copy_holds_every_row_and_says_so(store: Store) -> None:
    made = store.back_up("manual", NOW_MS)
    assert made is not None and made == newest_intact(store.home.backups)
    assert made.rows["recent_locations"] == 1 and made.schema == 4
    copy = Database.open_copy(Path(made.path))
    assert copy.one("SELECT path FROM recent_locations") == "/x"
    copy.close()
    assert Path(made.path).name == "attn-20231114T221320000-s4-manual.db"


def test_nobody_else_can_read_it_and_nothing_unfinished_stays(store: Store) -> None:
    store.back_up("manual", NOW_MS)
    entries = list(store.home.backups.iterdir())
    assert sorted(entry.suffix for entry in entries) == [".db", ".json"]
    assert all(entry.stat().st_mode & 0o77 == 0 for entry in (*entries, store.home.backups))


def test_the_newest_are_kept(store: Store) -> None:
    for number in range(backup.KEPT + 3):
        store.settings.set("number", str(number))
        store.back_up("timer", NOW_MS + number)
    kept = listed(store.home.backups)
    assert [each.at_ms - NOW_MS for each in kept] == [7, 6, 5, 4, 3]
    assert len(list(store.home.backups.iterdir())) == 2 * backup.KEPT


def test_a_copy_that_was_damaged_since_is_neither_named_nor_taken_for_a_new_one(store: Store) -> None:
    older = store.back_up("timer", NOW_MS)
    store.settings.set("theme", "dark")
    newest = store.back_up("timer", NOW_MS + 1)
    assert older is not None and newest is not None and newest_intact(store.home.backups) == newest
    Path(newest.path).write_bytes(Path(newest.path).read_bytes()[:-1] + b"x")
    assert newest_intact(store.home.backups) == older
    again = store.back_up("timer", NOW_MS + 2)
    assert again is not None and again.path != newest.path and newest_intact(store.home.backups) == again
    Path(again.path).unlink()
    assert newest_intact(store.home.backups) == older


def test_nothing_new_is_not_copied_again(store: Store) -> None:
    first = store.back_up("timer", NOW_MS)
    assert store.back_up("timer", NOW_MS + 1) == first
    assert len(list(store.home.backups.iterdir())) == 2


def test_a_copy_that_was_never_verified_does_not_count(store: Store) -> None:
    store.back_up("manual", NOW_MS)
    (store.home.backups / "attn-29990101T000000000-s4-manual.db").write_bytes(b"half")
    (store.home.backups / "attn-29990101T000000001-s4-manual.db").write_bytes(b"half")
    (store.home.backups / "attn-29990101T000000001-s4-manual.db.json").write_text("{")
    assert [each.at_ms for each in listed(store.home.backups)] == [NOW_MS]
    rotate(store.home.backups)
    assert len(listed(store.home.backups)) == 1


def test_a_copy_that_differs_is_refused_and_removed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    count = backup._counts

    def wrong_for_the_original(database: Database) -> dict[str, int]:
        return {**count(database), "prs": 1} if database is store.database else count(database)

    monkeypatch.setattr(backup, "_counts", wrong_for_the_original)
    with pytest.raises(StoreFailure) as raised:
        make(store.database, store.home.backups, "manual", NOW_MS)
    assert raised.value.code == "backup_failed"
    assert list(store.home.backups.iterdir()) == []


def test_a_place_that_cannot_be_written_is_a_failure(store: Store) -> None:
    store.home.backups.write_text("a file in the way")
    with pytest.raises(StoreFailure):
        store.back_up("manual", NOW_MS)


def test_a_small_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write_durably(path, b"one")
    write_durably(path, json.dumps({"a": 1}).encode())
    assert json.loads(path.read_bytes()) == {"a": 1} and path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def copy_of(at_ms: int, reason: str = "regular", schema: int = 4) -> Backup:
    return Backup(f"{at_ms}-{reason}-{schema}", at_ms, reason, schema, "0.1.0", {}, "")


def test_what_stays_reaches_back_a_week_and_is_bounded() -> None:
    hours = [copy_of(NOW_MS - n * 6 * 3600 * 1000) for n in range(400)]
    old = [copy_of(NOW_MS - (500 + n) * 24 * 3600 * 1000, "migration", n % 3) for n in range(9)]
    copies = sorted((*hours, *old), key=lambda copy: -copy.at_ms)
    staying = kept(copies)
    assert {copy.path for copy in hours[:5]} <= staying
    assert len({copy.at_ms // (24 * 3600 * 1000) for copy in hours if copy.path in staying}) == 7
    assert {copy.path for copy in old[:3]} <= staying and len(staying) <= 5 + 7 + 5 + 3
    assert kept(copies[:1]) == {copies[0].path} and kept([]) == set()
