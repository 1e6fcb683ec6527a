"""The store as the daemon uses it: an index of the sessions whose truth stands in their bundles.

A store that fails never holds up a session: what could not be written stays to be written, the failure is told as a
condition, and for causes that end by themselves it is tried again. No database ever counts as saved that is not.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from attn.bundle.records import Spec
from attn.core.session import ENDED
from attn.daemon.sessions.live import Session, now_ms
from attn.errors import AttnError
from attn.paths import Home
from attn.store import SessionRow, Store, StoreFailure, backup, open_store
from attn.store.backup import Backup
from attn.wire.client_views import ExitView, StoreView

log = logging.getLogger(__name__)
Result = TypeVar("Result")

# A change of nothing but the time of the last output is written this late.
LAZY_WRITE_S: Final = 30.0
# Pause before a store is tried again that failed for a cause that ends by itself.
RETRY_S: Final = 5.0
BACKUP_AGE_MS: Final = 24 * 3600 * 1000

State = Literal["ok", "migrating", "degraded", "ephemeral"]


class Index:
    """Rows of the live sessions, written behind them. What waits is bounded: the latest row of each session."""

    def __init__(self, home: Home, *, ephemeral: bool) -> None:
        self._home = home
        self._ephemeral = ephemeral
        self._store: Store | None = None
        self._backup: str | None = None
        self.state: State = "migrating"
        self.failure: StoreFailure | None = None
        # Set by the composition root: who hears of every change of `state`, and who knows all live sessions.
        self.changed: Callable[[], None] = lambda: None
        self.sessions: Callable[[], Iterable[Session]] = lambda: ()
        self._written: dict[str, SessionRow] = {}
        self._dirty: dict[str, SessionRow | None] = {}
        self._places: dict[str, int] = {}
        self._wake = asyncio.Event()
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

    # -- opening and closing -------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Open the store, or be degraded: see `failure`."""
        failed: StoreFailure | None = None
        try:
            self._store = await self._run(lambda: open_store(self._home, ephemeral=self._ephemeral, now_ms=now_ms()))
        except StoreFailure as failure:
            failed = failure
        try:
            await self._look_at_backups()  # also without a database: that is when a person needs them
        except StoreFailure as failure:
            failed = failed or failure
        if failed is None:
            self._well()
        else:
            self._degrade(failed)

    async def close(self) -> None:
        """Write what is left and close."""
        await self.saved()
        if self._store is not None:
            try:
                await self._run(self._store.close)
            except StoreFailure as failure:
                log.error("the store did not close: %s", failure)
        self._thread.shutdown(wait=True)

    async def keep(self) -> None:
        """Write what is dirty, soon after it is; try a failed store again. Runs as long as the daemon."""
        while True:
            retry = self.failure is not None and self.failure.transient
            try:
                async with asyncio.timeout(RETRY_S if retry else LAZY_WRITE_S):
                    await self._wake.wait()
            except TimeoutError:
                log.debug("time to write what may wait")
            self._wake.clear()
            if retry and self._store is None:
                await self.open()
                if self._store is not None:
                    self._dirty.update({session.id: row_of(session) for session in self.sessions()})
            if retry or self.failure is None:
                await self.saved()

    async def back_up(self) -> None:
        """Make a verified copy when the newest is older than a day."""
        store = self._store
        if store is None or self.state != "ok":
            return
        try:
            newest = await self._run(store.last_good_backup)
            if newest is None or now_ms() - newest.at_ms > BACKUP_AGE_MS:
                await self._run(store.back_up, "daily", now_ms())
            await self._look_at_backups()
        except StoreFailure as failure:
            log.error("no backup was made: %s", failure)

    async def make_backup(self, to: Path | None) -> Backup:
        """The copy that a person asked for. Raises StoreFailure, AttnError `persistence_unavailable` or `usage`."""
        await self.saved()
        store = self._store
        if store is None or self.state != "ok":
            why = self.failure.code if self.failure else self.state
            message = f"{self._home.database} cannot be copied now ({why})"
            raise AttnError("persistence_unavailable", message, "run: attn doctor")
        made = await self._run(backup.make_for_person, store.database, self._home.backups, to, now_ms())
        await self._look_at_backups()
        return made

    async def _look_at_backups(self) -> None:
        newest = next(iter(await self._run(backup.listed, self._home.backups)), None)
        self._backup = None if newest is None else str(self._home.backups / Path(newest.path).name)

    def _degrade(self, failure: StoreFailure) -> None:
        if self.failure is None or self.failure.code != failure.code:
            log.error("the store is not usable: %s", failure)
        self.failure, self.state = failure, "degraded"
        self.changed()

    def _well(self) -> None:
        self.failure, self.state = None, "ephemeral" if self._ephemeral else "ok"
        self.changed()

    def view(self) -> StoreView:
        """The database as clients see it."""
        return StoreView(state=self.state, path=str(self._home.database), last_good_backup=self._backup)

    # -- reading -------------------------------------------------------------------------------------------------

    async def rows(self) -> list[SessionRow]:
        """What the store remembers; nothing while there is none."""
        nothing: list[SessionRow] = []
        rows = await self._read(lambda store: store.sessions.list(), nothing)
        self._written = {row.id: row for row in rows}
        return rows

    async def recent(self, limit: int) -> list[str]:
        """The directories used last."""
        return await self._read(lambda store: store.places.recent(limit), [])

    async def _read(self, read: Callable[[Store], Result], otherwise: Result) -> Result:
        if self._store is None:
            return otherwise
        try:
            return await self._run(read, self._store)
        except StoreFailure as failure:
            self._degrade(failure)
            return otherwise

    # -- writing -------------------------------------------------------------------------------------------------

    def save(self, session: Session) -> None:
        """The session changed; written behind its back."""
        row = row_of(session)
        known = self._dirty.get(session.id) or self._written.get(session.id)
        if row == known:
            return
        self._dirty[session.id] = row
        if known is None or replace(known, last_output_at_ms=row.last_output_at_ms) != row:
            self._wake.set()

    def remember(self, path: str) -> None:
        """A session was started in this directory."""
        self._places[path] = now_ms()
        self._wake.set()

    async def delete(self, session_id: str) -> None:
        """The session was removed."""
        self._dirty[session_id] = None
        await self.saved()

    async def saved(self) -> None:
        """Write everything that changed until now, or learn that it cannot be written.

        A store that failed for good is let be: one write that works would not prove it sound.
        """
        async with self._turn:
            store, rows, places = self._store, self._dirty, self._places
            lost = self.failure is not None and not self.failure.transient
            if store is None or lost or not (rows or places):
                return
            self._dirty, self._places = {}, {}
            # Before the write ends, so that a change back in the meantime counts as one; `_dirty` comes first anyway.
            for session_id, row in rows.items():
                if row is None:
                    self._written.pop(session_id, None)
                else:
                    self._written[session_id] = row
            try:
                await self._run(_write, store, rows, places)
            except StoreFailure as failure:
                self._dirty, self._places = {**rows, **self._dirty}, {**places, **self._places}
                self._degrade(failure)
                return
            if self.failure is not None:
                self._well()


