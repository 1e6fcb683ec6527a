"""A home of its own for each test, and databases in it that attn did not make."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest

from attn.core import health
from attn.paths import Home
from attn.store import SessionRow, StoreFailure, open_store, schema
from attn.store.migrations import LEDGER, MIGRATIONS, Migration
from attn.store.opening import Store

NOW_MS = 1_700_000_000_000
APPLICATION_ID = 0x6174746E


@pytest.fixture
def home(tmp_path: Path) -> Home:
    root = tmp_path / "home"
    root.mkdir(mode=0o700)
    return Home(root, root / "s", is_default=False)


def plain(home: Home, statements: Iterable[str]) -> None:
    """Run statements on the database file as any other program would."""
    with closing(sqlite3.connect(home.database, isolation_level=None)) as database:
        for statement in statements:
            database.execute(statement)
    home.database.chmod(0o600)


def at_step(home: Home, done: int, *extra: str) -> None:
    """A database as the first `done` steps left it, with their lines in the ledger."""
    steps: tuple[Migration, ...] = MIGRATIONS[:done]
    plain(home, [*LEDGER, *(statement for step in steps for statement in step.statements)])
    reader = max((step.min_reader for step in steps), default=0)
    lines = [f"INSERT INTO migrations VALUES ('{step.name}', '{step.checksum}', '0.0.1', 1, 'run')" for step in steps]
    facts = [f"INSERT INTO file_facts VALUES ('min_reader', '{reader}'), ('written_by', '0.0.1')"]
    plain(home, [*lines, *facts, f"PRAGMA application_id = {APPLICATION_ID}", *extra])


def sentinel(home: Home, *, clean: bool = True) -> None:
    home.sentinel.write_text(json.dumps({"clean": clean}))


def fingerprint(home: Home) -> dict[str, str]:
    """The bytes of everything that belongs to the database."""
    files = [path for path in home.root.iterdir() if path.is_file()]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


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
