"""One live session: its worker's link, the clients that watch it, and what is known of it.

Everything here runs in callbacks without `await`, because order is the meaning: output before a snapshot's HEAD is in
the snapshot, output after it is not. What may be sent to whom is decided by `core.subscription`, whose size counts by
`core.sizing`; this module carries their effects out.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, assert_never

from attn.bundle.bundle import Bundle
from attn.bundle.records import ScreenRecord, Spec
from attn.core.session import ENDED, printable
from attn.core.sizing import MOST_MS, ResizeCoalescer, decide
from attn.core.subscription import Desync, Effect, RequestSnapshot, Send
from attn.daemon.sessions.attachment import Attachment
from attn.daemon.sessions.frames import FrameFeed
from attn.daemon.sessions.kept import kept, no_screen, understood
from attn.daemon.workers.link import Json, WorkerLink
from attn.errors import AttnError
from attn.wire import worker_api
from attn.wire.client_events import AttachResult, PtyDesync
from attn.wire.client_views import Cursor, ExitView, SessionView, State, Theme

log = logging.getLogger(__name__)

# Frame first after a resize, the history when it is quiet again (DESIGN section 4).
HISTORY_QUIET_S: Final = 0.5
# Frames of cells for one client.
FRAME_EVERY_S: Final = 0.05
# Clients that come back after a lost link do so one after the other; the first is not the one whose size counts.
RETURN_S: Final = 1.0
# Output of one session that waits for one client in the daemon; past it the client gets a fresh snapshot. A worker
# needs up to 300 ms for a snapshot of a whole history beside a flood of 10 MB/s, and one snapshot must be enough.
BACKLOG_BYTES: Final = 4 << 20
# A worker that makes as many screens as it does at once is asked again after this.
BUSY_PAUSE_S: Final = 0.05
TITLE_MAX_CHARS: Final = 400


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class Owner(Protocol):
    """What the hub does when something became known of a session."""

    def session_changed(self, session: Session) -> None: ...
    def session_active(self, session: Session) -> None: ...
    def session_event(self, session: Session, event: Json) -> None: ...
    def session_unlinked(self, session: Session) -> None: ...
    def session_screen_wanted(self, session: Session, attachment: Attachment) -> None: ...


@dataclass(eq=False)
class Session:
    """A session as the hub keeps it. Also the owner of its worker's link."""

    bundle: Bundle
    spec: Spec
    owner: Owner
    label: str
    order: int = 0
    cause: str | None = None
    intent: str | None = None
    conversation: str | None = None
    state: State = "starting"
    pid: int | None = None
    rows: int = 0
    cols: int = 0
    offset: int = 0
    last_output_at_ms: int | None = None
    title: str = ""
    worker_build: str = ""
    has_screen: bool = False
    exit: ExitView | None = None
    recoverable: bool = False
    link: WorkerLink | None = None
    theme: Theme | None = None
    pinned: tuple[int, int] | None = None
    attachments: dict[int, Attachment] = field(default_factory=dict)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self.rows, self.cols = self.rows or self.spec.rows, self.cols or self.spec.cols
        self._sizes = ResizeCoalescer((self.rows, self.cols))
        self._size_timer: asyncio.TimerHandle | None = None
        self._sizes_wait_until_s = 0.0
        self._history_timer: asyncio.TimerHandle | None = None
        self._streaming = False

    @property
    def id(self) -> str:
        return self.spec.session_id

    @property
    def running(self) -> bool:
        return self.state not in ENDED

    @property
    def reloading(self) -> bool:
        return (self.intent or "").startswith("reload")

    def view(self) -> SessionView:
        """The session as clients see it."""
        spec = self.spec
        return SessionView(
            id=spec.session_id, label=self.label, agent=spec.agent, argv=spec.argv, cwd=spec.cwd, state=self.state,
            pid=self.pid, rows=self.rows, cols=self.cols, created_at_ms=spec.created_at_ms,
            last_output_at_ms=self.last_output_at_ms, exit=self.exit,
            recoverable=self.recoverable and not self.running, snapshot=self.has_screen, worker_build=self.worker_build,
            title=self.title, order=self.order, parent=spec.parent,
        )  # fmt: skip

    # -- link ----------------------------------------------------------------------------------------------------

    def linked(self, link: WorkerLink, info: Json) -> None:
        """A worker answered: it runs the program, and everybody who watches goes on from what they have."""
        self.link = link
        self.pid, self.worker_build = info["pid"], link.build
        self.rows, self.cols, self.offset = info["rows"], info["cols"], info["offset"]
        self.title = _title(info.get("title", self.title))
        self.last_output_at_ms = info.get("last_output_at_ms") or self.last_output_at_ms
        self.has_screen = bool(info.get("emulator", True))
        if not self.ended.is_set():
            self.state = "running"
        self._sizes = ResizeCoalescer((self.rows, self.cols))
        self._sizes_wait_until_s = asyncio.get_running_loop().time() + RETURN_S
        self._streaming = False
        if self.theme is not None:
            self.set_theme(self.theme)
        for attachment in list(self.attachments.values()):
            self._run(attachment, attachment.subscription.on_link_lost())  # what was shown meanwhile was no worker's
        if self.attachments:
            self._stream(self._resume)
        self.size_wishes()
        if link.lost:
            self.on_link_lost(link)

    def on_link_lost(self, link: WorkerLink) -> None:
        if link is not self.link:
            return  # it was only tried, and whoever tried it knows
        self.link = None
        self._streaming = False
        for attachment in list(self.attachments.values()):
            self._run(attachment, attachment.subscription.on_link_lost())
        self.owner.session_unlinked(self)

    def on_output(self, offset: int, data: bytes) -> None:
        self.offset = offset + len(data)
        for attachment in list(self.attachments.values()):
            self._run(attachment, attachment.subscription.on_output(offset, data))
            if isinstance(attachment.subscription, FrameFeed) and attachment.frame_timer is None:
                timer = asyncio.get_running_loop().call_later(FRAME_EVERY_S, self._frame_due, attachment)
                attachment.frame_timer = timer
        self.last_output_at_ms = now_ms()
        self.owner.session_active(self)

    def on_event(self, event: Json) -> None:
        if event["event"] == "resized":
            self._resized(event["rows"], event["cols"])
        elif event["event"] == "activity":
            self.offset, self.last_output_at_ms = event["offset"], event["at_ms"]
            self.owner.session_active(self)
        elif event["event"] == "title":
            self.title = _title(event["title"])
            self.owner.session_changed(self)
        else:
            self.owner.session_event(self, event)

    def _stream(self, ready: Callable[[int], None]) -> None:
        """Let the worker send its output to us; `ready` gets the offset where it begins."""

        def done(ok: Json | None, error: AttnError | None) -> None:
            if ok is not None:
                ready(ok["offset"])

        if self.link is not None and not self._streaming:
            self._streaming = True
            self.link.request("attach", {}, done)

    def _resume(self, offset: int) -> None:
        for attachment in list(self.attachments.values()):
            self._run(attachment, attachment.subscription.on_link_ready(offset))

    def _frame_due(self, attachment: Attachment) -> None:
        attachment.frame_timer = None
        if attachment.handle in self.attachments and isinstance(attachment.subscription, FrameFeed):
            self._run(attachment, attachment.subscription.due())

    def settle(self) -> None:
        """Nobody will answer for now: serve from the bundle those who wait, and at the end everybody."""
        for attachment in list(self.attachments.values()):
            if not self.running or attachment.request_id:
                self._run(attachment, attachment.subscription.on_link_ready(self.offset))

    # -- attachments ---------------------------------------------------------------------------------------------

    def attach(self, attachment: Attachment, *, anew: bool = True) -> None:
        """Show this session to a client that came `anew` or only back; its attach_result goes out with a HEAD."""
        self.attachments[attachment.handle] = attachment
        attachment.peer.handles.add(attachment.handle)
        self.size_wishes(at_once=anew)
        self._stream(lambda offset: None)
        self._run(attachment, attachment.subscription.start(attachment.since))

    def detach(self, handle: int) -> None:
        """The client looks no more; late answers for it are ignored."""
        attachment = self.attachments.pop(handle, None)
        if attachment is None:
            return
        attachment.peer.handles.discard(handle)
        if not self.attachments and self.link is not None and self._streaming:
            self._streaming = False
            self.link.request("detach", {}, ignored)
        self.size_wishes()

    def acknowledged(self, handle: int, offset: int) -> None:
        """A client has everything up to `offset` on its screen."""
        if attachment := self.attachments.get(handle):
            self._run(attachment, attachment.subscription.on_ack(offset))

    def may_type(self, handle: int) -> bool:
        """Whether the client of this attachment does more than look."""
        attachment = self.attachments.get(handle)
        return attachment is not None and not attachment.read_only

    def used(self, attachment: Attachment) -> None:
        """A person typed or resized there: that client decides the size and the colours."""
        attachment.used_at_ms = now_ms()
        self._sizes_wait_until_s = 0.0
        if len(self.attachments) > 1:
            self.size_wishes()
        hello = attachment.peer.hello
        if hello is not None and hello.theme is not None and hello.theme != self.theme:
            self.set_theme(hello.theme)

    def set_theme(self, theme: Theme) -> None:
        """The colours that programs get when they ask for the terminal's."""
        self.theme = theme
        if self.link is not None:
            colours = {"foreground": theme.foreground, "background": theme.background, "cursor": theme.cursor}
            self.link.request("theme", {**colours, "scheme": theme.scheme, "palette": theme.palette}, ignored)

    def _run(self, attachment: Attachment, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send(kind, offset, data):
                    attachment.peer.send_binary(kind, attachment.handle, offset, data)
                case Desync(reason):
                    attachment.peer.send(PtyDesync(handle=attachment.handle, reason=reason))
                case RequestSnapshot():
                    self._snapshot(attachment, effect)
                case _:
                    assert_never(effect)

    def _snapshot(self, attachment: Attachment, wish: RequestSnapshot) -> None:
        link = self.link
        if link is None:
            self.owner.session_screen_wanted(self, attachment)
            return
        # After a resize the frame comes first, the history once it is quiet.
        attachment.frame_only = wish.reason == "resized" and not attachment.history_due
        attachment.history_due = False
        history = 0 if attachment.frame_only else attachment.history

        def wanted() -> bool:
            return self.link is link and attachment.handle in self.attachments

        def done(head: Json | None, error: AttnError | None) -> None:
            if not wanted():
                return
            if error is not None and error.code == "worker_unreachable":
                return  # the link is lost: who waits is served from the bundle, and the worker is probed again
            if error is not None and error.code == "busy":
                again = asyncio.get_running_loop().call_later
                again(BUSY_PAUSE_S, lambda: self._snapshot(attachment, wish) if wanted() else None)
            elif head is None:
                log.error("no snapshot: %s", error, extra={"session": self.id})
                self._head(attachment, no_screen(self.rows, self.cols, self.offset))
                part(True, b"")
            else:
                self._head(attachment, head)

        def part(last: bool, data: bytes) -> None:
            if wanted():
                self._run(attachment, attachment.subscription.on_chunk(attachment.payload(data), last))

        if attachment.as_cells:
            link.request("screen", {"format": "cells", "history": attachment.history or 0}, done, part)
        else:
            link.request("snapshot", {"since": wish.since, "history": history}, done, part)

    def _head(self, attachment: Attachment, head: Json, source: Literal["live", "persisted"] = "live") -> None:
        if attachment.as_cells:
            attachment.skips_payload = False
        else:
            head = understood(head)
            attachment.skips_payload = head["payload"] == "none"
        result = AttachResult(
            id=attachment.request_id, handle=attachment.handle, session=self.id,
            screen_rows=head["rows"], screen_cols=head["cols"], cursor=Cursor(**head["cursor"]),
            alternate_screen=head["alternate_screen"], offset=head["offset"], payload=head["payload"],
            format=head["format"], fidelity=head["fidelity"], source=source, taken_at_ms=head["taken_at_ms"],
            running=self.running,
        )  # fmt: skip
        attachment.request_id = 0
        attachment.peer.send(result)
        self._run(attachment, attachment.subscription.on_head(head["offset"]))
        if attachment.history_due:  # fell due while this frame without it was awaited
            self._run(attachment, attachment.subscription.restart("resized"))

    def show_persisted(self, attachment: Attachment, screen: ScreenRecord | None) -> None:
        """Answer a wish for a snapshot with what the bundle kept (None: nothing)."""
        if attachment.handle not in self.attachments:
            return
        head, payload = no_screen(self.rows, self.cols, self.offset), b""
        try:
            if screen is not None:
                head, payload = kept(screen, "cells" if attachment.as_cells else "ansi")
        except AttnError as error:
            log.info("%s", error, extra={"session": self.id})
        self._head(attachment, head, "persisted")
        for start in range(0, max(len(payload), 1), worker_api.CHUNK_MAX_BYTES):
            piece = payload[start : start + worker_api.CHUNK_MAX_BYTES]
            last = start + len(piece) >= len(payload)
            self._run(attachment, attachment.subscription.on_chunk(attachment.payload(piece), last))
        if self.link is not None:
            self._run(attachment, attachment.subscription.on_link_ready(self.offset))
        elif self.running:
            self._run(attachment, attachment.subscription.on_link_lost())

    # -- size ----------------------------------------------------------------------------------------------------

    def size_wishes(self, *, at_once: bool = False) -> None:
        """Let the clients' sizes (or the pin) decide again; carried out when they stay quiet, or now."""
        clock = asyncio.get_running_loop()
        if at_once:
            self._sizes_wait_until_s = 0.0
        elif clock.time() < self._sizes_wait_until_s:
            self._wake_sizes(self._sizes_wait_until_s)
            return
        wanted = decide((each.vote() for each in self.attachments.values()), self.pinned, (self.rows, self.cols))
        now = int(clock.time() * 1000)
        self._sizes.offer(wanted, now)
        size = self._sizes.take(now + MOST_MS if at_once else now)
        if size is not None:
            self._resize(*size)
        due = self._sizes.due_at_ms
        self._wake_sizes(None if due is None else (due + 1) / 1000)

    def _wake_sizes(self, at_s: float | None) -> None:
        if self._size_timer is not None:
            self._size_timer.cancel()
        self._size_timer = None if at_s is None else asyncio.get_running_loop().call_at(at_s, self.size_wishes)

    def _resize(self, rows: int, cols: int) -> None:
        if self.link is not None:
            params = {"rows": rows, "cols": cols, "width_px": 0, "height_px": 0}
            self.link.request("resize", params, ignored)

    def _resized(self, rows: int, cols: int) -> None:
        """The terminal has another size from here on: every screen that was painted before is no longer true."""
        self.rows, self.cols = rows, cols
        self._sizes.applied = (rows, cols)
        self.owner.session_changed(self)
        for attachment in list(self.attachments.values()):
            attachment.history_due = False
            if not attachment.request_id:
                self._run(attachment, attachment.subscription.restart("resized"))
        if self._history_timer is not None:
            self._history_timer.cancel()
        self._history_timer = asyncio.get_running_loop().call_later(HISTORY_QUIET_S, self._send_history)

    def _send_history(self) -> None:
        self._history_timer = None
        for attachment in list(self.attachments.values()):
            if attachment.frame_only and attachment.history != 0:
                attachment.history_due = True
                self._run(attachment, attachment.subscription.restart("resized"))


def _title(text: object) -> str:
    return printable(str(text))[:TITLE_MAX_CHARS]


def ignored(ok: Json | None, error: AttnError | None) -> None:
    """For requests whose answer changes nothing."""
    if error is not None:
        log.info("a worker refused: %s", error)
