"""How sessions begin, end, are found again and are forgotten.

The bundle is written before anything else happens and is the truth afterwards: an intent to end a program stands in
`meta.json` before the first signal, its end in `exit.json` before the worker says goodbye. Whatever cannot be proved
is `unreachable`, shown and asked again; nothing is deleted for it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import attn
from attn.bundle.bundle import SCREEN, Bundle, BundleBusy
from attn.bundle.files import BundleDamaged
from attn.bundle.records import ExitRecord, Meta, Spec
from attn.config import Config
from attn.core import agents
from attn.core.environment import check_environment, child_environment
from attn.core.session import (
    DEFAULT_COLS,
    DEFAULT_ROWS,
    check_size,
    clean_label,
    new_session_id,
    valid_session_id,
)
from attn.daemon.hub import Hub
from attn.daemon.sessions import programs
from attn.daemon.sessions.live import Session, ignored, now_ms
from attn.daemon.startup import LoginEnvironment
from attn.daemon.workers.link import Json, WorkerLink, connect
from attn.daemon.workers.spawner import Spawner
from attn.errors import AttnError
from attn.wire.client_requests import SpawnSession
from attn.wire.launch import pack_request

log = logging.getLogger(__name__)

# The kill ladder of the worker takes about 5 s; the client's own limit is longer than this.
KILL_LIMIT_S: Final = 20.0
# A worker leaves a second after its program's end, but stays while its kill ladder (5 s) ends what the program started.
LEAVE_LIMIT_S: Final = 8.0
# A bundle without worker.json that is this young may have a worker on its way.
YOUNG_MS: Final = 10_000
# Ended sessions are shown and kept this long, and this many.
ENDED_KEPT_MS: Final = 14 * 24 * 3600 * 1000
ENDED_KEPT_MAX: Final = 200
# First and longest pause between two attempts to reach an unreachable worker.
PROBE_FIRST_S: Final = 0.25
PROBE_LONGEST_S: Final = 15.0


@dataclass(frozen=True)
class Plan:
    """A checked wish for a new session."""

    spec: Spec
    env: dict[str, str]
    umask: int


class Reached(NamedTuple):
    """A worker that answered: the way to it, and its state."""

    link: WorkerLink
    info: Json


class Lifecycle:
    """Begins and ends sessions of one hub."""

    def __init__(self, hub: Hub, config: Config, spawner: Spawner, login: asyncio.Future[LoginEnvironment]) -> None:
        self._hub = hub
        self._config = config
        self._spawner = spawner
        self._login = login
        # Being started: not listed yet, but their labels and places are taken.
        self._beginning: set[Session] = set()

    # -- beginning -----------------------------------------------------------------------------------------------

    async def spawn(self, wish: SpawnSession) -> Session:
        """Start a program in a session of its own. Raises AttnError; then nothing is left of it."""
        login = await asyncio.shield(self._login)
        # A file system that hangs must not hold up everybody else.
        cwd = await asyncio.to_thread(programs.directory, wish.cwd, login.variables)
        plan = self._plan(wish, login, cwd)
        bundle = Bundle(self._hub.home.bundle(plan.spec.session_id))
        session = Session(bundle=bundle, spec=plan.spec, owner=self._hub, label=plan.spec.label)
        session.order = 1 + max((other.order for other in self._all()), default=-1)
        self._beginning.add(session)
        try:
            await self._begin(session, plan)
        finally:
            self._beginning.discard(session)
        self._hub.sessions[session.id] = session
        if not await self.reach(session) and session.running:
            self._probe(session)
        self._hub.index.remember(plan.spec.cwd)
        await self._hub.index.saved()
        return session

    async def _begin(self, session: Session, plan: Plan) -> None:
        """The bundle, then the worker. Raises AttnError; then neither is left."""
        meta = Meta(label=session.label, order=session.order, cause=None)
        try:
            await self._hub.disk(session.bundle.create, plan.spec, meta)
            _, session.pid = await self._spawner.spawn(self._record(plan, session.bundle))
        except (AttnError, OSError, ValueError) as error:
            if not await self._hub.disk(_discard, session.bundle):
                # A worker came after all, too late to be waited for: what runs is shown, and can be ended.
                self._hub.sessions[session.id] = session
                self._probe(session)
            if isinstance(error, AttnError):
                raise
            raise AttnError("internal", f"the session cannot be made: {error}", "see `attn logs`") from error

    def _all(self) -> list[Session]:
        """Every session there is or is about to be."""
        return [*self._hub.sessions.values(), *self._beginning]

    def _probe(self, session: Session) -> None:
        self._hub.start(self.keep_reaching(session), f"reach-{session.id}")

    def _plan(self, wish: SpawnSession, login: LoginEnvironment, cwd: str) -> Plan:
        """Everything that can be refused is refused here, before any file exists."""
        rows, cols = wish.rows or DEFAULT_ROWS, wish.cols or DEFAULT_COLS
        if wish.rows is not None or wish.cols is not None:
            rows, cols = wish.rows or 0, wish.cols or 0
        check_size(rows, cols)
        check_environment(wish.env)
        session_id = new_session_id(secrets.token_bytes(16))
        env = child_environment(login.variables, wish.client_env, wish.env, self._ours(session_id))
        which = programs.finder(env.get("PATH", os.defpath), cwd)
        if wish.argv:
            name, conversation, resumable = agents.recognise(wish.argv), None, False
            argv = [programs.program(wish.argv[0], which, cwd), *wish.argv[1:]]
        else:
            row = agents.agent(wish.agent)
            start = agents.launch(
                row, agents.find(row, which, login.variables.get("SHELL", "")), wish.args, str(uuid.uuid4())
            )
            name, argv, conversation, resumable = row.name, start.argv, start.conversation, start.resumable
        programs.check_arguments(argv)
        taken = {session.label for session in self._all()}
        shown = name if name != agents.PROGRAM else argv[0]
        label = clean_label(wish.label) if wish.label is not None else agents.label_for(shown, cwd, taken)
        parent = wish.parent if wish.parent and valid_session_id(wish.parent) else None
        resume = {"conversation": conversation, "args": wish.args} if resumable else None
        spec = Spec(
            session_id=session_id, daemon_id=self._hub.daemon_id, argv=argv, cwd=cwd, env_names=sorted(env),
            agent=name, label=label, rows=rows, cols=cols, created_at_ms=now_ms(), parent=parent, resume=resume,
            build=attn.__version__,
            emulator=wish.emulator and self._config.emulator == "on" and self._spawner.emulator,
            scrollback_lines=self._config.scrollback_lines,
        )  # fmt: skip
        return Plan(spec, env, login.umask)

    def _ours(self, session_id: str) -> dict[str, str]:
        home = self._hub.home
        ours = {"ATTN_SESSION": session_id, "ATTN_SOCKET": os.fspath(home.daemon_socket)}
        return ours if home.is_default else {**ours, "ATTN_HOME": os.fspath(home.root)}

    def _record(self, plan: Plan, bundle: Bundle) -> bytes:
        spec = plan.spec
        return pack_request(
            session_id=spec.session_id, bundle_dir=os.fspath(bundle.path),
            socket_path=os.fspath(self._hub.home.worker_socket(spec.session_id)), rows=spec.rows, cols=spec.cols,
            scrollback_lines=spec.scrollback_lines, emulator=spec.emulator, umask=plan.umask,
            cwd=spec.cwd, argv=spec.argv, env=plan.env,
            persist_screen=self._config.persist_screen,
        )  # fmt: skip

    # -- reaching ------------------------------------------------------------------------------------------------

    async def reach(self, session: Session) -> bool:
        """Connect to the session's worker, or learn that it is gone. Afterwards the state is true, and broadcast."""
        async with session.busy:
            if session.link is not None or not session.running:
                return session.link is not None
            try:
                reached = await self.connect(session)
            except AttnError as error:
                log.info("worker not reached: %s", error, extra={"session": session.id})
                await self._without_worker(session)
                return False
            session.linked(*reached)
            ended = reached.info.get("exit")
            if ended is not None:
                self._hub.session_event(session, {"event": "exit", **ended})
            self._hub.session_changed(session)
            return True

    async def connect(self, session: Session) -> Reached:
        """A greeted link to the session's worker. Raises AttnError `worker_unreachable` or what the worker said."""
        try:
            token, path = await self._hub.disk(_way_to, session.bundle, self._hub.home.worker_socket(session.id))
        except (BundleDamaged, OSError) as error:
            raise AttnError("worker_unreachable", f"its control token cannot be read: {error}") from error
        link = await connect(path, session)
        try:
            said = await link.hello(token, self._hub.daemon_id)
            if said.get("session_id") != session.id:
                raise AttnError("worker_unreachable", f"the worker serves session {said.get('session_id')!r}")
            return Reached(link, await link.call("info", {}))
        except BaseException:
            link.close()
            raise

    async def _without_worker(self, session: Session) -> None:
        """No connection: read from the bundle whether the worker lives, and how its program ended."""
        try:
            alive, ended = await self._hub.disk(_end_of, session.bundle)
            session.has_screen, session.worker_build = await self._hub.disk(_left_by_worker, session.bundle)
        except (OSError, BundleDamaged) as error:
            log.warning("its bundle cannot be read: %s", error, extra={"session": session.id})
            alive, ended = True, None  # nothing is proved
        self._hub.session_found(session, alive, ended)

    async def keep_reaching(self, session: Session) -> None:
        """Probe an unreachable worker, ever more slowly, until it answers or is proved gone."""
        pause_s = PROBE_FIRST_S
        while not await self.reach(session) and session.running:
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, PROBE_LONGEST_S)

    # -- ending --------------------------------------------------------------------------------------------------

    async def kill(self, session: Session) -> None:
        """End the program and all it started; returns when its end is known. An ended one stays as it is."""
        if not session.running:
            return
        await self._intend(session, "killed")
        if session.link is None and not await self.reach(session):
            if session.running:
                raise self._unreachable(session)
            return
        link = session.link
        if link is not None:
            await link.call("signal", {"ladder": True})
        try:
            await asyncio.wait_for(session.ended.wait(), KILL_LIMIT_S)
        except TimeoutError as error:
            raise AttnError(
                "timeout", f"{session.label} did not end within {KILL_LIMIT_S:.0f} s", "try again"
            ) from error

    async def remove(self, session: Session, *, force: bool) -> None:
        """Forget an ended session, files and all. Raises AttnError `session_running` unless `force` ends it first."""
        if session.running and not force:
            raise AttnError("session_running", f"{session.label} still runs", "attn kill it, or attn rm --force")
        await self.kill(session)
        await self._intend(session, session.cause or "removed")
        await self._worker_left(session)
        try:
            await self._hub.disk(session.bundle.remove)
        except FileNotFoundError:
            log.info("it has no bundle any more", extra={"session": session.id})
        except BundleBusy as error:
            raise self._unreachable(session) from error
        except (OSError, BundleDamaged) as error:
            raise AttnError(
                "internal", f"{session.bundle.path} cannot be removed: {error}", "see `attn logs`"
            ) from error
        await self._hub.forget(session)

    async def prune(self) -> None:
        """Forget ended sessions that are too old or too many (the newest stay)."""
        ended = [session for session in self._hub.sessions.values() if not session.running]
        ended.sort(key=_ended_at_ms, reverse=True)
        for place, session in enumerate(ended):
            if place >= ENDED_KEPT_MAX or now_ms() - _ended_at_ms(session) > ENDED_KEPT_MS:
                try:
                    await self.remove(session, force=False)
                except AttnError as error:
                    log.warning("it cannot be forgotten: %s", error, extra={"session": session.id})

    async def rename(self, session: Session, label: str) -> None:
        """Give a session another label: bundle first, then the store's index of it."""
        clean = clean_label(label)
        before, session.label = session.label, clean
        try:
            await self._write_meta(session)
        except AttnError:
            session.label = before
            raise
        self._hub.session_changed(session)

    async def _worker_left(self, session: Session) -> None:
        """After the program's end the worker leaves by itself; ask it, and wait a moment."""
        if session.link is not None:
            session.link.request("remove", {}, ignored)
        deadline = asyncio.get_running_loop().time() + LEAVE_LIMIT_S
        while await self._hub.disk(_held, session.bundle) and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.02)

    async def dismiss(self, session: Session) -> None:
        """Ask a worker that stays after its program's end to leave."""
        try:
            reached = await self.connect(session)
            await reached.link.call("remove", {})
            reached.link.close()
        except AttnError as error:
            log.debug("no worker to dismiss: %s", error, extra={"session": session.id})

    async def _intend(self, session: Session, cause: str) -> None:
        """Write why the session will end. A disk that takes nothing more keeps nobody from ending a program."""
        session.cause = cause
        try:
            await self._write_meta(session)
        except AttnError as error:
            log.warning("why it ends is not recorded: %s", error, extra={"session": session.id})

    async def _write_meta(self, session: Session) -> None:
        meta = Meta(label=session.label, order=session.order, cause=session.cause)
        try:
            await self._hub.disk(session.bundle.write_meta, meta)
        except OSError as error:
            raise AttnError(
                "internal", f"{session.bundle.path} cannot be written: {error.strerror}", "free some space on that disk"
            ) from error

    def _unreachable(self, session: Session) -> AttnError:
        return AttnError(
            "worker_unreachable",
            f"the worker of {session.label} does not answer and may be stopped",
            f"see {session.bundle.path}/worker.json for its pid: continue it with kill -CONT, or end it with kill -9",
        )


