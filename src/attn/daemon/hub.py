"""The owner of all live state: sessions, clients, conditions. Whoever changes something tells everybody here.

A client gets the whole state once, in `hello`, and then only changes on the same connection; so a change is applied
and broadcast in one callback, without an `await` between.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import Any, Final, Protocol, TypeVar

import attn
from attn.bundle.files import BundleDamaged
from attn.bundle.records import ExitRecord, ScreenRecord
from attn.core import health
from attn.daemon.peer import Peer
from attn.daemon.sessions.attachment import Attachment
from attn.daemon.sessions.index import Index
from attn.daemon.sessions.live import Session, now_ms
from attn.daemon.workers.link import Json
from attn.errors import AttnError
from attn.paths import Home
from attn.wire import client_api
from attn.wire import client_events as events
from attn.wire.client_requests import ClientHello
from attn.wire.client_views import Condition, ExitView, RecoveryView, SessionView, StoreView

log = logging.getLogger(__name__)
Result = TypeVar("Result")

# The time of a session's last output is told at most this often.
ACTIVITY_EVERY_S: Final = 1.0
# A worker needs this long at most from its exit.json to its end.
LEAVING_MS: Final = 3000
# Of a program's OSC 52, where the user's settings let it write the clipboard.
CLIPBOARD_MAX_CHARS: Final = 100_000


class Caretaker(Protocol):
    """Who does what takes time when something became known of a session."""

    async def keep_reaching(self, session: Session) -> None: ...
    async def after_end(self, session: Session) -> None: ...
    def active(self, session: Session) -> None: ...


class Hub:
    """The live state of one daemon."""

    def __init__(self, home: Home, daemon_id: str, port: int, index: Index, *, clipboard: bool) -> None:
        self.home, self.daemon_id, self.port, self.index = home, daemon_id, port, index
        self.started_at_ms = now_ms()
        self.stop = asyncio.Event()
        self.recovering = True
        self.recovery: dict[str, int] = {}
        self.page_build = ""
        self.sessions: dict[str, Session] = {}
        self.peers: dict[int, Peer] = {}
        self.handles: dict[int, Session] = {}
        self.conditions: dict[str, Condition] = {}
        self._store_told: tuple[StoreView, dict[str, str]] | None = None
        # Set by the composition root.
        self.caretaker: Caretaker | None = None
        self._clipboard = clipboard
        self._next_handle = itertools.count(1)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._active: set[Session] = set()
        self._silent: set[str] = set()
        self._gone: set[str] = set()
        # One thread for all files of sessions: writes keep their order, and a slow disk holds up no echo.
        self._disk = ThreadPoolExecutor(1, "disk")

    # -- work ----------------------------------------------------------------------------------------------------

    def start(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Run `work` as a task that is kept until it ends, and whose failure is logged."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)
        return task

    def _task_done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("task %s failed", task.get_name(), exc_info=task.exception())

    async def disk(self, function: Callable[..., Result], *args: Any) -> Result:
        """Run `function` in the disk thread, after everything handed to it before."""
        return await asyncio.get_running_loop().run_in_executor(self._disk, function, *args)

    async def close(self) -> None:
        """Let go of everything; all programs run on."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for session in self.sessions.values():
            if session.link is not None:
                session.link.close()
        for peer in list(self.peers.values()):
            peer.close()
        self._disk.shutdown(wait=True)

    # -- clients -------------------------------------------------------------------------------------------------

    def greet(self, peer: Peer, hello: ClientHello) -> None:
        """Answer a client's hello with the whole state; from now on it hears of every change."""
        if peer.hello is not None:
            raise AttnError("bad_message", "`hello` was said already")
        if hello.protocol < client_api.PROTOCOL_MIN:
            raise AttnError(
                "protocol_mismatch",
                f"this client speaks protocol {hello.protocol}, the daemon {client_api.PROTOCOL_MIN} and newer",
                "use the attn command of the daemon's version, or run: attn daemon restart",
            )
        peer.hello = hello
        self.peers[peer.id] = peer
        peer.send(
            events.DaemonHello(
                protocol=client_api.PROTOCOL, protocol_min=client_api.PROTOCOL_MIN, version=attn.__version__,
                daemon_id=self.daemon_id, recovering=self.recovering, sessions=self._views(),
                conditions=list(self.conditions.values()), page_build=self.page_build,
                store=self.index.keeper.view(), settings=dict(self.index.keeper.settings),
            )
        )  # fmt: skip

    def part(self, peer: Peer) -> None:
        """A client is gone."""
        for handle in list(peer.handles):
            self.detach(self.handles[handle], handle)
        self.peers.pop(peer.id, None)

    def new_handle(self, session: Session | None = None) -> int:
        """A number that stood for nothing else in the life of this daemon."""
        handle = next(self._next_handle)
        if session is not None:
            self.handles[handle] = session
        return handle

    def detach(self, session: Session, handle: int) -> None:
        self.handles.pop(handle, None)
        session.detach(handle)

    def _tell(self, key: str, message: events.DaemonMessage) -> None:
        for peer in list(self.peers.values()):
            peer.send_latest(key, message)

    def _views(self) -> list[SessionView]:
        return [] if self.recovering else [session.view() for session in self.sessions.values()]

    # -- sessions ------------------------------------------------------------------------------------------------

    def session_changed(self, session: Session) -> None:
        """Tell every client, and the index."""
        between = session.reloading and session.ended.is_set()  # two programs: nobody needs to see that
        if self.sessions.get(session.id) is session and not between:
            self.index.save(session)
            self._well_or_not(session)
            if not self.recovering:
                self._tell(f"session {session.id}", events.SessionChanged(session=session.view()))

    def session_active(self, session: Session) -> None:
        """It wrote something: told once a second at most, for all sessions together."""
        if not self._active:
            asyncio.get_running_loop().call_later(ACTIVITY_EVERY_S, self._tell_activity)
        self._active.add(session)

    def _tell_activity(self) -> None:
        active, self._active = self._active, set()
        for session in active:
            self.session_changed(session)
            if self.caretaker is not None:
                self.caretaker.active(session)

    def session_event(self, session: Session, event: Json) -> None:
        """What a worker tells beyond its output."""
        if event["event"] == "exit":
            session.last_output_at_ms = event.get("last_output_at_ms") or session.last_output_at_ms
            self.session_ended(session, ExitView(code=event["code"], signal=event["signal"], at_ms=event["at_ms"]))
        elif event["event"] == "bell":
            self._tell(f"bell {session.id}", events.PtyBell(session=session.id))
        elif event["event"] == "clipboard" and self._clipboard:
            text = str(event["text"])[:CLIPBOARD_MAX_CHARS]
            self._tell(f"clipboard {session.id}", events.PtyClipboard(session=session.id, text=text))

    def session_ended(self, session: Session, ended: ExitView) -> None:
        """The program's end is known: said once, whoever learns of it first."""
        if session.ended.is_set():
            return
        session.exit, session.state, session.pid = ended, "exited", None
        session.recoverable = True  # its program could be started before; `after_end` looks whether it still can
        session.ended.set()
        log.info("exited, code %s, signal %s", ended.code, ended.signal, extra={"session": session.id})
        if not session.reloading:
            self.tell_end(session)

    def tell_end(self, session: Session) -> None:
        """The program has ended and is not started again at once: every client hears of it, and sees its last screen.

        The change goes first: a program may end before anybody heard of its session.
        """
        self.session_changed(session)
        if not self.recovering and session.exit is not None:
            self._tell(f"exit {session.id}", events.SessionExited(session=session.id, exit=session.exit))
        if session.link is None:
            session.settle()
        if self.caretaker is not None and not self.recovering:
            self.start(self.caretaker.after_end(session), f"end-{session.id}")

    def session_found(self, session: Session, alive: bool, ended: ExitRecord | None) -> None:
        """No worker answers, and this is what its bundle says of it."""
        if session.ended.is_set():
            log.debug("its end is known", extra={"session": session.id})
        elif alive and ended is not None and now_ms() - ended.at_ms < LEAVING_MS:
            return  # its worker puts the last screen on disk and leaves: it is looked at again
        elif alive and ended is None:
            session.state = "unreachable"
        elif ended is not None:
            session.offset = ended.offset
            session.last_output_at_ms = ended.last_output_at_ms or session.last_output_at_ms
            self.session_ended(session, ExitView(code=ended.code, signal=ended.signal, at_ms=ended.at_ms))
        elif session.running:
            session.state, session.pid = "recoverable" if session.recoverable else "lost", None
            session.ended.set()
            log.warning("its worker is gone without a word: %s", session.state, extra={"session": session.id})
        self.session_changed(session)
        session.settle()

    def session_unlinked(self, session: Session) -> None:
        """The link to its worker broke. Its end, if it was one, is known already; else find out."""
        if session.reloading and session.ended.is_set():
            return  # whoever watches goes on with the next worker
        if not session.running:
            session.settle()
        elif self.caretaker is not None and self.sessions.get(session.id) is session:
            self.start(self.caretaker.keep_reaching(session), f"reach-{session.id}")

    def session_screen_wanted(self, session: Session, attachment: Attachment) -> None:
        self.start(self._show_persisted(session, attachment), f"screen-{session.id}")

    async def _show_persisted(self, session: Session, attachment: Attachment) -> None:
        screen: ScreenRecord | None = None
        try:
            screen = await self.disk(session.bundle.screen)
        except (OSError, BundleDamaged) as error:
            log.warning("its kept screen is not readable: %s", error, extra={"session": session.id})
        session.show_persisted(attachment, screen)

    async def forget(self, session: Session) -> bool:
        """The session was removed with its bundle; whether the store has forgotten it too."""
        self.sessions.pop(session.id, None)
        for handle in list(session.attachments):
            self.detach(session, handle)
        if session.link is not None:
            session.link.close()
        session.ended.set()
        self._tell(f"session {session.id}", events.SessionRemoved(session=session.id))
        self._well_or_not(session)
        return await self.index.delete(session.id)

    def running_count(self) -> int:
        return sum(session.running for session in self.sessions.values())

    def recovered(self, counts: dict[str, int], gone: Iterable[Session] = ()) -> None:
        """The list of sessions is whole: tell those who connected meanwhile. `gone`: whose workers were not found."""
        self.recovery, self.recovering = counts, False
        self._gone = {session.id for session in gone}
        for session in self.sessions.values():
            self._well_or_not(session)
        # Last: whoever has the list knows what is not well with it.
        self._tell("sessions", events.SessionsReady(sessions=self._views()))

    def recovery_view(self) -> RecoveryView:
        names = ("recovered", "recreated", "exited", "lost", "unreachable", "quarantined")
        return RecoveryView(done=not self.recovering, **{name: self.recovery.get(name, 0) for name in names})

    # -- conditions ----------------------------------------------------------------------------------------------

    def raise_condition(
        self,
        code: str,
        detail: str,
        path: str | None = None,
        values: Mapping[str, str] = MappingProxyType({}),
        facts: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        """Something is not well: shown in every client until `clear_condition`.

        values: what its commands need beside the home's paths; facts: further fields of the condition.
        """
        kind, before = health.kind(code), self.conditions.get(code)
        known = {"db": str(self.home.database), "home": str(self.home.root), "path": path or "", **values}
        known["attn_home"] = "" if self.home.is_default else str(self.home.root)
        condition = Condition(
            code=code, severity=kind.severity, title=kind.title, detail=detail, path=path,
            commands=health.commands(code, known), since_ms=before.since_ms if before else now_ms(), **facts,
        )  # fmt: skip
        if condition != before:
            log.warning("%s: %s", kind.title, detail)
            self.conditions[code] = condition
            self._tell("conditions", events.ConditionsChanged(conditions=list(self.conditions.values())))

    def store_changed(self) -> None:
        """The state of the database, its newest backup or the settings in it are not what they were."""
        told = (self.index.keeper.view(), dict(self.index.keeper.settings))
        if told != self._store_told:
            self._store_told = told
            self._tell("store", events.StoreChanged(store=told[0], settings=told[1]))

    def clear_condition(self, code: str) -> None:
        if self.conditions.pop(code, None) is not None:
            self._tell("conditions", events.ConditionsChanged(conditions=list(self.conditions.values())))

    def _well_or_not(self, session: Session) -> None:
        """One condition for all workers that do not answer, one for all that this start did not find."""
        if self.recovering:
            return
        listed = self.sessions.get(session.id) is session
        silent = listed and session.state == "unreachable"
        (self._silent.add if silent else self._silent.discard)(session.id)
        if not listed or session.state not in ("lost", "recoverable"):
            self._gone.discard(session.id)
        self._tell_of("session_unreachable", self._silent, "no answer from the worker of")
        self._tell_of("sessions_lost", self._gone, "how it ended is not known:")

    def _tell_of(self, code: str, session_ids: set[str], words: str) -> None:
        sessions = [session for session in self.sessions.values() if session.id in session_ids]
        if not sessions:
            self.clear_condition(code)
            return
        labels = ", ".join(session.label for session in sessions[:5])
        more = f" and {len(sessions) - 5} more" if len(sessions) > 5 else ""
        resumable = next((session.id for session in sessions if session.recoverable), "")
        self.raise_condition(code, f"{words} {labels}{more}", values={"session": resumable})
