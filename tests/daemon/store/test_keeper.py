"""The keeper of the store: honest when it fails, well again only when everything is written."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from attn.daemon.store import keeper as module
from attn.daemon.store.keeper import StoreKeeper
from attn.errors import AttnError
from attn.paths import Home
from attn.store import Store, StoreFailure, open_store, opening
from attn.store.backup import listed
from tests.store.faulty_disk import mounted
from tests.store.losses import crashed


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(root=tmp_path, sockets=tmp_path / "s", is_default=False)


@asynccontextmanager
async def opened(home: Home, *, ephemeral: bool = False) -> AsyncIterator[StoreKeeper]:
    keeper = StoreKeeper(home, ephemeral=ephemeral)
    assert keeper.view().state == "migrating"
    await keeper.open()
    yield keeper
    await keeper.close()


async def unavailable(keeper: StoreKeeper) -> AttnError:
    with pytest.raises(AttnError) as raised:
        await keeper.use(lambda store: store.settings.set("theme", "dark"))
    assert raised.value.code == "persistence_unavailable"
    return raised.value


async def test_a_store_that_is_none_says_so_and_comes_back_when_asked(home: Home) -> None:
    home.database.write_bytes(b"not a database at all, whatever its name says" * 50)
    async with opened(home) as keeper:
        told: list[str] = []
        keeper.changed = lambda: told.append(keeper.state)
        assert keeper.failure is not None and keeper.failure.code == "not_a_database"
        assert keeper.not_saved_since_ms is not None
        await unavailable(keeper)
        with pytest.raises(StoreFailure):
            await keeper.retry()
        home.database.unlink()
        await keeper.retry()
        assert keeper.usable and keeper.not_saved_since_ms is None and told == ["degraded", "ok"]
        await keeper.use(lambda store: store.settings.set("theme", "dark"))


async def test_a_store_in_memory_makes_no_backup_and_says_why(home: Home) -> None:
    async with opened(home, ephemeral=True) as keeper:
        with pytest.raises(AttnError, match="in memory only") as raised:
            await keeper.make_backup(None)
        assert raised.value.code == "persistence_unavailable"


async def test_settings_that_cannot_be_read_do_not_hold_the_database(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(home) as keeper:
        await keeper.use(lambda store: store.settings.set("theme", "light"))
    data = home.database.read_bytes()
    home.database.write_bytes(data.replace(b"themelight", b"themel\xffght"))
    monkeypatch.setattr(opening, "_ALWAYS_THOROUGH_BYTES", 0)  # as for a database too large to be read at each start
    async with opened(home) as keeper:
        assert keeper.failure is not None and keeper.failure.code == "corrupt"
        home.database.write_bytes(data)
        await keeper.retry()
        assert keeper.settings == {"theme": "light"}


async def test_the_condition_ends_only_when_what_waited_is_written(home: Home) -> None:
    async with opened(home) as keeper:
        await keeper._degrade(StoreFailure("disk_full", "no space", path=home.database))
        written: list[bool] = []

        def write(store: Store) -> None:
            written.append(keeper.usable)
            store.settings.set("theme", "dark")

        keeper.waiting = lambda: write
        await keeper.retry()
        assert written == [False] and keeper.usable
        assert await keeper.use(lambda store: store.settings.get("theme")) == "dark"


async def test_a_transient_cause_is_tried_again_ever_more_rarely(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_FIRST_S", 0.01)
    async with opened(home) as keeper:
        well, tries = asyncio.Event(), list[int]()

        def full(store: Store) -> None:
            tries.append(1)
            if len(tries) < 4:
                raise StoreFailure("disk_full", "no space", path=home.database)

        keeper.changed = lambda: well.set() if keeper.usable else None
        keeper.waiting = lambda: full
        await keeper._degrade(StoreFailure("disk_full", "no space", path=home.database))
        watching = asyncio.create_task(keeper.watch())
        await asyncio.wait_for(well.wait(), 30)
        watching.cancel()
        assert len(tries) == 4


async def test_a_replaced_file_is_noticed_kept_and_not_touched(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WATCH_EVERY_S", 0.01)
    async with opened(home) as keeper:
        await keeper.use(lambda store: store.settings.set("theme", "dark"))
        shutil.copy(home.database, home.root / "other.db")
        (home.root / "other.db").replace(home.database)
        home.sentinel.write_bytes(b"of another daemon, which made a home where ours was")
        bad = asyncio.Event()
        keeper.changed = lambda: bad.set() if keeper.state == "degraded" else None
        watching = asyncio.create_task(keeper.watch())
        await asyncio.wait_for(bad.wait(), 10)
        watching.cancel()
        assert keeper.failure is not None and keeper.failure.code == "file_moved"
        [rescued] = listed(home.backups)
        assert rescued.reason == "rescued" and rescued.rows["settings"] == 1
        assert keeper.view().last_good_backup == rescued.path
        assert home.sentinel.read_bytes() == b"of another daemon, which made a home where ours was"


async def test_no_backup_is_offered_that_is_gone(home: Home) -> None:
    async with opened(home) as keeper:
        await keeper.make_backup(None)
    home.database.unlink()
    async with opened(home) as keeper:
        assert keeper.failure is not None and keeper.view().last_good_backup is not None
        shutil.rmtree(home.backups)
        with pytest.raises(StoreFailure):
            await keeper.retry()
        assert keeper.view().last_good_backup is None


@pytest.mark.parametrize("watched", [True, False])
async def test_a_file_that_is_overwritten_in_place_is_rescued_also_by_the_end(home: Home, watched: bool) -> None:
    async with opened(home):
        pass
    older = home.database.read_bytes()  # in it, what its log says would make another database of it
    async with opened(home) as keeper:
        await keeper.use(lambda store: store.settings.set("theme", "dark"))
        home.database.write_bytes(older)
        if watched:
            await keeper._look()
            assert keeper.failure is not None and keeper.failure.code == "file_moved"
    assert home.database.read_bytes() == older
    [rescued] = listed(home.backups)
    assert rescued.reason == "rescued" and rescued.rows["settings"] == 1
    with pytest.raises(StoreFailure) as raised:
        open_store(home, now_ms=1)
    assert raised.value.code == "wal_mismatch" and home.database.read_bytes() == older


@pytest.mark.parametrize("lasting", [False, True])
async def test_a_commit_whose_outcome_is_not_known_is_found_out(home: Home, lasting: bool) -> None:
    with mounted() as disk:
        async with opened(home) as keeper:
            disk.fault, disk.lasting = "io_error", lasting
            disk.at = disk.operations + 2  # the sync of the next commit, after its one write
            if lasting:
                await unavailable(keeper)
                assert keeper.failure is not None and keeper.failure.code == "io_error"
                disk.fault = "none"
                await keeper.retry()
            await keeper.use(lambda store: store.settings.set("theme", "dark"))
            assert disk.failed and keeper.usable
            assert await keeper.use(lambda store: store.settings.get("theme")) == "dark"


async def test_a_full_disk_leaves_the_store_open_and_is_over_by_itself(home: Home) -> None:
    with mounted() as disk:
        async with opened(home) as keeper:
            disk.fault, disk.lasting, disk.at = "full", True, disk.operations + 1
            await unavailable(keeper)
            assert keeper.failure is not None and keeper.failure.code == "disk_full"
            await keeper._look()
            assert not keeper.usable
            disk.fault = "none"
            await keeper._look()
            assert keeper.usable


async def test_backups_after_the_start_and_when_something_changed(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(home) as keeper:
        await keeper.back_up()
        [first] = listed(home.backups)
        view = keeper.view()
        assert (view.last_good_backup, view.last_good_backup_ms) == (first.path, first.at_ms)
        now = first.at_ms + module.BACKUP_EVERY_MS + 1
        monkeypatch.setattr(module, "now_ms", lambda: now)
        await keeper.back_up()
        assert listed(home.backups) == [first], "nothing changed"
        await keeper.use(lambda store: store.settings.set("theme", "dark"))
        monkeypatch.setattr(module, "now_ms", lambda: first.at_ms + 1)
        await keeper.back_up()
        assert listed(home.backups) == [first], "it is young"
        monkeypatch.setattr(module, "now_ms", lambda: now)
        await keeper.back_up()
        assert len(listed(home.backups)) == 2


async def test_a_backup_that_fails_is_a_warning_until_one_succeeds(home: Home) -> None:
    async with opened(home) as keeper:
        home.backups.write_text("a file in the way")
        await keeper.back_up()
        assert [warning.code for warning in keeper.warnings] == ["backup_overdue"] and keeper.usable
        home.backups.unlink()
        await keeper.back_up()
        assert keeper.warnings == [] and len(listed(home.backups)) == 1


async def test_the_backup_is_known_also_when_the_database_cannot_be_opened(home: Home) -> None:
    async with opened(home) as keeper:
        await keeper.back_up()
        made = keeper.view().last_good_backup
    home.database.write_bytes(b"not a database at all, whatever its name says" * 50)
    async with opened(home) as again:
        assert made is not None and (again.view().state, again.view().last_good_backup) == ("degraded", made)


async def test_backups_that_cannot_be_listed_keep_nobody_from_starting(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(directory: Path) -> None:
        raise TypeError("on purpose")

    monkeypatch.setattr(module.backup, "listed", damaged)
    async with opened(home) as keeper:
        assert keeper.failure is not None and keeper.failure.code == "store_failed"


async def test_settings_are_there_from_the_start(home: Home) -> None:
    async with opened(home) as keeper:
        await keeper.use(lambda store: store.settings.set("theme", "dark"))
    async with opened(home) as again:
        assert again.settings == {"theme": "dark"}


async def test_a_log_that_is_gone_is_told_until_the_end_and_not_when_the_daemon_itself_let_go(home: Home) -> None:
    crashed(home)
    (home.root / "attn.db-wal").unlink()
    for codes in (["log_missing"], []):
        async with opened(home) as keeper:
            assert [warning.code for warning in keeper.warnings] == codes
            store = keeper._store
            assert store is not None
            store.database.close()
            await keeper._degrade(StoreFailure("io_error", "on purpose", path=home.database))
            await keeper.retry()
            assert [warning.code for warning in keeper.warnings] == codes and keeper.usable


async def test_what_was_written_stands_in_the_database_once_it_is_quiet(home: Home) -> None:
    async with opened(home) as keeper:
        await keeper.use(lambda store: store.settings.set("theme", "dark"))
        await keeper._look()
        await keeper._look()
        log = home.root / "attn.db-wal"
        assert log.stat().st_size == 0
        copy = home.root / "copy.db"
        copy.write_bytes(home.database.read_bytes())
        with closing(sqlite3.connect(copy)) as database:
            assert database.execute("SELECT value FROM settings").fetchall() == [("dark",)]
