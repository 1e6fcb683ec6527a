"""Keeps the database open, notices when it can no longer be trusted, and tries again what may come back.

States: `migrating` until it was opened first, then `ok` or `degraded` (`ephemeral` only where that was asked for, and
`refused` when the daemon ends because of it). Whatever fails is told to who asked and becomes the one condition about
the database; that condition ends only when everything that waited is written.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from attn.daemon.sessions.live import now_ms
from attn.daemon.store import unsaved
from attn.errors import AttnError
from attn.paths import Home
from attn.store import Store, StoreFailure, backup, open_store
from attn.store.backup import Backup
from attn.store.file.probes import Finding
from attn.wire.client_views import StoreView

log = logging.getLogger(__name__)
Result = TypeVar("Result")
State = Literal["ok", "migrating", "degraded", "refused", "ephemeral"]

# How often it is looked whether the file is still the one that is open; every write looks as well.
WATCH_EVERY_S: Final = 5.0
# Pauses before a cause that ends by itself is looked at again: doubled from the first to the last.
RETRY_FIRST_S: Final = 1.0
RETRY_LAST_S: Final = 60.0
BACKUP_EVERY_MS: Final = 6 * 3600 * 1000
# A daemon that is started again and again must not push the older copies out.
BACKUP_AFTER_START_MS: Final = 3600 * 1000

# What makes the open connection worthless; everything else leaves it usable once the cause is gone.
_LOST: Final = frozenset({"corrupt", "index_corrupt", "not_a_database", "store_failed", "io_error", "file_moved"})


class StoreKeeper:
    """The one owner of the open store. All work on it runs in one thread, in order."""

    def __init__(self, home: Home, *, ephemeral: bool = False) -> None:
        self._home = home
        self._ephemeral = ephemeral
        self._store: Store | None = None
        self._backup: Backup | None = None
        self._backed_up_changes = -1
        self.state: State = "migrating"
        self.failure: StoreFailure | None = None
        self.not_saved_since_ms: int | None = None
        self.settings: dict[str, str] = {}
        self._warnings: list[Finding] = []
        self._was_open = False
        self._overdue: Finding | None = None
        # Set by the composition root: who hears of every change, and what is to be written once there is a database.
        self.changed: Callable[[], None] = lambda: None
        self.waiting: Callable[[], Callable[[Store], None]] = lambda: lambda store: None
        self._failed = asyncio.Event()
        self._turn = asyncio.Lock()
        # The database is for one thread at a time, and a slow disk is not the event loop's trouble.
        self._thread = ThreadPoolExecutor(1, "store")

    async def _run(self, function: Callable[..., Result], *args: Any) -> Result:
        """Raises StoreFailure, whatever went wrong: a fault in the store must not be one of the daemon."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, function, *args)
        except AttnError:
            raise
        except Exception as error:
            log.exception("a fault in the store")
            text = f"{self._home.database} could not be used: {error!r}"
            raise StoreFailure("store_failed", text, path=self._home.database) from error

    # -- what others see -----------------------------------------------------------------------------------------

    @property
    def usable(self) -> bool:
        """Whether work would be done."""
        return self._store is not None and self.state in ("ok", "ephemeral")

    @property
    def warnings(self) -> list[Finding]:
        """What a person should know although the database works."""
        return [*self._warnings, *([self._overdue] if self._overdue else [])]

    def view(self) -> StoreView:
        """The database as clients see it."""
        made = self._backup
        path = None if made is None else str(self._home.backups / Path(made.path).name)
        at_ms = None if made is None else made.at_ms
        return StoreView(
            state=self.state, path=str(self._home.database), last_good_backup=path, last_good_backup_ms=at_ms
        )

    async def use(self, work: Callable[[Store], Result]) -> Result:
        """Do `work`, which may be done twice, with the store.

        Raises AttnError `persistence_unavailable` when it has not happened; `failure` says why.
        """
        for tries_left in (1, 0):
            store = self._store
            if store is None or not self.usable:
                raise self._unavailable()
            try:
                return await self._run(work, store)
            except StoreFailure as failure:
                await self._fail(failure, store)
                # Whether it happened is not known after an I/O error: on a new connection it is done again.
                if not (failure.code == "io_error" and tries_left):
                    raise self._unavailable(failure) from failure
        raise self._unavailable()

    def _unavailable(self, failure: StoreFailure | None = None) -> AttnError:
        cause = failure or self.failure
        because = "it is in memory only" if self.state == "ephemeral" else "it is being opened"
        because = because if cause is None else str(cause)
        return AttnError(
            "persistence_unavailable", f"this needs the database, which cannot be used: {because}", "attn status"
        )

    # -- opening and closing -------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Open the store for the first time, or be degraded: see `failure`."""
        async with self._turn:
            failed = await self._open(retry=False)
            try:
                await self._look_at_backups()  # also without a database: that is when a person needs them
            except StoreFailure as failure:
                failed = failed or failure
            if failed is None:
                await self._well()
            else:
                await self._degrade(failed)

    async def _open(self, *, retry: bool) -> StoreFailure | None:
        try:
            store = await self._run(
                lambda: open_store(self._home, ephemeral=self._ephemeral, retry=retry, now_ms=now_ms())
            )
        except StoreFailure as failure:
            return failure
        try:
            self.settings = await self._run(store.settings.all)
        except StoreFailure as failure:
            await self._let_go(store, failure)
            return failure
        _tell_plan(store)
        # A log that this daemon itself cleared away when it let go of the database is no loss.
        before = [found for found in self._warnings if found.code == "log_missing"] if self._was_open else None
        found = store.warnings if before is None else [w for w in store.warnings if w.code != "log_missing"] + before
        self._store, self._warnings, self._was_open = store, found, True
        return None

    async def close(self) -> None:
        """Close for good. Whoever has something to write has done so."""
        async with self._turn:
            store = self._store
            if store is not None:
                try:
                    await self._run(store.check)  # closing would write into a file that is another one now
                    await self._run(store.close)
                except StoreFailure as failure:
                    log.error("the store did not close: %s", failure)
                    await self._let_go(store, failure)
        self._thread.shutdown(wait=True)

    # -- failing and coming back ---------------------------------------------------------------------------------

    async def _fail(self, failure: StoreFailure, store: Store) -> None:
        """Something could not be done: let go of what cannot be trusted, and find out what a COMMIT left."""
        async with self._turn:
            if store is not self._store:
                return  # somebody else noticed first
            if failure.code in _LOST:
                await self._let_go(store, failure)
            if failure.code == "io_error":
                # Whether the last COMMIT happened is not known: a new connection reads it, and what waits is written
                # again through it, which changes nothing where it is there.
                again = await self._come_back(retry=False)
                if again is None:
                    return
                failure = again if again.code != "io_error" else failure
            await self._degrade(failure)

    async def _let_go(self, store: Store, failure: StoreFailure) -> None:
        self._store = None
        try:
            if failure.code == "file_moved":
                made = await self._run(store.rescue, now_ms())
                log.warning("what was open is kept as %s", made.path if made else "nothing: it is in memory")
                await self._look_at_backups()
            else:
                await self._run(store.database.abandon)
        except StoreFailure as second:
            failure.add_note(str(second))
            log.error("letting go of the database: %s", second)

    async def retry(self) -> None:
        """A person asks to try again, whatever the cause was. Raises StoreFailure when it still fails."""
        async with self._turn:
            if self.usable:
                return
            failure = await self._come_back(retry=True)
            if failure is not None:
                try:
                    await self._look_at_backups()  # the one that is offered may be gone by now
                except StoreFailure as second:
                    failure.add_note(str(second))
                await self._degrade(failure)
                raise failure

    async def _come_back(self, *, retry: bool) -> StoreFailure | None:
        """Be well again, with everything written that waited; else why not."""
        if self._store is not None and not self._store.database.is_open:
            self._store = None
        if self._store is None:
            failure = await self._open(retry=retry)
            if failure is not None:
                return failure
        store = self._store
        assert store is not None
        try:
            await self._run(store.prove_writable)
            await self._run(self.waiting(), store)
            await self._run(store.settle)
        except StoreFailure as failure:
            if failure.code in _LOST:
                await self._let_go(store, failure)
            return failure
        await self._well()
        return None

    async def watch(self) -> None:
        """Look after the file; try a failed store again. Runs as long as the daemon."""
        pause_s = RETRY_FIRST_S
        while True:
            degraded = self.failure is not None and self.failure.transient
            pause_s = min(pause_s * 2, RETRY_LAST_S) if degraded else RETRY_FIRST_S
            self._failed.clear()
            try:
                async with asyncio.timeout(pause_s / 2 if degraded else WATCH_EVERY_S):
                    await self._failed.wait()
            except TimeoutError:
                await self._look()

    async def _look(self) -> None:
        if self.usable:
            try:
                await self.use(Store.rest)
            except AttnError as failure:
                log.debug("told as a condition: %s", failure)
        elif self.failure is not None and self.failure.transient:
            async with self._turn:
                still = await self._come_back(retry=False)
                if still is not None:
                    await self._degrade(still)

    async def _degrade(self, failure: StoreFailure) -> None:
        if self.failure is None or self.failure.code != failure.code:
            log.error("the store is not usable: %s", failure)
            self._failed.set()
        self.failure, self.state = failure, "degraded"
        if self.not_saved_since_ms is None:
            self.not_saved_since_ms = await self._run(unsaved.begin, self._home.unsaved, now_ms())
        self.changed()

    async def _well(self) -> None:
        if self.failure is not None:
            log.info("the store is usable again")
        self.failure, self.state = None, "ephemeral" if self._ephemeral else "ok"
        self.not_saved_since_ms = now_ms() if self._ephemeral else None
        if not self._ephemeral:
            await self._run(unsaved.over, self._home.unsaved)
        self.changed()

    # -- backups -------------------------------------------------------------------------------------------------

    async def back_up(self) -> None:
        """Make a verified copy when one is due and something changed; a failure is told as a condition."""
        if self.state != "ok":
            return
        newest, store = self._backup, self._store
        assert store is not None
        due_ms = BACKUP_EVERY_MS if self._backed_up_changes >= 0 else BACKUP_AFTER_START_MS
        try:
            changes = await self._run(store.database.changes)
            # One that was made while the clock stood years ahead is not young until then.
            young = newest is not None and 0 <= now_ms() - newest.at_ms < due_ms
            if changes == self._backed_up_changes or young:
                return
            await self._run(store.check_thoroughly)
            await self._run(store.settle)
        except StoreFailure as failure:
            await self._fail(failure, store)
            return
        try:
            await self._run(store.back_up, "regular", now_ms())
            await self._look_at_backups()
            self._backed_up_changes, self._overdue = changes, None
        except StoreFailure as failure:
            log.error("no backup was made: %s", failure)
            self._overdue = Finding("backup_overdue", failure.message, failure.path)
        self.changed()

    async def make_backup(self, to: Path | None) -> Backup:
        """The copy that a person asked for. Raises StoreFailure, AttnError `persistence_unavailable` or `usage`.

        That it cannot be made says nothing about the database itself.
        """
        store = self._store
        if store is None or self.state != "ok":
            raise self._unavailable()
        made = await self._run(backup.make_for_person, store.database, self._home.backups, to, now_ms())
        await self._look_at_backups()
        self.changed()
        return made

    async def _look_at_backups(self) -> None:
        self._backup = await self._run(backup.newest_intact, self._home.backups)


def _tell_plan(store: Store) -> None:
    """What this start did to the schema: for the log, since nothing of it needs a person."""
    plan = store.plan
    parts = [
        ("ran", [step.name for step in plan.run]),
        ("adopted, for they stood there already,", [step.name for step in plan.adopt]),
        ("wrote the history anew of", [step.name for step in plan.relabel]),
        ("made again the missing", [f"{fact.table}.{fact.name}" for _, fact in plan.restore]),
    ]
    for what, names in parts:
        if names:
            log.info("schema: %s %s (a backup was made before)", what, ", ".join(names))
    if store.interrupted:
        log.info("the last daemon did not close the database; it was checked and is sound")
