"""The rows of live sessions: written behind them, kept while there is no store, caught up afterwards."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from attn.bundle.bundle import Bundle
from attn.daemon.sessions import index as module
from attn.daemon.sessions.index import Index, restore, row_of, spec_of
from attn.daemon.sessions.live import Session
from attn.daemon.store.keeper import StoreKeeper
from attn.paths import Home
from attn.store import StoreFailure
from attn.wire.client_views import ExitView
from tests.daemon.scripted import spec
from tests.daemon.sessions.test_live import Owner


@pytest.fixture
def home(tmp_path: Path) -> Home:
    for name in ("backups", "run"):
        (tmp_path / name).mkdir()
    return Home(root=tmp_path, sockets=tmp_path / "s", is_default=False)


@asynccontextmanager
async def opened(home: Home, *, ephemeral: bool = False) -> AsyncIterator[Index]:
    keeper = StoreKeeper(home, ephemeral=ephemeral)
    index = Index(keeper)
    await keeper.open()
    yield index
    await index.saved()
    await keeper.close()


def session(home: Home, **fields: Any) -> Session:
    made = Session(bundle=Bundle(home.bundle("abcdefghij")), spec=spec(**fields), owner=Owner(), label="cat")
    made.state = "running"
    return made


async def test_a_session_is_found_again(home: Home) -> None:
    live = session(home, resume={"conversation": "c"}, parent="jihgfedcba")
    live.exit, live.state, live.cause = ExitView(code=None, signal=9, at_ms=77), "exited", "killed"
    async with opened(home) as index:
        index.save(live)
    async with opened(home) as again:
        rows = await again.rows()
        assert rows == [row_of(live)] and await again.recent(5) == [live.spec.cwd]
        found = Session(bundle=live.bundle, spec=spec_of(rows[0], "d"), owner=Owner(), label=rows[0].label)
        restore(rows[0], found)
        assert (found.exit, found.state, found.spec.resume) == (live.exit, "exited", {"conversation": "c"})
        assert found.ended.is_set()
        await again.delete(live.id)
        assert await again.rows() == []


async def test_nothing_changed_is_not_written(home: Home) -> None:
    async with opened(home, ephemeral=True) as index:
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


async def test_without_a_store_everything_waits_and_nothing_is_said_to_be_there(home: Home) -> None:
    home.database.write_bytes(b"not a database at all, whatever its name says" * 50)
    async with opened(home) as index:
        index.save(session(home))
        await index.saved()
        assert await index.rows() == [] and await index.recent(5) == []
        assert index._dirty
        await index.delete("abcdefghij")
        assert index._dirty == {"abcdefghij": None}
    assert b"not a database" in home.database.read_bytes()


async def test_a_store_that_comes_back_learns_everything(home: Home) -> None:
    async with opened(home) as index:
        live, gone, begun = session(home), session(home), session(home)
        gone.spec, begun.spec = spec("gggggggggg"), spec("hhhhhhhhhh", cwd="/meanwhile", created_at_ms=2000)
        index.sessions = lambda: [live]
        index.save(live)
        index.save(gone)
        await index.saved()
        keeper = index.keeper
        await keeper._degrade(StoreFailure("disk_full", "no space", path=home.database))
        live.label = "renamed meanwhile"
        index.save(live)
        index.save(begun)
        await index.delete(gone.id)
        await keeper.retry()
        assert [row.label for row in await index.rows()] == ["renamed meanwhile", "cat"]
        assert await index.recent(5) == ["/meanwhile", "/"]


async def test_directories_of_sessions_that_the_table_does_not_know_are_remembered_and_no_others(home: Home) -> None:
    """A daemon without a store ended before there was one: the bundles are all that the next one has."""
    earlier, later = session(home), session(home)
    earlier.spec = spec(cwd="/earlier", created_at_ms=5)
    later.spec = spec("bbbbbbbbbb", cwd="/later", created_at_ms=9)
    async with opened(home) as index:
        index.save(earlier)
        await index.saved()
        store = index.keeper._store
        assert store is not None
        store.database.run(["DELETE FROM recent_locations"])
    async with opened(home) as again:
        await again.rows()
        earlier.label = "renamed"
        again.save(earlier)
        again.save(later)
        await again.saved()
        assert await again.recent(5) == ["/later"]


async def test_a_row_that_cannot_be_read_costs_the_list_and_not_the_daemon(home: Home) -> None:
    async with opened(home) as index:
        index.save(session(home))
    with closing(sqlite3.connect(home.database)) as database, database:
        database.execute("UPDATE sessions SET argv = 'cat'")
    async with opened(home) as again:
        assert await again.rows() == []
        failure = again.keeper.failure
        assert failure is not None and (again.keeper.state, failure.code) == ("degraded", "corrupt")
        await again.delete("jihgfedcba")
        assert not again.keeper.usable, "a write that works does not mend what could not be read"


async def test_a_change_that_is_taken_back_while_it_is_written_is_written_too(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(home, ephemeral=True) as index:
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