def _write(store: Store, rows: dict[str, SessionRow | None], places: dict[str, int]) -> None:
    store.check()
    present = [row for row in rows.values() if row is not None]
    if present:
        store.sessions.upsert(*present)
    for session_id in (session_id for session_id, row in rows.items() if row is None):
        store.sessions.delete(session_id)
    for path, used_at_ms in places.items():
        store.places.remember(path, used_at_ms)


def row_of(session: Session) -> SessionRow:
    """The row of a live session."""
    spec, ended = session.spec, session.exit
    return SessionRow(
        id=session.id, label=session.label, agent=spec.agent, argv=list(spec.argv), cwd=spec.cwd, state=session.state,
        rows=session.rows, cols=session.cols, created_at_ms=spec.created_at_ms, order=session.order,
        last_output_at_ms=session.last_output_at_ms, exit_code=ended.code if ended else None,
        exit_signal=ended.signal if ended else None, exit_at_ms=ended.at_ms if ended else None, cause=session.cause,
        parent=spec.parent, resume=spec.resume, worker_build=session.worker_build,
    )  # fmt: skip


def spec_of(row: SessionRow, daemon_id: str) -> Spec:
    """The launch facts of a session whose bundle is gone."""
    return Spec(
        session_id=row.id, daemon_id=daemon_id, argv=row.argv, cwd=row.cwd, env_names=[], agent=row.agent,
        label=row.label, rows=row.rows, cols=row.cols, created_at_ms=row.created_at_ms, parent=row.parent,
        resume=row.resume,
    )  # fmt: skip


def restore(row: SessionRow, session: Session) -> None:
    """What only the row knows of a session that was found again."""
    session.state, session.rows, session.cols = row.state, row.rows, row.cols
    session.last_output_at_ms, session.worker_build = row.last_output_at_ms, row.worker_build
    if row.exit_at_ms is not None:
        session.exit = ExitView(code=row.exit_code, signal=row.exit_signal, at_ms=row.exit_at_ms)
    if row.state in ENDED:
        session.ended.set()
