"""Nothing is lost but what stood on the damaged page, and what is lost is named."""

from __future__ import annotations

import os
import random
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from attn.paths import Home
from attn.store import StoreFailure, open_store, schema
from attn.store.repair import carving, image, proposals
from attn.store.repair.image import PAGE_BYTES
from tests.store.repair.conftest import DAMAGES, KEYS, NOW_MS, SESSIONS, contents, session

SCHEMA_SQL = Path(schema.__file__).with_name("schema.sql")
ROUNDS = 12 if os.environ.get("ATTN_TEST_FULL") else 1


def on_page(whole: bytes, number: int) -> set[tuple[str, tuple[object, ...]]]:
    """Keys of the rows that have any of their bytes on a page."""
    found = set()
    for page in range(1, len(whole) // PAGE_BYTES + 1):
        records = list(carving._records(whole, page))
        for table, columns in schema.canonical().tables.items():
            for row in [carving._fitted(record, columns) for record in records] if table in KEYS else ():
                if row is not None and number in {page} | _elsewhere(whole, row):
                    found.add((table, tuple(row[key] for key in KEYS[table])))
    return found


def _elsewhere(whole: bytes, row: carving.Record) -> set[int]:
    """Where a row that does not fit on its page may go on: every page that is no page of a tree."""
    if sum(len(str(value)) for value in row.values()) < PAGE_BYTES - 200:
        return set()
    return {n for n in range(2, len(whole) // PAGE_BYTES + 1) if whole[(n - 1) * PAGE_BYTES] not in (2, 5, 10, 13)}


@pytest.mark.parametrize("damage", DAMAGES, ids=[damage.__name__ for damage in DAMAGES])
def test_nothing_is_lost_beyond_the_damaged_page(full: Home, damage: Callable[[random.Random, bytes], bytes]) -> None:
    whole = full.database.read_bytes()
    before = contents(image.plain(image.read(full.database)) or b"")
    assert len(whole) // PAGE_BYTES > 15
    lost_somewhere = 0
    for seed in range(ROUNDS):
        for number in range(1, len(whole) // PAGE_BYTES + 1):
            rng = random.Random(f"{seed} {number}")
            at = (number - 1) * PAGE_BYTES
            data = whole[:at] + damage(rng, whole[at : at + PAGE_BYTES]) + whole[at + PAGE_BYTES :]
            full.database.write_bytes(data)
            touched = on_page(whole, number)
            proposal = proposals.salvage(full, (), NOW_MS)
            after = contents(proposal.image)
            missing = {
                (table, key) for table, rows in before.items() for key, row in rows.items()
                if after[table].get(key) != row
            }  # fmt: skip
            assert missing <= touched, f"seed {seed} page {number}: {sorted(missing - touched, key=str)[:5]}"
            gone = {(t, k) for t, rows in before.items() for k in rows if k not in after[t]}
            assert proposal.lost or proposal.uncertain or not gone, (
                f"seed {seed} page {number}: {len(gone)} rows lost without a word"
            )
            lost_somewhere += len(gone)
    if damage.__name__ in ("trash", "zero"):
        assert lost_somewhere


def test_pages_of_a_foreign_log_do_not_count(full: Home, tmp_path: Path) -> None:
    before = contents(image.plain(image.read(full.database)) or b"")
    full.sentinel.unlink()  # so that nobody knows
    other = Home(tmp_path / "o", tmp_path / "s", is_default=False)
    other.root.mkdir()
    store = open_store(other, now_ms=NOW_MS)
    store.sessions.upsert(session(7000))
    full.database.with_name("attn.db-wal").write_bytes(other.database.with_name("attn.db-wal").read_bytes())
    store.close()
    proposal = proposals.salvage(full, (), NOW_MS)
    assert contents(proposal.image) == before and proposal.lost == 0
    assert "read without its log" in proposal.lines


def test_a_whole_foreign_log_is_left_aside(full: Home, tmp_path: Path) -> None:
    before = contents(image.plain(image.read(full.database)) or b"")
    full.sentinel.unlink()  # so that nobody knows
    other = sqlite3.connect(tmp_path / "o.db", isolation_level=None)
    other.executescript("PRAGMA journal_mode = WAL; BEGIN;" + SCHEMA_SQL.read_text() + "COMMIT;")
    other.execute("INSERT INTO file_facts VALUES ('uuid', 'another')")
    full.database.with_name("attn.db-wal").write_bytes((tmp_path / "o.db-wal").read_bytes())
    other.close()
    proposal = proposals.salvage(full, (), NOW_MS)
    assert contents(proposal.image) == before and proposal.lost == 0
    assert "the log belongs to another database and is left aside" in proposal.lines


def test_an_old_log_of_the_same_database_is_left_aside_when_the_last_daemon_says_so(full: Home) -> None:
    store = open_store(full, now_ms=NOW_MS)
    store.sessions.upsert(session(7000))
    old = full.database.with_name("attn.db-wal").read_bytes()
    store.sessions.delete("sess07000")
    store.settings.set("theme", "light")
    store.close()
    before = contents(image.plain(image.read(full.database)) or b"")
    full.database.with_name("attn.db-wal").write_bytes(old)
    assert contents(image.whole(image.read(full.database)) or b"") != before, "SQLite itself would take the old rows"
    proposal = proposals.salvage(full, (), NOW_MS)
    assert contents(proposal.image) == before and "1 rows are only found with that log" in "\n".join(proposal.lines)
    with pytest.raises(StoreFailure, match="wal_mismatch"):
        proposals.schema_repair(full, NOW_MS)


def test_what_is_only_in_the_log_is_read(full: Home) -> None:
    store = open_store(full, now_ms=NOW_MS)
    store.sessions.upsert(session(7000))
    kept = {name: (full.root / name).read_bytes() for name in ("attn.db", "attn.db-wal")}
    running = full.sentinel.read_bytes()
    store.close()
    for name, data in kept.items():
        (full.root / name).write_bytes(data)
    full.sentinel.write_bytes(running)
    proposal = proposals.salvage(full, (), NOW_MS)
    assert ("sess07000",) in contents(proposal.image)["sessions"] and proposal.lost == 0


def test_a_log_whose_database_is_gone_gives_what_it_holds(full: Home) -> None:
    store = open_store(full, now_ms=NOW_MS)
    store.sessions.upsert(session(7000))
    log = full.database.with_name("attn.db-wal").read_bytes()
    store.close()
    full.database.unlink()
    full.database.with_name("attn.db-wal").write_bytes(log)
    proposal = proposals.salvage(full, (), NOW_MS)
    assert ("sess07000",) in contents(proposal.image)["sessions"] and proposal.uncertain


def test_sessions_that_come_back_by_themselves_are_told_apart(full: Home) -> None:
    whole = full.database.read_bytes()
    pages = [n for n in range(2, len(whole) // PAGE_BYTES + 1) if any(t == "sessions" for t, _ in on_page(whole, n))]
    at = (pages[0] - 1) * PAGE_BYTES
    full.database.write_bytes(whole[:at] + bytes(PAGE_BYTES) + whole[at + PAGE_BYTES :])
    ids = {session(number).id for number in range(SESSIONS)}
    text = "\n".join(proposals.salvage(full, ids, NOW_MS).lines)
    assert re.search(r"lost: \d+ rows.*: sessions sess", text)
    assert re.search(r"of these, \d+ sessions come back from their own files", text)
