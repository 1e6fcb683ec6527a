"""The way to a session's worker: found, proved to be the right one, asked again while nobody answers.

Whatever cannot be proved is `unreachable`, shown and asked again; nothing is deleted for it, and nobody is signalled:
a worker is spoken to, never its pid.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Final, NamedTuple

from attn.bundle import identity
from attn.bundle.bundle import SCREEN, Bundle
from attn.bundle.files import BundleDamaged
from attn.bundle.records import ExitRecord, Spec, WorkerRecord
from attn.bundle.removal import drop_socket
from attn.daemon.hub import Hub
from attn.daemon.lifecycle import programs
from attn.daemon.sessions.live import Session, ignored, now_ms
from attn.daemon.workers.link import Json, WorkerLink, connect
from attn.errors import AttnError

log = logging.getLogger(__name__)

# A worker leaves a second after its program's end, but stays while its kill ladder (5 s) ends what the program started.
LEAVE_LIMIT_S: Final = 8.0
# A bundle without worker.json that is this young may have a worker on its way.
YOUNG_MS: Final = 10_000
# First and longest pause between two attempts to reach an unreachable worker.
PROBE_FIRST_S: Final = 0.25
PROBE_LONGEST_S: Final = 15.0


class Reached(NamedTuple):
    """A worker that answered: the way to it, and its state."""

    link: WorkerLink
    info: Json


class Left(NamedTuple):
    """What a bundle says when its worker does not."""

    alive: bool
    ended: ExitRecord | None
    has_screen: bool
    build: str
    repeatable: bool


class Reaching:
    """Finds the workers of one hub."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

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
            self.adopt(session, reached)
            self._hub.session_changed(session)
            return True

    def adopt(self, session: Session, reached: Reached) -> None:
        """The worker answered: go on with it, and with what it says of its program's end."""
        session.linked(*reached)
        ended = reached.info.get("exit")
        if ended is not None:
            self._hub.session_event(session, {"event": "exit", **ended})

    async def connect(self, session: Session) -> Reached:
        """A greeted link to the session's worker. Raises AttnError `worker_unreachable` or what the worker said."""
        try:
            token, path, worker = await self._hub.disk(
                _way_to, session.bundle, self._hub.home.worker_socket(session.id)
            )
        except (BundleDamaged, OSError) as error:
            raise AttnError("worker_unreachable", f"its control token cannot be read: {error}") from error
        link = await connect(path, session)
        try:
            if not await self._hub.disk(_is_worker, worker, link.peer_pid):
                raise AttnError("worker_unreachable", f"process {link.peer_pid} listens, which is not its worker")
            said = await link.hello(token, self._hub.daemon_id)
            if said.get("session_id") != session.id:
                raise AttnError("worker_unreachable", f"the worker serves session {said.get('session_id')!r}")
            return Reached(link, _plausible(await link.call("info", {})))
        except BaseException:
            link.close()
            raise

    async def _without_worker(self, session: Session) -> None:
        """No connection: read from the bundle whether the worker lives, and how its program ended."""
        try:
            left = await self._hub.disk(_left, session.bundle, session.spec)
        except (OSError, BundleDamaged) as error:
            log.warning("its bundle cannot be read: %s", error, extra={"session": session.id})
            self._hub.session_found(session, True, None)  # nothing is proved
            return
        session.has_screen, session.worker_build = left.has_screen, left.build
        session.recoverable = left.repeatable
        self._hub.session_found(session, left.alive, left.ended)
        if not left.alive:
            await self.sweep(session)

    async def sweep(self, session: Session) -> None:
        """Its worker is gone, perhaps without taking its socket along."""
        try:
            await self._hub.disk(drop_socket, session.bundle, self._hub.home.worker_socket(session.id))
        except OSError as error:
            log.info("a socket may be left behind: %s", error, extra={"session": session.id})

    def probe(self, session: Session) -> None:
        """Ask on until it is reached or gone, beside everything else."""
        self._hub.start(self.keep_reaching(session), f"reach-{session.id}")

    async def keep_reaching(self, session: Session) -> None:
        """Probe an unreachable worker, ever more slowly, until it answers or is proved gone."""
        pause_s = PROBE_FIRST_S
        while not await self.reach(session) and session.running:
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, PROBE_LONGEST_S)

    async def worker_left(self, session: Session) -> bool:
        """After the program's end the worker leaves by itself; ask it, and wait a moment. Whether it is gone."""
        if session.link is not None:
            session.link.request("remove", {}, ignored)
        deadline = asyncio.get_running_loop().time() + LEAVE_LIMIT_S
        while held := await self._hub.disk(_held, session.bundle):
            if asyncio.get_running_loop().time() >= deadline:
                break
            await asyncio.sleep(0.02)
        return not held

    async def worker_came(self, session: Session) -> bool:
        """Whether a worker has the session, although nobody heard of its coming."""
        return await self._hub.disk(_held, session.bundle)

    async def see_out(self, session: Session) -> None:
        """Its end is known, and yet a worker has it: ask that to leave, or take it over if it runs the program again.

        That it does when a daemon gave up waiting for it, or was killed before it heard of it.
        """
        pause_s = PROBE_FIRST_S
        while self._is_over(session) and await self.worker_came(session):
            try:
                reached = await self.connect(session)
                if reached.info.get("exit") is None:
                    return await self._take_over(session, reached)
                await reached.link.call("remove", {})
                reached.link.close()
            except AttnError as error:
                log.debug("no worker to see out: %s", error, extra={"session": session.id})
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, PROBE_LONGEST_S)
        return None

    def _is_over(self, session: Session) -> bool:
        return not session.running and self._hub.sessions.get(session.id) is session

    async def _take_over(self, session: Session, reached: Reached) -> None:
        async with session.busy:
            if not self._is_over(session):
                return reached.link.close()  # it was resumed or removed meanwhile
            session.ended.clear()
            session.state, session.exit = "starting", None
            self.adopt(session, reached)
            self._hub.session_changed(session)
        return log.warning("its program runs again, pid %s", session.pid, extra={"session": session.id})

    def unreachable(self, session: Session) -> AttnError:
        """What to tell somebody who wants something of a worker that does not answer."""
        return AttnError(
            "worker_unreachable",
            f"the worker of {session.label} does not answer and may be stopped",
            f"see {session.bundle.path}/worker.json for its pid: continue it with kill -CONT, or end it with kill -9",
        )


