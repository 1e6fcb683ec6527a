"""What one attach writes to the person's terminal: snapshots and output in, terminal bytes and acknowledgements out.

Pure. The stream passes through as it is while the session has exactly the terminal's size. While it has another one
(a window elsewhere decided, or the size is pinned) nothing passes: positions and wraps would be wrong. Then the
caller paints frames instead (`native.frames`) until a snapshot of the right size comes.
"""

from __future__ import annotations

import re
from typing import Final

from attn.cli.link import Frame
from attn.cli.native.frames import frame_bytes
from attn.cli.native.terminal.colours import ASK, Colours
from attn.cli.native.terminal.modes import ASK_CURSOR_STYLE, ModeTracker
from attn.core.vtfilter import QueryFilter
from attn.errors import AttnError
from attn.wire import client_api
from attn.wire.client_events import AttachResult
from attn.wire.client_views import Payload, Theme

# Not ED 0 or 2 from the top: tmux and others put the screen that these erase into the scrollback.
CLEAR: Final = b"\x1b[999;999H\x1b[1J\x1b[H"
# A question that every terminal answers (DA1): then it has answered those before it, or never will.
ASK_LAST: Final = b"\x1b[c"
_LAST_ANSWER: Final = re.compile(rb"\x1b\[\?[0-9;]*c")
PUSH_TITLE: Final = b"\x1b[22;0t"
POP_TITLE: Final = b"\x1b[23;0t"


class Passage:
    """The state of one native attach, across re-attaches.

    size: rows and columns of the person's terminal; the caller keeps it current.
    offset: the terminal shows the session's output up to here; None while it shows no true screen.
    passing: whether the stream passes through.
    answers_due: whether the terminal was asked and has not said everything yet.
    clipboard: whether programs may write the clipboard of the person's terminal (OSC 52), `osc52_write`.
    """

    def __init__(self, size: tuple[int, int], *, clipboard: bool = False) -> None:
        self._clipboard = clipboard
        self.size = size
        self.session_size = size
        self.handle = 0
        self.offset: int | None = None
        self.passing = False
        self.answers_due = False
        self._colours = Colours()
        self._modes = ModeTracker(self._colours.before)
        self._filter = QueryFilter(clipboard=clipboard)
        self._payload: Payload = "none"
        self._sizeless = False  # a session without an emulator: its raw output was never of a size
        self._target = 0
        self._delta_at = 0

    @property
    def fits(self) -> bool:
        """Whether the stream may pass through a terminal of this size."""
        return self._sizeless or self.session_size == self.size

    def enter(self) -> bytes:
        """First of all: what was visible goes into the scrollback, so that nothing of it is painted over.

        One line feed for each row scrolls exactly the rows down to the cursor's, wherever the cursor stands.
        """
        self.answers_due = True
        return PUSH_TITLE + ASK_CURSOR_STYLE + ASK + ASK_LAST + b"\r\n" * self.size[0] + CLEAR

    def heard(self, data: bytes) -> Theme | None:
        """The terminal's answers, among them those to what `enter` asks. -> its theme, when that is news"""
        self._modes.heard(data)
        self.answers_due = self.answers_due and _LAST_ANSWER.search(data) is None
        return self._colours.heard(data)

    @property
    def theme(self) -> Theme | None:
        """The colours of the person's terminal, once it told them."""
        return self._colours.theme

    def leave(self) -> bytes:
        """Last of all: modes as they were, the primary screen, the cursor below the last row."""
        return self._modes.undo() + POP_TITLE + b"\x1b[%d;1H\r\n" % self.size[0]

    def begin(self, result: AttachResult, since: int | None = None) -> bytes:
        """A fresh start: its payload follows in frames. `since` as in the attach that it answers."""
        self.handle = result.handle
        self.session_size = (result.screen_rows, result.screen_cols)
        self._target, self._payload = result.offset, result.payload
        if result.payload == "snapshot" and result.format not in client_api.SNAPSHOT_FORMATS:
            self._payload = "none"  # a worker of another build: painting what is not known would show anything
        self._sizeless = result.fidelity == "tail"
        was_passing, self.passing = self.passing, self.fits
        if was_passing and self.passing:
            if self._payload == "none":
                return b""  # nothing to show in place of what stands there
            if result.payload == "delta" and self.offset is not None:
                # A fresh start that nobody asked for goes on from the last byte that came, which is `offset`.
                self._delta_at = self.offset if since is None else since
                return b""
        self.offset = None
        return self.blank()

    def blank(self) -> bytes:
        """An empty primary screen in a terminal without modes, ready for a snapshot or for frames."""
        self._filter = QueryFilter(clipboard=self._clipboard)
        return self._modes.undo() + CLEAR

    def notice(self, text: str) -> bytes:
        """A line of ours in the last row, over what stands there: the next attach has to paint the screen anew.

        Nothing over a session without an emulator, whose screen nobody could paint again.
        """
        if self._sizeless:
            return b""
        self.offset = None
        rows, cols = self.size
        # DECSC and DECRC (VT510) keep cursor, pen, character sets and origin mode; the snapshot brings what they held.
        line = f" {text} "[: cols - 1].encode("ascii")
        return b"\x1b7\x1b[?6l\x1b(B\x0f\x1b[%d;1H\x1b[0;7m%s\x1b[0m\x1b8" % (rows, line)

    def paint(self, cells_json: bytes) -> bytes:
        """A picture of a session of another size; nothing once the stream passes through again."""
        if self.passing:
            return b""
        shown = frame_bytes(cells_json, self.size)
        self._modes.feed(shown)
        return shown

    def frame(self, frame: Frame) -> tuple[bytes, int | None]:
        """One frame of this handle -> (bytes for the terminal, the offset to acknowledge once they are written).

        Raises AttnError `bad_message` when output is missing before it.
        """
        match frame.kind:
            case client_api.SNAPSHOT | client_api.SNAPSHOT_END:
                return self._started(frame.data, last=frame.kind == client_api.SNAPSHOT_END)
            case client_api.OUTPUT:
                return self._output(frame.offset, frame.data), frame.offset + len(frame.data)
            case _:
                return b"", None

    def _started(self, data: bytes, *, last: bool) -> tuple[bytes, int | None]:
        """A part of the payload of a fresh start."""
        acknowledged = self._target if last else None
        if not self.passing:
            return b"", acknowledged
        if self._payload == "delta" and self.offset is not None:
            at, self._delta_at = self._delta_at, self._delta_at + len(data)
            return self._output(at, data), acknowledged
        if last:
            self.offset = self._target
        return b"" if self._payload == "none" else self._shown(data), acknowledged

    def _output(self, offset: int, data: bytes) -> bytes:
        if not self.passing or self.offset is None:
            return b""
        if offset > self.offset:
            raise AttnError("bad_message", f"output from {self.offset} to {offset} is missing")
        data = data[self.offset - offset :]
        self.offset += len(data)
        return self._shown(data)

    def _shown(self, data: bytes) -> bytes:
        shown = self._filter.feed(data)
        self._modes.feed(shown)
        return shown
