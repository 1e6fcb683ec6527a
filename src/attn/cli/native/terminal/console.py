"""The terminal that a person sits at: raw mode, its size, its signals; put back as it was however the block ends."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import socket
import termios
import time
import tty
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Final, Self

from attn.errors import AttnError

READ_BYTES: Final = 64 << 10
WRITE_BYTES: Final = 16 << 10
# How long the last bytes (mode resets) may take on a terminal that does not read.
LAST_BYTES_S: Final = 2.0

_SIGNALS: Final = (signal.SIGWINCH, signal.SIGTERM, signal.SIGHUP, signal.SIGCONT)


class Console:
    """Standard input and output while they are a raw, non-blocking terminal.

    A terminal's O_NONBLOCK belongs to the open file that the shell shares with us, so it is saved and put back
    like the line settings.
    """

    def __init__(self, input_fd: int = 0, output_fd: int = 1) -> None:
        """Raises AttnError `not_a_terminal`."""
        if not (os.isatty(input_fd) and os.isatty(output_fd)):
            raise AttnError(
                "not_a_terminal",
                "attaching needs a terminal on standard input and output",
                "to look from a script use: attn screen; to type: attn send",
            )
        self._in, self._out = input_fd, output_fd
        self._pending = bytearray()
        self._size = (1, 1)
        self.written_bytes = 0

    def __enter__(self) -> Self:
        self._settings = termios.tcgetattr(self._in)
        self._flags = {fd: fcntl.fcntl(fd, fcntl.F_GETFL) for fd in (self._in, self._out)}
        self._awake, self._wake = socket.socketpair()
        for end in (self._awake, self._wake):
            end.setblocking(False)
        self._wakeup_fd = signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        self._handlers = {number: signal.signal(number, _noted) for number in _SIGNALS}
        self.make_raw()
        return self

    def make_raw(self) -> None:
        """Raw and non-blocking; again after a stop, when the shell has put its own settings back."""
        try:
            tty.setraw(self._in, termios.TCSADRAIN)
        except termios.error:
            return  # a window that closes sends SIGCONT too: the terminal is gone, and `read` reports it
        for fd, flags in self._flags.items():
            fcntl.fcntl(fd, fcntl.F_SETFL, flags | os.O_NONBLOCK)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._write_last()
        for fd, flags in self._flags.items():
            fcntl.fcntl(fd, fcntl.F_SETFL, flags)
        try:
            # With what was typed or reported in the last moment: a shell would take it for a command.
            termios.tcsetattr(self._in, termios.TCSAFLUSH, self._settings)
        except termios.error:
            return  # the terminal is gone, and its settings with it
        finally:
            for number, handler in self._handlers.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(self._wakeup_fd)
            self._awake.close()
            self._wake.close()

    @property
    def input_fd(self) -> int:
        return self._in

    @property
    def output_fd(self) -> int:
        return self._out

    @property
    def signal_fd(self) -> int:
        """Readable when `signals` has something."""
        return self._awake.fileno()

    @property
    def pending_bytes(self) -> int:
        """Written here and not yet taken by the terminal."""
        return len(self._pending)

    def size(self) -> tuple[int, int]:
        """Rows and columns; the last that were known of a terminal that is gone."""
        try:
            size = os.get_terminal_size(self._out)
        except OSError:
            return self._size
        self._size = max(size.lines, 1), max(size.columns, 1)
        return self._size

    def signals(self) -> set[int]:
        """The signals that arrived since the last call."""
        try:
            return set(self._awake.recv(256))
        except BlockingIOError:
            return set()

    def read(self) -> bytes | None:
        """What was typed; None when the terminal is gone."""
        try:
            return os.read(self._in, READ_BYTES) or None
        except BlockingIOError:
            return b""
        except OSError:
            return None  # EIO: hung up

    def listen(self, satisfied: Callable[[bytes], bool], limit_s: float) -> None:
        """Show `satisfied` what comes until it is, or `limit_s` is over; at first nothing. None of it is typed."""
        deadline = time.monotonic() + limit_s
        data: bytes | None = b""
        while data is not None and not satisfied(data):
            self.flush()
            left_s = deadline - time.monotonic()
            if left_s <= 0 or not select.select([self._in], [], [], left_s)[0]:
                return
            data = self.read()

    def write(self, data: bytes) -> None:
        """Queue bytes for the terminal; `flush` when it is writable. The caller's acknowledgements bound the queue."""
        self._pending += data

    def flush(self) -> None:
        """Write as much as the terminal takes now."""
        try:
            while self._pending:
                written = os.write(self._out, self._pending[:WRITE_BYTES])
                self.written_bytes += written
                del self._pending[:written]
        except BlockingIOError:
            return
        except OSError:
            self.written_bytes += len(self._pending)
            self._pending.clear()  # EIO: hung up; `read` reports it

    def _write_last(self) -> None:
        deadline = time.monotonic() + LAST_BYTES_S
        self.flush()
        while self._pending and (left_s := deadline - time.monotonic()) > 0:
            select.select([], [self._out], [], left_s)
            self.flush()


def _noted(number: int, frame: FrameType | None) -> None:
    """A handler must stand for the wake-up descriptor to get the number; nothing is done here."""
