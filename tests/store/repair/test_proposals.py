"""What would be done is known, and told, before anything is touched."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import pytest

from attn.paths import Home
from attn.store import StoreFailure, open_store, schema
from attn.store.database import Database
from attn.store.migrations import MIGRATIONS
from attn.store.repair import proposals
from attn.store.repair.proposals import Proposal
from tests.store.conftest import at_step, plain
from tests.store.repair.conftest import NOW_MS, contents, fill, session

INSERT = "INSERT INTO prs (id, repo, number, title, url, role, state, updated_at_ms) VALUES"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    root = tmp_path / "home"
    root.mkdir(mode=0o700)
    return Home(root, root / "s", is_default=False)


@pytest.fixture
def untouched(home: Home) -> Iterable[None]:
    yield
    assert not (home.aside.exists() or home.intent.exists())


def repaired(home: Home, proposal: Proposal) -> Database:
    """The proposed database opens without a word."""
    home.database.with_name("attn.db-wal").unlink(missing_ok=True)
    home.database.write_bytes(proposal.image)
    store = open_store(home, now_ms=NOW_MS)
    store.close()
    database = Database.of_image(proposal.image)
    assert schema.differences(schema.inspect(database), schema.canonical()) == []
    return database


SCHEMAS = {
    "a column is missing that the ledger names": ["ALTER TABLE sessions DROP COLUMN cwd"],
    "a step is half done": [
        "DELETE FROM migrations WHERE name = 'sessions-launch'",
        "ALTER TABLE sessions DROP COLUMN cause",
    ],
    "a column is another one": ["ALTER TABLE prs DROP COLUMN title", "ALTER TABLE prs ADD COLUMN title INTEGER"],
    "a column of somebody's": ["ALTER TABLE settings ADD COLUMN mine TEXT DEFAULT 'x'"],
    "a table of somebody's": ["CREATE TABLE mine (a)", "INSERT INTO mine VALUES (7)"],
    "an index is another one": ["DROP INDEX prs_host_repo_number", "CREATE INDEX prs_host_repo_number ON prs (host)"],
    "a trigger": ["CREATE TRIGGER t AFTER INSERT ON prs BEGIN SELECT 1; END"],
    "another checksum": [
        "ALTER TABLE prs ADD COLUMN mine TEXT",
        "UPDATE migrations SET checksum = 'x' WHERE name = 'baseline'",
    ],
}


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("changes", SCHEMAS.values(), ids=[name.replace(" ", "-") for name in SCHEMAS])
def test_any_schema_becomes_the_one_that_attn_needs(home: Home, changes: list[str]) -> None:
    fill(home)
    plain(home, changes)
    proposal = proposals.schema_repair(home, NOW_MS)
    assert proposal.needed and any(line.startswith("wrong: ") for line in proposal.lines)
    database = repaired(home, proposal)
    assert database.one("SELECT count(*) FROM sessions") == 60 and database.one("SELECT count(*) FROM prs") == 90
    database.close()


@pytest.mark.usefixtures("untouched")
def test_rows_that_forbid_a_step_are_resolved_and_named(home: Home) -> None:
    at_step(home, 2, f"{INSERT} ('x', 'o/r', 7, 'old', 'u', 'author', 'open', 1),"
                     " ('y', 'o/r', 7, 'new', 'u', 'author', 'open', 2)")  # fmt: skip
    proposal = proposals.schema_repair(home, NOW_MS)
    assert proposal.needed and "2 rows of prs are github.com:o/r#7" in proposal.lines[0]
    assert any("prs x" in line for line in proposal.lines) and proposal.report["left_out"][0]["row"]["title"] == "old"
    database = repaired(home, proposal)
    assert database.rows("SELECT id, title FROM prs") == [("github.com:o/r#7", "new")]
    database.close()


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("done", range(1, len(MIGRATIONS) + 1))
def test_a_right_schema_needs_no_repair(home: Home, done: int) -> None:
    at_step(home, done, f"{INSERT} ('o/r#7', 'o/r', 7, 't', 'u', 'author', 'open', 1)")
    assert not proposals.schema_repair(home, NOW_MS).needed


def test_a_damaged_database_is_for_the_salvage(home: Home) -> None:
    fill(home)
    data = bytearray(home.database.read_bytes())
    data[4096:8192] = b"\x77" * 4096
    home.database.write_bytes(data)
    with pytest.raises(StoreFailure, match="corrupt") as raised:
        proposals.schema_repair(home, NOW_MS)
    assert "attn repair salvage" in raised.value.remedy


@pytest.mark.parametrize("kind", ["schema", "salvage", "reset"])
def test_a_newer_database_is_never_touched(home: Home, kind: str) -> None:
    at_step(home, len(MIGRATIONS), "UPDATE file_facts SET value = '99' WHERE key = 'min_reader'")
    with pytest.raises(StoreFailure, match="schema_newer"):
        proposals.propose(home, kind, "", (), NOW_MS)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["schema", "salvage"])
def test_a_foreign_database_is_only_put_aside(home: Home, kind: str) -> None:
    plain(home, ["CREATE TABLE schema_migrations (version INTEGER)", "CREATE TABLE sessions (id TEXT)"])
    with pytest.raises(StoreFailure, match="foreign_schema"):
        proposals.propose(home, kind, "", (), NOW_MS)  # type: ignore[arg-type]
    assert proposals.propose(home, "reset", "", (), NOW_MS).needed


@pytest.mark.parametrize("kind", ["schema", "salvage"])
def test_nothing_can_be_got_out_of_nothing(home: Home, kind: str) -> None:
    with pytest.raises(StoreFailure, match="missing_file"):
        proposals.propose(home, kind, "", (), NOW_MS)  # type: ignore[arg-type]
    home.database.touch()
    with pytest.raises(StoreFailure, match="empty_file"):
        proposals.propose(home, kind, "", (), NOW_MS)  # type: ignore[arg-type]


@pytest.mark.usefixtures("untouched")
def test_a_damaged_one_that_only_looks_newer_is_salvaged(home: Home) -> None:
    open_store(home, now_ms=NOW_MS).close()
    plain(home, ["PRAGMA wal_checkpoint(TRUNCATE)", "UPDATE migrations SET name = 'prs-hosu' WHERE name = 'prs-host'",
                 "UPDATE file_facts SET value = '9' WHERE key = 'min_reader'",
                 "INSERT INTO settings VALUES ('font', CAST(x'31ff' AS TEXT))"])  # fmt: skip
    assert proposals.salvage(home, (), NOW_MS).lost == 1
    plain(home, ["CREATE TABLE of_the_future (a)"])
    with pytest.raises(StoreFailure) as raised:
        proposals.salvage(home, (), NOW_MS)
    assert raised.value.code == "schema_newer"


def test_a_text_in_its_place_yields_nothing_and_says_so(home: Home) -> None:
    home.database.write_text("this is a text and no database, but longer than a header " * 5)
    proposal = proposals.salvage(home, (), NOW_MS)
    assert proposal.uncertain and any("lost: perhaps" in line for line in proposal.lines)


@pytest.mark.usefixtures("untouched")
def test_the_newest_good_backup_is_restored(home: Home) -> None:
    store = open_store(home, now_ms=NOW_MS)
    for number in range(3):
        store.sessions.upsert(session(number))
        store.back_up("manual", NOW_MS + number)
    store.close()
    newest = sorted(home.backups.glob("*.db"))[-1]
    assert len(contents(proposals.restore(home, None).image)["sessions"]) == 3
    newest.write_bytes(newest.read_bytes()[:-1])
    proposal = proposals.restore(home, None)
    assert len(contents(proposal.image)["sessions"]) == 2 and proposal.source in proposal.lines[0]
    with pytest.raises(StoreFailure, match=r"corrupt: .* is not as it was when it was made"):
        proposals.restore(home, newest)


def damaged(home: Home) -> str:
    fill(home)
    data = bytearray(home.database.read_bytes())
    data[4096:8192] = b"\x77" * 4096
    home.database.write_bytes(data)
    return "corrupt"


def newer(home: Home) -> str:
    at_step(home, len(MIGRATIONS), "UPDATE file_facts SET value = '99' WHERE key = 'min_reader'")
    return "schema_newer"


def foreign(home: Home) -> str:
    plain(home, ["CREATE TABLE schema_migrations (version INTEGER)"])
    return "foreign_schema"


def text(home: Home) -> str:
    home.database.write_text("no database" * 20)
    return "not_a_database"


def empty(home: Home) -> str:
    home.database.touch()
    return "missing_file"


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("make", [damaged, newer, foreign, text, empty], ids=lambda make: make.__name__)
def test_a_backup_that_is_no_good_is_refused(home: Home, make: object) -> None:
    code = make(home)  # type: ignore[operator]
    data = home.database.read_bytes()
    with pytest.raises(StoreFailure, match=code):
        proposals.restore(home, home.database)
    assert hashlib.sha256(home.database.read_bytes()).digest() == hashlib.sha256(data).digest()


def test_without_a_good_backup_there_is_none_to_restore(home: Home) -> None:
    with pytest.raises(StoreFailure, match=r"missing_file.*no good backup"):
        proposals.restore(home, None)