def _plausible(info: Json) -> Json:
    """Raises AttnError when a worker's account of itself cannot be one."""
    numbers = all(type(info.get(name)) is int for name in ("pid", "rows", "cols", "offset"))
    exit_ = info.get("exit")
    ended = exit_ is None or (isinstance(exit_, dict) and exit_.keys() >= {"code", "signal", "at_ms"})
    if not numbers or not ended or type(info.get("last_output_at_ms", 0) or 0) is not int:
        raise AttnError("worker_unreachable", "the worker's account of itself makes no sense")
    return info


def _left(bundle: Bundle, spec: Spec) -> Left:
    """Does a worker live, how did its program end if it did, and what is left of it. Raises OSError, BundleDamaged."""
    alive = bundle.lock_held()  # first: once the lock is free, exit.json is there or never will be
    ended = bundle.exit()
    worker = bundle.worker()
    return Left(
        alive or (ended is None and _on_its_way(bundle)), ended, (bundle.path / SCREEN).exists(),
        worker.build if worker is not None else "", programs.repeatable(spec),
    )  # fmt: skip


def _on_its_way(bundle: Bundle) -> bool:
    """May a worker still come to take the lock? The daemon that ordered it may have died a moment ago."""
    try:
        return bundle.worker() is None and 0 <= now_ms() - bundle.spec().created_at_ms < YOUNG_MS
    except BundleDamaged:
        return False


def _way_to(bundle: Bundle, usual: Path) -> tuple[str, Path, WorkerRecord | None]:
    """The token, the socket and the record of a worker. It listens where it was told to, by whichever daemon."""
    try:
        worker = bundle.worker()
    except (BundleDamaged, OSError):
        worker = None
    return bundle.control(), usual if worker is None else Path(worker.socket), worker


def _is_worker(worker: WorkerRecord | None, peer_pid: int) -> bool:
    """Is the process at the other end the one that wrote worker.json? True where the kernel does not tell (pid 0)."""
    if worker is None or not peer_pid:
        return True
    return peer_pid == worker.pid and identity.same_process(worker.pid, worker.start_time, worker.boot_id)


def _held(bundle: Bundle) -> bool:
    try:
        return bundle.lock_held()
    except OSError:
        return False  # no directory, no lock
