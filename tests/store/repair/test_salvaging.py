"""Nothing is lost but what stood on the damaged page, and what is lost is named."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

from attn.paths import Home
from attn.store import StoreFailure, open_store, schema
from attn.store.database import Database
from attn.store.repair import image, proposals
from attn.store.repair.image import PAGE_BYTES
from tests.store.conftest import plain
from tests.store.repair.conftest import NOW_MS, SESSIONS, contents, session

SCHEMA_SQL = Path(schema.__file__).with_name("schema.sql")


def test_rows_that_are_lost_with_their_index_are_not_called_saved(full: Home) -> None:
    whole = full.database.read_bytes()
    database = Database.of_image(image.plain(image.read(full.database)) or b"")
    pages = database.rows(
        "SELECT pageno FROM dbstat WHERE name IN ('sessions', 'sqlite_autoindex_sessions_1') AND pagetype = 'leaf'"
    )
    database.close()
    data = bytearray(whole)
    for number in (int(str(number)) for (number,) in pages):
        data[(number - 1) * PAGE_BYTES : number * PAGE_BYTES] = bytes(PAGE_BYTES)
    full.database.write_bytes(data)
    proposal = proposals.salvage(full, (), NOW_MS)
    assert contents(proposal.image)["sessions"] == {} and proposal.uncertain
    assert "lost: perhaps rows that nothing names any more" in proposal.lines


def test_a_bound_that_says_nothing_is_not_told(full: Home) -> None:
    data = bytearray(full.database.read_bytes())
    database = Database.of_image(image.plain(image.read(full.database)) or b"")
    roots = database.rows("SELECT rootpage FROM sqlite_schema WHERE name IN ('prs', 'sqlite_autoindex_prs_1')")
    database.close()
    for root in (int(str(page)) for (page,) in roots):
        data[(root - 1) * PAGE_BYTES : root * PAGE_BYTES] = b"\x77" * PAGE_BYTES
    full.database.write_bytes(data)
    proposal = proposals.salvage(full, (), NOW_MS)
    assert len(contents(proposal.image)["prs"]) > 80 and proposal.uncertain
    assert not re.search(r"up to \d{6}", "\n".join(proposal.lines))


def test_a_row_whose_facts_became_those_of_another_is_counted_as_lost(full: Home) -> None:
    data, bit = full.database.read_bytes(), b"github.com:o/r#76o/r"
    assert data.count(bit + bytes([76])) == 1
    full.database.write_bytes(data.replace(bit + bytes([76]), bit + bytes([76 ^ 32])))
    proposal = proposals.salvage(full, (), NOW_MS)
    assert ("github.com:o/r#108",) in contents(proposal.image)["prs"] and proposal.lost == 1
    assert "lost: 1 rows: prs github.com:o/r#76" in proposal.lines
    assert any(line.startswith("contradict themselves") and "o/r#108" in line for line in proposal.lines)


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
    assert not re.search(r"up to \d{6}", "\n".join(proposal.lines)), "a bound that says nothing is not told"


def test_a_log_alone_that_cannot_be_read_is_not_called_everything(full: Home) -> None:
    full.database.unlink()
    full.database.with_name("attn.db-wal").write_bytes(b"log")
    proposal = proposals.salvage(full, (), NOW_MS)
    assert proposal.uncertain and "lost: perhaps rows that nothing names any more" in proposal.lines


def test_where_rows_are_lost_the_newest_good_backup_is_named(full: Home) -> None:
    store = open_store(full, now_ms=NOW_MS)
    made = store.back_up("manual", NOW_MS)
    store.close()
    assert made is not None and not any("backup" in line for line in proposals.salvage(full, (), NOW_MS).lines)
    full.database.write_text("a text " * 50)
    last = proposals.salvage(full, (), NOW_MS).lines[-1]
    assert "60 sessions" in last and last.endswith(f"attn restore {made.path} --apply")


def test_a_session_that_makes_no_sense_is_left_out_and_kept_apart(full: Home) -> None:
    plain(full, ["UPDATE sessions SET argv = '[[' WHERE id = 'sess00007'"])
    proposal = proposals.salvage(full, (), NOW_MS)
    assert proposal.needed and ("sess00007",) not in contents(proposal.image)["sessions"]
    assert proposal.report["left_out"][0]["row"]["id"] == "sess00007"


def test_sessions_that_come_back_by_themselves_are_told_apart(full: Home) -> None:
    whole = full.database.read_bytes()
    database = Database.of_image(image.plain(image.read(full.database)) or b"")
    number = int(str(database.one("SELECT pageno FROM dbstat WHERE name = 'sessions' AND pagetype = 'leaf'")))
    database.close()
    at = (number - 1) * PAGE_BYTES
    full.database.write_bytes(whole[:at] + bytes(PAGE_BYTES) + whole[at + PAGE_BYTES :])
    ids = {session(number).id for number in range(SESSIONS)}
    text = "\n".join(proposals.salvage(full, ids, NOW_MS).lines)
    assert re.search(r"lost: \d+ rows.*: sessions sess", text)
    assert re.search(r"of these, \d+ sessions come back from their own files", text)