def _ended_at_ms(session: Session) -> int:
    """When it ended, or what is nearest to that."""
    if session.exit is not None:
        return session.exit.at_ms
    return session.last_output_at_ms or session.spec.created_at_ms


def _end_of(bundle: Bundle) -> tuple[bool, ExitRecord | None]:
    """Does a worker live, and how did its program end, if it did."""
    alive = bundle.lock_held()  # first: once the lock is free, exit.json is there or never will be
    ended = bundle.exit()
    return alive or (ended is None and _on_its_way(bundle)), ended


def _left_by_worker(bundle: Bundle) -> tuple[bool, str]:
    """Did it keep a screen, and which build was it."""
    worker = bundle.worker()
    return (bundle.path / SCREEN).exists(), worker.build if worker is not None else ""


def _on_its_way(bundle: Bundle) -> bool:
    """May a worker still come to take the lock? The daemon that ordered it may have died a moment ago."""
    try:
        return bundle.worker() is None and 0 <= now_ms() - bundle.spec().created_at_ms < YOUNG_MS
    except BundleDamaged:
        return False


def _way_to(bundle: Bundle, usual: Path) -> tuple[str, Path]:
    """The token and the socket of a worker. It listens where it was told to, which another daemon may have decided."""
    try:
        worker = bundle.worker()
    except (BundleDamaged, OSError):
        worker = None
    return bundle.control(), usual if worker is None else Path(worker.socket)


def _held(bundle: Bundle) -> bool:
    try:
        return bundle.lock_held()
    except OSError:
        return False  # no directory, no lock


def _discard(bundle: Bundle) -> bool:
    """Take back a bundle that no session came of; False when a worker has it."""
    try:
        bundle.remove()
    except FileNotFoundError:
        return True
    except BundleBusy:
        return False
    except (OSError, BundleDamaged) as error:
        log.error("the bundle of a session that did not start stays behind: %s", error)
    return True
