"""The loop of a native attach: terminal, daemon and clock in, and what `passage` and `keys` make of them out."""

from __future__ import annotations

import select
import signal
import time
from collections.abc import Callable
from typing import Final

from attn.cli.link import Frame, Link, LinkLost
from attn.cli.native.absence import NOTICE, Absence
from attn.cli.native.ending import EXIT_DETACHED, EXIT_DROPPED, End, program_end
from attn.cli.native.pacing import Acknowledgements, Deadlines
from attn.cli.native.passage import Passage
from attn.cli.native.terminal.console import Console
from attn.cli.native.terminal.keys import DetachKey, Typed
from attn.errors import AttnError
from attn.paths import Home
from attn.wire import client_api
from attn.wire.client_events import (
    AttachResult,
    DaemonMessage,
    Error,
    ScreenResult,
    SessionExited,
    SessionRemoved,
    SessionsReady,
)
from attn.wire.client_requests import AttachSession, DetachSession, GetScreen, PtyAck, PtyResize, SetTheme
from attn.wire.client_views import ExitView

RECONNECT_EVERY_S: Final = 0.1
# A daemon that restarts is back before anybody has to be told.
NOTICE_AFTER_S: Final = 1.0
# After a change of this terminal's size: how long the session may take to follow before frames are painted.
FOLLOW_SIZE_S: Final = 1.0
# Frames of a session of another size: at most 20 a second.
FRAME_EVERY_S: Final = 0.05
# How long a terminal that was asked something at the start may take when the attach ends at once.
ANSWERS_S: Final = 1.0
# From the end of the program to its last output, on a terminal that reads slowly.
LAST_OUTPUT_S: Final = 5.0
BELL: Final = b"\a"


