"""How sessions begin, go on after an end, and are named.

The bundle is written before anything else happens and is the truth afterwards. A session that goes on keeps its id and
its bundle: until the new program runs, nothing of what the last one left is touched.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from attn.bundle.bundle import Bundle, BundleBusy
from attn.bundle.files import BundleDamaged
from attn.bundle.records import Meta
from attn.config import Config
from attn.core import agents
from attn.core.session import clean_label
from attn.daemon.hub import Hub
from attn.daemon.lifecycle import conversations, programs
from attn.daemon.lifecycle.ending import Ending
from attn.daemon.lifecycle.launching import Launcher, Plan
from attn.daemon.sessions.live import Session
from attn.daemon.startup import LoginEnvironment
from attn.daemon.workers.spawner import Spawner
from attn.errors import AttnError, refused_by_system
from attn.wire.client_requests import ReloadSession, ResumeSession, SpawnSession

log = logging.getLogger(__name__)

RELOAD = "reload"


@dataclass(frozen=True)
class Resumed:
    """A session that goes on; `missing` names the variables that its first start had and this one lacks."""

    session: Session
    missing: list[str]


class Lifecycle(Ending):
    """Begins, continues and ends sessions of one hub."""

    def __init__(self, hub: Hub, config: Config, spawner: Spawner, login: asyncio.Future[LoginEnvironment]) -> None:
        super().__init__(hub)
        self._launcher = Launcher(hub, config, spawner, login)
        # Being started: not listed yet, but their labels and places are taken.
        self._beginning: set[Session] = set()
        # Whose conversation is about to be looked for.
        self._looking: set[str] = set()

    # -- beginning -----------------------------------------------------------------------------------------------

    async def spawn(self, wish: SpawnSession) -> Session:
        """Start a program in a session of its own. Raises AttnError; then nothing is left of it."""
        plan = await self._launcher.new(wish, lambda: {session.label for session in self._all()})
        bundle = Bundle(self._hub.home.bundle(plan.spec.session_id))
        session = Session(bundle=bundle, spec=plan.spec, owner=self._hub, label=plan.spec.label)
        session.order = 1 + max((other.order for other in self._all()), default=-1)
        self._beginning.add(session)
        try:
            await self._begin(session, plan)
        finally:
            self._beginning.discard(session)
        self._hub.sessions[session.id] = session
        log.info("started, program %s, pid %s", plan.spec.agent, session.pid, extra={"session": session.id})
        if not await self.reach(session) and session.running:
            self.probe(session)
        self._hub.index.save(session)
        await self._hub.index.saved()
        return session

    async def _begin(self, session: Session, plan: Plan) -> None:
        """The bundle, then the worker. Raises AttnError; then neither is left."""
        meta = Meta(label=session.label, order=session.order)
        try:
            await self._hub.disk(session.bundle.create, plan.spec, meta)
            session.pid = await self._launcher.start(plan, session.bundle)
        except (AttnError, OSError, ValueError) as error:
            if not await self._hub.disk(_discard, session.bundle):
                # A worker came after all, too late to be waited for: what runs is shown, and can be ended.
                self._hub.sessions[session.id] = session
                self.probe(session)
            raise _told(error) from error

    def _all(self) -> list[Session]:
        """Every session there is or is about to be."""
        return [*self._hub.sessions.values(), *self._beginning]

    # -- going on ------------------------------------------------------------------------------------------------

    async def resume(self, session: Session, wish: ResumeSession) -> Resumed:
        """Start an ended session's program again. Raises AttnError; then everything is as it was, its screen too."""
        if session.state == "unreachable" and not await self.reach(session) and session.running:
            raise self.unreachable(session)
        if session.running:
            raise AttnError("session_running", f"{session.label} runs", "attn attach it, or attn reload it")
        if other := await self._hub.disk(programs.running_elsewhere, session.bundle):
            why = f"it runs in the home that this one was copied from, where its worker (pid {other}) serves it"
            raise AttnError("session_running", why, "attach it there: attn with the ATTN_HOME that it was started in")
        await self.check_ended(session)
        plan = await self._launcher.again(session, wish)
        await self._run_again(session, plan)
        log.info("resumed, pid %s", session.pid, extra={"session": session.id})
        return Resumed(session, plan.missing)

    async def reload(self, session: Session, wish: ReloadSession) -> Resumed:
        """End a session's program and start it again, with a worker of this build.

        Raises AttnError: before the end when it could not be started again, and then it runs on; after it when it
        does not start all the same, and then the session has ended, and can be resumed.
        """
        if not session.running:
            raise AttnError("session_ended", f"the program of {session.label} has ended", "attn resume it")
        await self.learn_conversation(session)
        plan = await self._launcher.again(session, wish)
        before = session.cause
        # Where the disk does not take this, it would not take the next worker's files either.
        await self.decide(session, RELOAD, f"{RELOAD} {session.link.pid if session.link else 0}")
        intent = session.intent
        try:
            await self.end(session)
        except AttnError:
            await self.intend(session, before, None)
            raise
        if session.intent != intent:
            raise AttnError("session_ended", f"{session.label} was ended by somebody else meanwhile", "attn ls")
        try:
            await self._run_again(session, plan)
        except AttnError:
            await self.intend(session, RELOAD, None)
            self._hub.tell_end(session)
            raise
        log.info("reloaded, pid %s", session.pid, extra={"session": session.id})
        return Resumed(session, plan.missing)

    async def _run_again(self, session: Session, plan: Plan) -> None:
        """A new worker in the old bundle. Raises AttnError; then the bundle says what it said before."""
        hub = self._hub
        async with session.busy:
            if session.running or hub.sessions.get(session.id) is not session:
                raise AttnError("session_running", f"{session.label} was started or removed meanwhile", "attn ls")
            if not await self.worker_left(session):
                raise self.unreachable(session)
            made = await hub.disk(_made_anew, session)
            try:
                pid = await self._launcher.start(plan, session.bundle)
            except (AttnError, OSError, ValueError) as error:
                if await self.worker_came(session):  # too late to be waited for: what runs is shown, and can be ended
                    hub.start(self.see_out(session), f"late-{session.id}")
                elif made:
                    await hub.disk(_discard, session.bundle)
                raise _told(error) from error
            session.ended.clear()
            session.state, session.pid, session.exit, session.title = "starting", pid, None, ""
            session.offset = plan.first_offset
        if not await self.reach(session) and session.running:
            self.probe(session)
        await self.intend(session, None, None)
        # Before anybody is told: a row that still said how the last run ended would say it of this one.
        await self._hub.index.saved()

    async def complete(self, session: Session) -> None:
        """Go on with what an earlier daemon had set out to do when it was killed; failures are logged."""
        intent = session.intent or ""
        log.info("an earlier daemon was at %s: completed now", intent, extra={"session": session.id})
        try:
            if intent == "remove":
                await self.remove(session, force=True)
            elif not intent.startswith(RELOAD):
                await self.end(session)
                await self.intend(session, session.cause, None)
            elif session.running:
                await self.reload(session, ReloadSession(id=1, session=session.id))
            else:
                await self.resume(session, ResumeSession(id=1, session=session.id))
        except AttnError as error:
            await self.intend(session, session.cause, None)
            log.warning("%s was not completed: %s", intent, error, extra={"session": session.id})

    # -- what is kept of a session -------------------------------------------------------------------------------

    async def rename(self, session: Session, label: str) -> None:
        """Give a session another label: bundle first, then the store's index of it."""
        clean = clean_label(label)
        before, session.label = session.label, clean
        try:
            await self.write_meta(session)
        except AttnError:
            session.label = before
            raise
        log.info("renamed", extra={"session": session.id})
        self._hub.session_changed(session)

    async def pin(self, session: Session, size: tuple[int, int] | None) -> None:
        """Keep a size (rows, cols) for a session, or let its clients decide again. Raises AttnError `internal`."""
        session.pinned = size
        await self.write_meta(session)

    def active(self, session: Session) -> None:
        """It wrote something: a little later is a moment to look which conversation it is in."""
        row = agents.AGENTS.get(session.spec.agent)
        if row is not None and conversations.learnable(row) and session.id not in self._looking:
            self._looking.add(session.id)
            self._hub.start(self._look(session), f"conversation-{session.id}")

    async def _look(self, session: Session) -> None:
        known = session.conversation is not None
        try:
            await asyncio.sleep(conversations.LOOK_AGAIN_S if known else conversations.LOOK_FIRST_S)
        finally:
            self._looking.discard(session.id)
        await self.learn_conversation(session)

    async def learn_conversation(self, session: Session) -> None:
        """Keep the agent's own id of what it talks about, if it can be told now."""
        row, pid = agents.AGENTS.get(session.spec.agent), session.pid
        if row is None or pid is None or session.spec.resume is None:
            return
        found = await asyncio.to_thread(conversations.conversation_of, row, pid)
        if found is None or found == session.conversation or session.pid != pid:
            return
        session.conversation = found
        try:
            await self.write_meta(session)
        except AttnError as error:
            log.warning("its conversation is not recorded: %s", error, extra={"session": session.id})

    async def after_end(self, session: Session) -> None:
        """Its end was told; now see whether it could be started again."""
        session.recoverable = await self._hub.disk(programs.repeatable, session.spec)
        self._hub.session_changed(session)


def _told(error: Exception) -> AttnError:
    if isinstance(error, AttnError):
        return error
    if isinstance(error, OSError):
        return refused_by_system("the session cannot be made", error)
    return AttnError("internal", f"the session cannot be made: {error}", "see `attn logs`")


def _made_anew(session: Session) -> bool:
    """Make the bundle of a session of which only a row is left; whether that was so. Raises OSError.

    One that is there is mended, as far as the row knows.
    """
    if session.bundle.path.exists():
        session.bundle.mend(session.spec)
        return False
    session.bundle.create(session.spec, Meta(label=session.label, order=session.order))
    return True


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
