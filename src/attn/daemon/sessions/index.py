"""The store's rows of the live sessions, whose truth stands in their bundles.

A store that fails never holds up a session: what could not be written stays to be written, and the keeper of the store
says so. No database ever counts as saved that is not.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from attn.bundle.records import Spec
from attn.core.session import ENDED
from attn.daemon.sessions.live import Session
from attn.daemon.store.keeper import StoreKeeper
from attn.errors import AttnError
from attn.store import SessionRow, Store
from attn.wire.client_views import ExitView

log = logging.getLogger(__name__)

# A change of nothing but the time of the last output is written this late.
LAZY_WRITE_S: Final = 30.0


class Index:
    """Rows of the live sessions, written behind them. What waits is bounded: the latest row of each session."""

    def __init__(self, keeper: StoreKeeper) -> None:
        self.keeper = keeper
        keeper.waiting = self._everything
        # Set by the composition root: who knows all live sessions.
        self.sessions: Callable[[], Iterable[Session]] = lambda: ()
        self._written: dict[str, SessionRow] = {}
        self._dirty: dict[str, SessionRow | None] = {}
        # What is being written now, and counts as waiting until that is done.
        self._going: dict[str, SessionRow | None] = {}
        self._wake = asyncio.Event()
        self._turn = asyncio.Lock()

    async def keep(self) -> None:
        """Write what is dirty, soon after it is. Runs as long as the daemon."""
        while True:
            try:
                async with asyncio.timeout(LAZY_WRITE_S):
                    await self._wake.wait()
            except TimeoutError:
                log.debug("time to write what may wait")
            self._wake.clear()
            await self.saved()

    # -- reading -------------------------------------------------------------------------------------------------

    async def rows(self) -> list[SessionRow]:
        """What the store remembers; nothing while there is none."""
        try:
            rows = await self.keeper.use(lambda store: store.sessions.list())
        except AttnError as failure:
            log.warning("the list of sessions comes from their bundles alone: %s", failure)
            rows = []
        self._written = {row.id: row for row in rows}
        return rows

    async def recent(self, limit: int) -> list[str]:
        """The directories used last; none while there is no store, which is told as a condition."""
        try:
            return await self.keeper.use(lambda store: store.places.recent(limit))
        except AttnError as failure:
            log.debug("no recent directories: %s", failure)
            return []

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

    async def delete(self, session_id: str) -> bool:
        """The session was removed; whether its row is gone for certain."""
        self._dirty[session_id] = None
        await self.saved()
        return session_id not in self._dirty

    async def saved(self) -> None:
        """Write everything that changed until now, or leave it waiting until the store is usable again."""
        async with self._turn:
            if not self.keeper.usable or not self._dirty:
                return
            rows = self._going = self._dirty
            self._dirty = {}
            # Before the write ends, so that a change back in the meantime counts as one; `_dirty` comes first anyway.
            self._note(rows)
            try:
                await self.keeper.use(lambda store: _write(store, rows))
            except AttnError:
                if not self.keeper.usable:  # else it came back, and wrote all of this
                    self._dirty = {**rows, **self._dirty}
            finally:
                self._going = {}

    def _note(self, rows: dict[str, SessionRow | None]) -> None:
        for session_id, row in rows.items():
            if row is None:
                self._written.pop(session_id, None)
            else:
                self._written[session_id] = row

    def _everything(self) -> Callable[[Store], None]:
        """What a store that is usable again must learn: all live sessions, and whatever waited."""
        live = {session.id: row_of(session) for session in self.sessions()}
        rows = {**self._going, **self._dirty, **live}

        def write(store: Store) -> None:
            _write(store, rows)

        return write


def _write(store: Store, rows: dict[str, SessionRow | None]) -> None:
    """A session that the table did not know brings its directory with it, whenever it was started: in this moment,
    while there was no store, or under a daemon that ended without one."""
    store.check()
    present = [row for row in rows.values() if row is not None]
    known = store.sessions.ids() if present else set()
    for row in present:
        if row.id not in known:
            store.places.remember(row.cwd, row.created_at_ms)
    if present:
        store.sessions.upsert(*present)
    for session_id in (session_id for session_id, row in rows.items() if row is None):
        store.sessions.delete(session_id)


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
