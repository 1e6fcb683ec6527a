"""The store behind live sessions: written behind them, honest when it fails, caught up afterwards."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from attn.bundle.bundle import Bundle
from attn.daemon.sessions import index as module
from attn.daemon.sessions.index import Index, restore, row_of, spec_of
from attn.daemon.sessions.live import Session
from attn.paths import Home
from attn.wire.client_views import ExitView
from tests.daemon.scripted import spec
from tests.daemon.sessions.test_live import Owner


@pytest.fixture
def home(tmp_path: Path) -> Home:
    for name in ("backups", "run"):
        (tmp_path / name).mkdir()
    return Home(root=tmp_path, sockets=tmp_path / "s", is_default=False)


def session(home: Home, **fields: Any) -> Session:
    made = Session(bundle=Bundle(home.bundle("abcdefghij")), spec=spec(**fields), owner=Owner(), label="cat")
    made.state = "running"
    return made


async def test_a_session_is_found_again(home: Home) -> None:
    index = Index(home, ephemeral=False)
    assert index.view().state == "migrating"
    await index.open()
    live = session(home, resume={"conversation": "c"}, parent="jihgfedcba")
    live.exit, live.state, live.cause = ExitView(code=None, signal=9, at_ms=77), "exited", "killed"
    index.save(live)
    index.remember("/somewhere")
    await index.close()
    again = Index(home, ephemeral=False)
    await again.open()
    rows = await again.rows()
    assert rows == [row_of(live)] and await again.recent(5) == ["/somewhere"]
    found = Session(bundle=live.bundle, spec=spec_of(rows[0], "d"), owner=Owner(), label=rows[0].label)
    restore(rows[0], found)
    assert (found.exit, found.state, found.spec.resume) == (live.exit, "exited", {"conversation": "c"})
    assert found.ended.is_set()
    await again.delete(live.id)
    assert await again.rows() == []
    await again.close()


async def test_nothing_changed_is_not_written(home: Home) -> None:
    index = Index(home, ephemeral=True)
    await index.open()
    assert index.view().state == "ephemeral"
    live = session(home)
    index.save(live)
    await index.saved()
    index._wake.clear()
    index.save(live)
    assert not index._wake.is_set() and index._dirty == {}
    live.last_output_at_ms = 5
    index.save(live)
    assert not index._wake.is_set() and index._dirty
    live.label = "other"
    index.save(live)
    assert index._wake.is_set()
    await index.close()


async def test_a_store_that_is_none_keeps_nothing_and_says_so(home: Home) -> None:
    home.database.write_bytes(b"not a database at all, whatever its name says" * 50)
    told: list[str] = []
    index = Index(home, ephemeral=False)
    index.changed = lambda: told.append(index.state)
    await index.open()
    assert told == ["degraded"] and index.failure is not None and index.failure.code == "not_a_database"
    index.save(session(home))
    await index.saved()
    assert await index.rows() == [] and await index.recent(5) == []
    await index.close()
    assert b"not a database" in home.database.read_bytes()


async def test_a_failed_write_is_made_up_for(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    index = Index(home, ephemeral=False)
    await index.open()
    live = session(home)
    write = module._write

    def full(*_: Any) -> None:
        raise module.StoreFailure("disk_full", "no space", path=home.database)

    monkeypatch.setattr(module, "_write", full)
    index.save(live)
    await index.saved()
    assert index.view().state == "degraded"
    live.label = "renamed meanwhile"
    index.save(live)
    monkeypatch.setattr(module, "_write", write)
    await index.saved()
    assert index.view().state == "ok"
    assert [row.label for row in await index.rows()] == ["renamed meanwhile"]
    await index.close()


async def test_a_store_that_comes_back_learns_all_live_sessions(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.01)
    live = session(home)
    index = Index(home, ephemeral=False)
    index.sessions = lambda: [live]
    well = asyncio.Event()
    index.changed = lambda: well.set() if index.state == "ok" else None
    broken = module.open_store

    def locked(*_: Any, **__: Any) -> None:
        monkeypatch.setattr(module, "open_store", broken)
        raise module.StoreFailure("store_locked", "held", path=home.database)

    monkeypatch.setattr(module, "open_store", locked)
    await index.open()
    assert index.state == "degraded"
    keeping = asyncio.create_task(index.keep())
    await asyncio.wait_for(well.wait(), 10)
    await index.saved()
    keeping.cancel()
    assert [replace(row) for row in await index.rows()] == [row_of(live)]
    await index.close()


async def test_a_day_old_backup_is_renewed(home: Home) -> None:
    index = Index(home, ephemeral=False)
    await index.open()
    await index.back_up()
    first = index.view().last_good_backup
    await index.back_up()
    assert first is not None and index.view().last_good_backup == first
    await index.close()


async def test_the_backup_is_known_also_when_the_database_cannot_be_opened(home: Home) -> None:
    index = Index(home, ephemeral=False)
    await index.open()
    await index.back_up()
    made = index.view().last_good_backup
    await index.close()
    home.database.write_bytes(b"not a database at all, whatever its name says" * 50)
    again = Index(home, ephemeral=False)
    told: list[str | None] = []
    again.changed = lambda: told.append(again.view().last_good_backup)
    await again.open()
    assert made is not None and Path(made).parent == home.backups
    assert (again.view().state, again.view().last_good_backup, told) == ("degraded", made, [made])
    await again.close()


async def test_a_row_that_cannot_be_read_costs_the_list_and_not_the_daemon(home: Home) -> None:
    index = Index(home, ephemeral=False)
    await index.open()
    index.save(session(home))
    await index.close()
    with closing(sqlite3.connect(home.database)) as database, database:
        database.execute("UPDATE sessions SET argv = 'cat'")
    again = Index(home, ephemeral=False)
    await again.open()
    assert await again.rows() == []
    assert again.failure is not None and (again.state, again.failure.code) == ("degraded", "store_failed")
    await again.delete("jihgfedcba")
    assert again.state == "degraded", "a write that works does not mend what could not be read"
    await again.close()


async def test_backups_that_cannot_be_listed_keep_nobody_from_starting(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(directory: Path) -> None:
        raise TypeError("on purpose")

    monkeypatch.setattr(module.backup, "listed", damaged)
    index = Index(home, ephemeral=False)
    await index.open()
    assert index.failure is not None and index.failure.code == "store_failed"
    await index.close()


async def test_a_change_that_is_taken_back_while_it_is_written_is_written_too(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = Index(home, ephemeral=True)
    await index.open()
    live = session(home)
    index.save(live)
    await index.saved()
    begun, go_on, write = threading.Event(), threading.Event(), module._write

    def slowly(*what: Any) -> None:
        begun.set()
        assert go_on.wait(10)
        write(*what)

    monkeypatch.setattr(module, "_write", slowly)
    live.state = "unreachable"
    index.save(live)
    writing = asyncio.ensure_future(index.saved())
    await asyncio.to_thread(begun.wait, 10)
    live.state = "running"
    index.save(live)
    go_on.set()
    await writing
    await index.saved()
    assert [row.state for row in await index.rows()] == ["running"]
    await index.close()
