"""The sessions that stand on disk when the daemon starts: looked at in parallel, decided by `core.recovery`.

Nothing is ended, deleted or created here. A worker that answers within a second is adopted, one that does not is shown
as unreachable and asked again; what is proved gone keeps its last screen and its exit.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeVar

from attn.bundle import identity
from attn.bundle.bundle import SCREEN, Bundle, list_bundles
from attn.bundle.files import BundleDamaged
from attn.bundle.records import ExitRecord, Meta, Spec, WorkerRecord
from attn.core.agents import PROGRAM
from attn.core.recovery import Action, Adopt, Conclude, Drain, Quarantine, Seen, Stored, plan_recovery
from attn.core.session import DEFAULT_COLS, DEFAULT_ROWS
from attn.daemon.hub import Hub
from attn.daemon.sessions.index import restore, spec_of
from attn.daemon.sessions.lifecycle import Lifecycle, Reached
from attn.daemon.sessions.live import Session, now_ms
from attn.errors import AttnError
from attn.store import SessionRow
from attn.wire.client_views import ExitView

log = logging.getLogger(__name__)
Value = TypeVar("Value")

# All answers together; a single worker has a second (`HELLO_LIMIT_S`).
ADOPTION_LIMIT_S: Final = 10.0
# A bundle without worker.json that is this young may have a worker on its way.
YOUNG_MS: Final = 10_000
# A worker whose program ended leaves within a second; it is asked to go after this.
DRAIN_LIMIT_S: Final = 5.0


@dataclass(frozen=True)
class Found:
    """What the files of one bundle say."""

    bundle: Bundle
    spec: Spec | None
    meta: Meta | None
    worker: WorkerRecord | None
    lock_held: bool | None
    ended: ExitRecord | None
    exit: Literal["none", "read", "unreadable"]
    has_screen: bool


class Adoption:
    """Finds the sessions of one hub again, once."""

    def __init__(self, hub: Hub, lifecycle: Lifecycle) -> None:
        self._hub = hub
        self._lifecycle = lifecycle
        self._counts: Counter[str] = Counter()

    async def run(self) -> None:
        """Fill the hub with every session that stands in the store or on disk; then clients get the list."""
        rows = {row.id: row for row in await self._hub.index.rows()}
        found = {each.bundle.session_id: each for each in await self._hub.disk(_look_all, self._hub.home.run)}
        for session_id in rows.keys() | found.keys():
            session = _session(self._hub, session_id, rows.get(session_id), found.get(session_id))
            self._hub.sessions[session_id] = session
        reached = await self._reach_all(found)
        boot = await self._hub.disk(identity.boot_id)
        stored = [Stored(row.id, row.state, row.resume is not None) for row in rows.values()]
        seen = [_seen(each, reached.get(each.bundle.session_id), boot) for each in found.values()]
        for action in plan_recovery(stored, seen):
            await self._carry_out(action, found.get(action.session_id), reached.get(action.session_id))
        in_order = sorted(self._hub.sessions.values(), key=lambda session: (session.order, session.spec.created_at_ms))
        self._hub.sessions.clear()
        self._hub.sessions.update((session.id, session) for session in in_order)
        for session in in_order:
            self._hub.index.save(session)
        self._hub.recovered(dict(self._counts))

    async def _reach_all(self, found: dict[str, Found]) -> dict[str, Reached | AttnError]:
        """Ask every worker that may live, all at once."""
        asked = [session_id for session_id, each in found.items() if each.lock_held is not False]
        answers = await asyncio.gather(*(self._ask(session_id) for session_id in asked))
        return dict(zip(asked, answers, strict=True))

    async def _ask(self, session_id: str) -> Reached | AttnError:
        session = self._hub.sessions[session_id]
        session.state, session.exit = "starting", None
        session.ended.clear()  # its end may be told while others are still being asked
        try:
            async with asyncio.timeout(ADOPTION_LIMIT_S):
                return await self._lifecycle.connect(session)
        except TimeoutError:
            return AttnError("worker_unreachable", "no answer in time")
        except AttnError as error:
            return error

    async def _carry_out(self, action: Action, found: Found | None, reached: Reached | AttnError | None) -> None:
        hub, session = self._hub, self._hub.sessions[action.session_id]
        if not isinstance(action, Quarantine) and action.recreate:
            self._counts["recreated"] += 1
        match action:
            case Adopt() if isinstance(reached, Reached):
                self._counts["recovered"] += 1
                session.linked(*reached)
            case Drain() if found is not None and found.ended is not None:
                self._counts["exited"] += 1
                _end(session, found.ended)
                if isinstance(reached, Reached):
                    reached.link.close()
                hub.start(self._drain(session), f"drain-{session.id}")
            case Conclude(state=state):
                self._counts["exited" if state == "exited" else "lost"] += 1
                session.state = state
                session.recoverable = state == "recoverable" or session.recoverable
                session.ended.set()
                if found is not None and found.ended is not None:
                    _end(session, found.ended)
                log.warning("%s (%s)", state, action.reason, extra={"session": session.id})
            case Quarantine():
                self._counts["quarantined"] += 1
                await self._quarantine(session)
            case _:
                self._counts["unreachable"] += 1
                session.state = "unreachable"
                hub.start(self._lifecycle.keep_reaching(session), f"reach-{session.id}")

    async def _drain(self, session: Session) -> None:
        await asyncio.sleep(DRAIN_LIMIT_S)
        await self._lifecycle.dismiss(session)

    async def _quarantine(self, session: Session) -> None:
        """Set aside a bundle that nobody can read and no worker holds: renamed, whole."""
        self._hub.sessions.pop(session.id, None)
        aside = session.bundle.path.with_name(f"{session.id}.damaged-{now_ms()}")
        try:
            await self._hub.disk(session.bundle.path.rename, aside)
        except OSError as error:
            log.error("%s cannot be set aside: %s", session.bundle.path, error)
            aside = session.bundle.path
        self._hub.raise_condition("bundle_quarantined", f"kept as {aside.name}", str(aside))


def _look_all(run_dir: Path) -> list[Found]:
    return [_look(bundle) for bundle in list_bundles(run_dir)]


def _look(bundle: Bundle) -> Found:
    ended: ExitRecord | None = None
    held: bool | None
    try:
        held = bundle.lock_held()  # before exit.json: once the lock is free, that file is final
    except OSError as error:
        log.warning("the lock of session %s cannot be looked at: %s", bundle.session_id, error)
        held = None
    exit_state: Literal["none", "read", "unreadable"] = "none"
    try:
        ended = bundle.exit()
        exit_state = "read" if ended is not None else "none"
    except (OSError, BundleDamaged) as error:
        log.error("%s", error)
        exit_state = "unreadable"
    return Found(
        bundle=bundle, spec=_readable(bundle.spec), meta=_readable(bundle.meta), worker=_readable(bundle.worker),
        lock_held=held, ended=ended, exit=exit_state, has_screen=(bundle.path / SCREEN).exists(),
    )  # fmt: skip


def _readable(read: Callable[[], Value | None]) -> Value | None:
    try:
        return read()
    except (OSError, BundleDamaged) as error:
        log.error("%s", error)
        return None


def _seen(found: Found, reached: Reached | AttnError | None, boot: str) -> Seen:
    young = found.worker is None and found.spec is not None and now_ms() - found.spec.created_at_ms < YOUNG_MS
    return Seen(
        id=found.bundle.session_id, lock_held=found.lock_held, exit=found.exit, young=young,
        answers="yes" if isinstance(reached, Reached) else "no" if reached is None else "unknown",
        spec_readable=found.spec is not None, same_boot=found.worker is None or found.worker.boot_id == boot,
        resumable=found.spec is not None and found.spec.resume is not None,
    )  # fmt: skip


def _session(hub: Hub, session_id: str, row: SessionRow | None, found: Found | None) -> Session:
    """The session as its files tell it, else as its row does; the bundle wins where they differ."""
    bundle = found.bundle if found is not None else Bundle(hub.home.bundle(session_id))
    spec = found.spec if found is not None else None
    spec = spec or (spec_of(row, hub.daemon_id) if row is not None else _unknown_spec(session_id, hub.daemon_id))
    meta = (found.meta if found is not None else None) or Meta(
        row.label if row else spec.label, row.order if row else 0
    )
    session = Session(bundle=bundle, spec=spec, owner=hub, label=meta.label, order=meta.order, cause=meta.cause)
    session.recoverable = spec.resume is not None
    session.has_screen = found is not None and found.has_screen
    session.worker_build = found.worker.build if found is not None and found.worker is not None else ""
    if row is not None:
        restore(row, session)
    if found is not None and found.ended is not None:
        session.offset = found.ended.offset
    return session


def _end(session: Session, ended: ExitRecord) -> None:
    session.offset, session.state, session.pid = ended.offset, "exited", None
    session.last_output_at_ms = ended.last_output_at_ms or session.last_output_at_ms
    session.exit = ExitView(code=ended.code, signal=ended.signal, at_ms=ended.at_ms)
    session.ended.set()


def _unknown_spec(session_id: str, daemon_id: str) -> Spec:
    """A worker holds a bundle whose spec cannot be read: its program is shown under its id, and kept."""
    return Spec(
        session_id=session_id, daemon_id=daemon_id, argv=["?"], cwd="/", env_names=[], agent=PROGRAM,
        label=session_id, rows=DEFAULT_ROWS, cols=DEFAULT_COLS, created_at_ms=now_ms(),
    )  # fmt: skip
