"""The sessions that stand on disk when the daemon starts: looked at in parallel, decided by `core.recovery`.

Nothing is ended or created here, and nothing is deleted but what an earlier daemon had decided to delete. A worker
that answers in time is adopted, one that does not is shown as unreachable and asked again; what is proved gone keeps
its last screen and its exit. What an earlier daemon was killed in the middle of is completed once clients are served.
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
from attn.bundle.removal import drop_unborn, list_removals
from attn.core.agents import PROGRAM
from attn.core.recovery import (
    Action,
    Adopt,
    Complete,
    Conclude,
    Drain,
    Intent,
    Quarantine,
    Seen,
    Stored,
    Watch,
    plan_recovery,
)
from attn.core.session import DEFAULT_COLS, DEFAULT_ROWS
from attn.daemon.hub import Hub
from attn.daemon.lifecycle import programs
from attn.daemon.lifecycle.lifecycle import Lifecycle
from attn.daemon.lifecycle.reaching import YOUNG_MS, Reached
from attn.daemon.sessions.index import restore, spec_of
from attn.daemon.sessions.live import Session, now_ms
from attn.errors import AttnError
from attn.store import SessionRow
from attn.wire.client_views import ExitView

log = logging.getLogger(__name__)
Value = TypeVar("Value")

# Connection, greeting and account of one worker, all workers at once: a machine that is slow, not a worker that hangs.
ANSWER_LIMIT_S: Final = 1.5
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
    repeatable: bool
    foreign: bool


class Adoption:
    """Finds the sessions of one hub again, once."""

    def __init__(self, hub: Hub, lifecycle: Lifecycle) -> None:
        self._hub = hub
        self._lifecycle = lifecycle
        self._counts: Counter[str] = Counter()
        self._gone: list[Session] = []

    async def run(self) -> None:
        """Fill the hub with every session that stands in the store or on disk; then clients get the list."""
        hub = self._hub
        removed = await self._complete_removals()
        rows = {row.id: row for row in await hub.index.rows() if row.id not in removed}
        found = {each.bundle.session_id: each for each in await hub.disk(_look_all, hub.home.run, hub.daemon_id)}
        for session_id in rows.keys() | found.keys():
            session = _session(hub, session_id, rows.get(session_id), found.get(session_id))
            hub.sessions[session_id] = session
        reached = await self._reach_all(found)
        boot = await hub.disk(identity.boot_id)
        stored = await hub.disk(_stored, list(rows.values()), hub.daemon_id)
        seen = [_seen(each, reached.get(each.bundle.session_id), boot) for each in found.values()]
        plan = plan_recovery(stored, seen)
        for action in plan:
            await self._carry_out(action, found.get(action.session_id), reached.get(action.session_id))
        in_order = sorted(hub.sessions.values(), key=lambda session: (session.order, session.spec.created_at_ms))
        hub.sessions.clear()
        hub.sessions.update((session.id, session) for session in in_order)
        for session in in_order:
            hub.index.save(session)
        log.info("recovery: %s", ", ".join(f"{n} {word}" for word, n in self._counts.items()) or "nothing to recover")
        hub.recovered(dict(self._counts), self._gone)
        for action in plan:
            if isinstance(action, Conclude):
                hub.start(self._lifecycle.sweep(hub.sessions[action.session_id]), f"sweep-{action.session_id}")
            if isinstance(action, Adopt | Drain | Conclude | Complete) and action.then != "none":
                session = hub.sessions[action.session_id]
                hub.start(self._lifecycle.complete(session), f"complete-{session.id}")

    async def _complete_removals(self) -> set[str]:
        """Sessions whose removal was decided: no row brings them back. What was never whole goes as well."""
        try:
            for session_id in await self._hub.disk(drop_unborn, self._hub.home.run):
                log.info("its making was cut off before it was a session", extra={"session": session_id})
        except (OSError, BundleDamaged) as error:
            log.warning("leftovers of a start stay: %s", error)
        removals = await self._hub.disk(list_removals, self._hub.home.run)
        for removal in removals:
            forgotten = await self._hub.index.delete(removal.session_id)
            if await self._lifecycle.complete_removal(removal, forgotten=forgotten):
                log.info("its removal was cut off, and is complete now", extra={"session": removal.session_id})
        return {removal.session_id for removal in removals}

    async def _reach_all(self, found: dict[str, Found]) -> dict[str, Reached | AttnError]:
        """Ask every worker of ours that may live, all at once."""
        asked = [session_id for session_id, each in found.items() if each.lock_held is not False and not each.foreign]
        answers = await asyncio.gather(*(self._ask(session_id) for session_id in asked))
        return dict(zip(asked, answers, strict=True))

    async def _ask(self, session_id: str) -> Reached | AttnError:
        session = self._hub.sessions[session_id]
        session.state, session.exit = "starting", None
        session.ended.clear()  # its end may be told while others are still being asked
        try:
            async with asyncio.timeout(ANSWER_LIMIT_S):
                return await self._lifecycle.connect(session)
        except TimeoutError:
            return AttnError("worker_unreachable", "no answer in time")
        except AttnError as error:
            log.info("worker not reached: %s", error, extra={"session": session_id})
            return error

    async def _carry_out(self, action: Action, found: Found | None, reached: Reached | AttnError | None) -> None:
        hub, session = self._hub, self._hub.sessions[action.session_id]
        if isinstance(action, Adopt | Drain | Watch | Conclude) and action.recreate:
            self._counts["recreated"] += 1
        match action:
            case Adopt() if isinstance(reached, Reached):
                await self._adopt(session, reached, action)
            case Drain() if found is not None and found.ended is not None:
                self._counts["exited"] += 1
                _end(session, found.ended)
                if isinstance(reached, Reached):
                    reached.link.close()
                hub.start(self._drain(session), f"drain-{session.id}")
            case Conclude():
                self._conclude(session, action, found)
            case Complete():
                log.info("what was begun with it is completed", extra={"session": session.id})
            case Quarantine(in_place=in_place):
                self._counts["quarantined"] += 1
                await self._quarantine(session, in_place=in_place)
            case _:
                self._counts["unreachable"] += 1
                session.state = "unreachable"
                self._lifecycle.probe(session)

    async def _adopt(self, session: Session, reached: Reached, action: Adopt) -> None:
        self._counts["recovered"] += 1
        self._lifecycle.adopt(session, reached)
        log.info("adopted, worker %d", reached.link.pid, extra={"session": session.id})
        if action.conflict:
            log.warning("its row said that it had ended, but its worker lives", extra={"session": session.id})
        if action.then == "none":
            await self._lifecycle.intend(session, None, None)  # of an end that did not come, or of the run before

    def _conclude(self, session: Session, action: Conclude, found: Found | None) -> None:
        self._counts["exited" if action.state == "exited" else "lost"] += 1
        session.state = action.state
        session.ended.set()
        if found is not None and found.ended is not None:
            _end(session, found.ended)
        else:
            self._gone.append(session)
            log.warning("its worker is gone: %s (%s)", action.state, action.reason, extra={"session": session.id})

    async def _drain(self, session: Session) -> None:
        await asyncio.sleep(DRAIN_LIMIT_S)
        await self._lifecycle.see_out(session)

    async def _quarantine(self, session: Session, *, in_place: bool) -> None:
        """Show no session for a bundle in doubt. Nobody holds it: rename it, whole; else leave it as it is."""
        self._hub.sessions.pop(session.id, None)
        path = aside = session.bundle.path
        if in_place:
            self._hub.raise_condition("session_foreign", f"{path.name} belongs to another daemon", str(path))
            log.warning("it belongs to another daemon, and is left alone", extra={"session": session.id})
            return
        aside = path.with_name(f"{session.id}.damaged-{now_ms()}")
        try:
            await self._hub.disk(path.rename, aside)
        except OSError as error:
            log.error("%s cannot be set aside: %s", path, error)
            aside = path
        self._hub.raise_condition("bundle_quarantined", f"kept as {aside.name}", str(aside))


def _look_all(run_dir: Path, daemon_id: str) -> list[Found]:
    return [_look(bundle, daemon_id) for bundle in list_bundles(run_dir)]


def _look(bundle: Bundle, daemon_id: str) -> Found:
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
    spec = _readable(bundle.spec)
    foreign = spec is not None and spec.daemon_id != daemon_id
    return Found(
        bundle=bundle, spec=spec, meta=_readable(bundle.meta), worker=_readable(bundle.worker), lock_held=held,
        ended=ended, exit=exit_state, has_screen=(bundle.path / SCREEN).exists(), foreign=foreign,
        repeatable=spec is not None and not foreign and programs.repeatable(spec),
    )  # fmt: skip


def _stored(rows: list[SessionRow], daemon_id: str) -> list[Stored]:
    return [Stored(row.id, row.state, programs.repeatable(spec_of(row, daemon_id))) for row in rows]


def _readable(read: Callable[[], Value | None]) -> Value | None:
    try:
        return read()
    except (OSError, BundleDamaged) as error:
        log.error("%s", error)
        return None


def _seen(found: Found, reached: Reached | AttnError | None, boot: str) -> Seen:
    young = found.worker is None and found.spec is not None and now_ms() - found.spec.created_at_ms < YOUNG_MS
    answered = isinstance(reached, Reached)
    return Seen(
        id=found.bundle.session_id, lock_held=found.lock_held, exit=found.exit, young=young,
        answers="yes" if answered else "no" if reached is None else "unknown",
        spec_readable=found.spec is not None, same_boot=found.worker is None or found.worker.boot_id == boot,
        repeatable=found.repeatable, runs=isinstance(reached, Reached) and reached.info.get("exit") is None,
        foreign=found.foreign, intent=_intent(found, reached),
    )  # fmt: skip


def _intent(found: Found, reached: Reached | AttnError | None) -> Intent:
    """What is left to do. A reload that names another worker than the one that answers is done already."""
    word, _, worker_pid = (found.meta.intent or "" if found.meta is not None else "").partition(" ")
    if word == "reload" and isinstance(reached, Reached) and str(reached.link.pid) != worker_pid:
        return "none"
    intents: dict[str, Intent] = {"kill": "kill", "remove": "remove", "reload": "reload"}
    return intents.get(word, "none")


def _session(hub: Hub, session_id: str, row: SessionRow | None, found: Found | None) -> Session:
    """The session as its files tell it, else as its row does; the bundle wins where they differ."""
    bundle = found.bundle if found is not None else Bundle(hub.home.bundle(session_id))
    spec = found.spec if found is not None else None
    spec = spec or (spec_of(row, hub.daemon_id) if row is not None else _unknown_spec(session_id, hub.daemon_id))
    meta = (found.meta if found is not None else None) or Meta(
        row.label if row else spec.label, row.order if row else 0
    )
    session = Session(bundle=bundle, spec=spec, owner=hub, label=meta.label, order=meta.order, cause=meta.cause)
    session.intent, session.conversation = meta.intent, meta.conversation
    if meta.pinned_rows is not None and meta.pinned_cols is not None:
        session.pinned = meta.pinned_rows, meta.pinned_cols
    session.recoverable = found.repeatable if found is not None else programs.repeatable(spec)
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