class NativeAttachment:
    """One `attn attach`, from the first snapshot to the last mode reset, across restarts of the daemon."""

    def __init__(
        self, home: Home, session_id: str, console: Console, key: DetachKey, *, read_only: bool, clipboard: bool = False
    ) -> None:
        self._home = home
        self._session = session_id
        self._console = console
        self._key = key
        self._from_terminal = Typed()
        self._read_only = read_only
        self._passage = Passage(console.size(), clipboard=clipboard)
        self._link: Link | None = None
        self._daemon_id = ""
        self._since: int | None = None  # of the attach that is under way
        self._asked = 0  # its request id
        self._asked_size = self._passage.size
        self._screen = 0  # request id of the frame or last offset that is under way
        self._screen_handle: int | None = None
        self._cells = bytearray()  # bounded by what one screen of cells is
        self._history_shown = False
        self._given_bytes = 0
        self._used_s: float | None = None  # when the person last did something here
        self._acknowledgements = Acknowledgements()
        self._deadlines = Deadlines()
        self._absence: Absence | None = None
        self._exit: ExitView | None = None
        self._ended = False
        self._last_offset: int | None = None
        self._end: End | None = None

    def start(self, link: Link) -> None:
        """Attach before the terminal is touched. Raises AttnError when the daemon says no."""
        self._take(link)
        result = link.request(self._attach_request(), AttachResult)
        link.set_nonblocking()
        self._used_s = time.monotonic()
        self._write(self._passage.enter() + self._begin(result))

    def run(self) -> End:
        """Show it until the end. The terminal is put back whatever happens."""
        with self._console:
            try:
                self._link_arrived()  # what came with the answer
                while self._end is None:
                    self._turn()
                return self._end
            finally:
                self._console.listen(self._answered, ANSWERS_S)  # what it says after us it says to the shell
                self._console.write(self._passage.leave())
                if self._link is not None:
                    self._link.close()

    def _answered(self, data: bytes) -> bool:
        self._passage.heard(self._from_terminal.feed(data)[1])
        return not self._passage.answers_due

    # -- one turn ------------------------------------------------------------------------------------------------

    def _turn(self) -> None:
        link, console = self._link, self._console
        readers: list[int] = [console.input_fd, console.signal_fd]
        writers: list[int] = [console.output_fd] if console.pending_bytes else []
        if link is not None:
            readers.append(link.fileno())
            if link.unsent_bytes:
                writers.append(link.fileno())
        readable, writable, _ = select.select(readers, writers, [], self._wait_s())
        if console.signal_fd in readable:
            for number in console.signals():
                self._signal(number)
        if console.input_fd in readable:
            self._typed()
        if link is not None and link is self._link and link.fileno() in {*readable, *writable}:
            self._link_arrived()
        console.flush()
        self._acknowledge()
        self._run_due()

    def _wait_s(self) -> float | None:
        times = [at_s for at_s in (self._deadlines.next_s(), self._key.until_s) if at_s is not None]
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _run_due(self) -> None:
        now_s = time.monotonic()
        self._type(self._key.expired(now_s))
        for action in self._deadlines.take(now_s):
            action()

    def _later(self, action: Callable[[], None], in_s: float) -> None:
        self._deadlines.set(action, time.monotonic() + in_s)

    # -- the person ----------------------------------------------------------------------------------------------

    def _typed(self) -> None:
        data = self._console.read()
        if data is None:
            self._end = self._end or End(EXIT_DROPPED, "this terminal is gone")
            return
        data, answers = self._from_terminal.feed(data)
        if self._passage.heard(answers) is not None:
            self._tell_theme()
        typed, detach = self._key.feed(data, time.monotonic())
        self._type(typed)
        if detach:
            self._end = End(EXIT_DETACHED, "detached")

    def _type(self, data: bytes) -> None:
        if not data or self._read_only:
            return
        if not self._passage.handle:
            self._write(BELL)  # typing into a daemon that restarts would be typing blind
            return
        self._used_s = time.monotonic()
        if self._passage.session_size != self._passage.size:
            self._vote(take=True)  # any key takes the size back
        self._send(lambda link: link.send_input(self._passage.handle, data))

    def _tell_theme(self) -> None:
        """Programs that ask get the colours of the terminal that they are looked at in."""
        if (theme := self._passage.theme) is not None and not self._read_only:
            message = SetTheme(theme=theme)
            self._send(lambda link: link.send(message))

    def _signal(self, number: int) -> None:
        if number in (signal.SIGTERM, signal.SIGHUP):
            self._end = End(128 + number, "detached by a signal")
            return
        if number == signal.SIGCONT:
            self._console.make_raw()  # the shell put its own settings back while we were stopped
            self._repaint()
        size = self._console.size()
        if size != self._passage.size:
            self._passage.size, self._used_s = size, time.monotonic()
            self._vote(take=True)
            self._later(self._follow_size, FOLLOW_SIZE_S)
        if self._absence is not None:
            self._later(self._say_gone, NOTICE_AFTER_S)  # in the row that is the last one now

    def _vote(self, *, take: bool) -> None:
        rows, cols = self._passage.size
        message = PtyResize(handle=self._passage.handle, rows=rows, cols=cols, take=take and not self._read_only)
        self._send(lambda link: link.send(message))

    def _follow_size(self) -> None:
        """The session did not follow our size (it is pinned, or we only look): show frames; or it never had to."""
        if self._passage.fits != self._passage.passing:
            self._repaint()

    def _repaint(self) -> None:
        self._passage.offset = None
        self._attach()

    # -- the daemon ----------------------------------------------------------------------------------------------

    def _take(self, link: Link) -> None:
        self._link, self._daemon_id = link, link.hello.daemon_id
        self._exit = self._known_exit(link)

    def _known_exit(self, link: Link) -> ExitView | None:
        return next((session.exit for session in link.hello.sessions if session.id == self._session), None)

    def _send(self, action: Callable[[Link], object]) -> None:
        if self._link is None:
            return
        try:
            action(self._link)
        except LinkLost:
            self._lost()

    def _lost(self) -> None:
        if self._link is not None:
            self._link.close()
        self._link, self._passage.handle = None, 0
        self._acknowledgements.clear()
        self._screen, self._screen_handle = 0, None
        self._absence = Absence(self._home, self._session, self._daemon_id)
        self._later(self._reconnect, RECONNECT_EVERY_S)
        self._later(self._say_gone, NOTICE_AFTER_S)

    def _say_gone(self) -> None:
        if self._absence is not None:
            self._write(self._passage.notice(NOTICE))

    def _reconnect(self) -> None:
        assert self._absence is not None
        try:
            link = self._absence.look()
        except AttnError as error:
            self._end = End(EXIT_DROPPED, error=error)
            return
        if link is None:
            self._later(self._reconnect, RECONNECT_EVERY_S)
            return
        self._absence = None
        self._take(link)
        link.set_nonblocking()
        self._tell_theme()
        if not link.hello.recovering:
            self._attach()

    def _attach_request(self) -> AttachSession:
        rows, cols = self._passage.size
        self._asked_size = (rows, cols)
        self._since = self._passage.offset if self._passage.passing else None
        return AttachSession(
            id=0,
            session=self._session,
            rows=rows,
            cols=cols,
            since=self._since,
            # One screen of history, once: every later repaint would put it into the scrollback again.
            history=0 if self._history_shown else rows,
            read_only=self._read_only,
            used_ms_ago=None if self._used_s is None else int((time.monotonic() - self._used_s) * 1000),
        )

    def _attach(self) -> None:
        """Attach anew. The old attach, if there is one, goes on taking keys until the answer comes."""
        self._send(lambda link: setattr(self, "_asked", link.ask(self._attach_request())))

    def _link_arrived(self) -> None:
        link = self._link
        if link is None:
            return
        try:
            link.flush()
            for item in link.arrived():
                if link is not self._link:
                    return
                self._item(item)
        except LinkLost:
            self._lost()

    def _item(self, item: DaemonMessage | Frame) -> None:
        match item:
            case Frame():
                self._frame(item)
            case AttachResult() if item.id == self._asked:
                self._detach(self._passage.handle)
                self._write(self._begin(item))
                if self._asked_size != self._passage.size:
                    self._vote(take=True)  # our size changed while the answer was on its way
            case AttachResult() if item.id == 0 and item.handle == self._passage.handle:
                self._write(self._begin(item))
            case AttachResult():
                self._detach(item.handle)  # a later one takes its place
            case SessionsReady() if self._link and not self._passage.handle:
                self._exit = self._known_exit(self._link)  # it may have ended while no daemon ran
                self._attach()
            case SessionExited() if item.session == self._session:
                self._program_ended(item.exit)
            case SessionRemoved() if item.session == self._session:
                self._end = self._end or program_end(self._exit)
            case ScreenResult() if item.id == self._screen:
                self._screen_handle, self._cells = item.handle, bytearray()
                self._last_offset = item.offset if self._ended else None
                self._look_for_end()
            case Error() if item.id and item.id == self._asked:
                self._refused(item)
            case Error() if item.id and item.id == self._screen:
                self._screen = 0
            case _:
                return

    def _detach(self, handle: int) -> None:
        if handle:
            self._send(lambda link: link.ask(DetachSession(id=0, handle=handle)))

    def _refused(self, error: Error) -> None:
        if error.retryable:
            self._later(self._attach, RECONNECT_EVERY_S)
            return
        self._end = End(EXIT_DROPPED, error=AttnError(error.code, error.message, error.remedy))

    def _begin(self, result: AttachResult) -> bytes:
        if not result.running and not self._ended:
            self._ended = True
            self._last_offset = result.offset
            self._later(self._last_output_missed, LAST_OUTPUT_S)
        self._acknowledgements.clear()
        shown = self._passage.begin(result, self._since if result.id else None)
        if not self._passage.passing:
            self._later(self._ask_frame, 0.0)
        return shown

    def _frame(self, frame: Frame) -> None:
        if frame.handle == self._screen_handle:
            self._cells_arrived(frame)
        if frame.handle != self._passage.handle:
            return
        shown, acknowledged = self._passage.frame(frame)
        self._write(shown)
        if acknowledged is not None:
            self._acknowledgements.add(self._given_bytes, acknowledged)
        if not self._passage.passing:
            self._later(self._ask_frame, FRAME_EVERY_S)
        elif frame.kind == client_api.SNAPSHOT_END and not self._history_shown and not self._ended:
            self._history_shown = True
            self._attach()
        self._look_for_end()

    # -- acknowledgements ----------------------------------------------------------------------------------------

    def _write(self, data: bytes) -> None:
        self._given_bytes += len(data)
        self._console.write(data)

    def _acknowledge(self) -> None:
        """Tell the daemon what the terminal has taken; only that makes it send more."""
        offset = self._acknowledgements.take(self._console.written_bytes)
        if offset is not None:
            message = PtyAck(handle=self._passage.handle, offset=offset)
            self._send(lambda link: link.send(message))

    # -- a session of another size -------------------------------------------------------------------------------

    def _ask_frame(self) -> None:
        if self._screen or self._passage.passing or self._link is None:
            return
        request = GetScreen(id=0, session=self._session, format="cells", history=0)
        self._send(lambda link: setattr(self, "_screen", link.ask(request)))

    def _cells_arrived(self, frame: Frame) -> None:
        self._cells += frame.data
        if frame.kind != client_api.SNAPSHOT_END:
            return
        self._screen, self._screen_handle = 0, None
        if not self._passage.passing:
            self._write(self._passage.paint(bytes(self._cells)))
            if self._ended:
                self._end = self._end or program_end(self._exit)

    # -- the end of the program ----------------------------------------------------------------------------------

    def _program_ended(self, exit_view: ExitView) -> None:
        """Its last output may still be on its way: ask where it ends, and stay until it is shown."""
        self._exit, self._ended = exit_view, True
        self._later(self._last_output_missed, LAST_OUTPUT_S)
        request = GetScreen(id=0, session=self._session, format="text", history=0)
        self._send(lambda link: setattr(self, "_screen", link.ask(request)))

    def _look_for_end(self) -> None:
        shown = self._passage.offset
        if self._ended and self._last_offset is not None and shown is not None and shown >= self._last_offset:
            self._end = self._end or program_end(self._exit)

    def _last_output_missed(self) -> None:
        self._end = self._end or program_end(self._exit)
