"""A person's terminal for tests: a PTY whose other side is an emulator that answers questions, as a real one does."""

from __future__ import annotations

import builtins
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

from attn.terminal.cells import text
from attn.terminal.emulator import Emulator

LIMIT_S = 20.0


class NativeTerminal:
    """Runs one program in a terminal of its own. `settings` are the line settings before it ran."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], rows: int = 20, cols: int = 60) -> None:
        self.emulator = Emulator(rows, cols)
        self.emulator.feed(b"$ attn\r\n")
        self._master, self.slave = pty.openpty()
        self._set_size(rows, cols)
        self.settings = termios.tcgetattr(self.slave)
        self.flags = fcntl.fcntl(self.slave, fcntl.F_GETFL)
        self.errors = b""
        self.written = bytearray()
        self.process = subprocess.Popen(
            argv,
            env=dict(env),
            stdin=self.slave,
            stdout=self.slave,
            stderr=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )

    def type(self, data: bytes) -> None:
        os.write(self._master, data)

    def resize(self, rows: int, cols: int) -> None:
        self.emulator.resize(rows, cols)
        self._set_size(rows, cols)
        os.kill(self.process.pid, signal.SIGWINCH)

    def hang_up(self) -> int:
        """The window is closed; the exit status of the program."""
        os.close(self._master)
        self._master = os.open(os.devnull, os.O_RDWR)
        return self.process.wait(LIMIT_S)

    def lines(self, history: int | None = 0) -> list[str]:
        """What a person sees, without the empty rows at the end."""
        return text(self.emulator.capture(), history).rstrip("\n").splitlines()

    def until(self, condition: Callable[[], object], what: str, limit_s: float = LIMIT_S) -> None:
        """Read what the program writes until `condition` holds."""
        deadline = time.monotonic() + limit_s
        while not condition():
            if not self._read(deadline):
                raise AssertionError(f"no {what} within {limit_s:g} s, the terminal shows {self.lines(None)}")

    def until_shown(self, wanted: str) -> None:
        self.until(lambda: any(wanted in line for line in self.lines()), wanted)

    def wait(self) -> int:
        """The exit status of the program, everything that it wrote read."""
        assert self.process.stderr is not None
        self.until(lambda: self.process.poll() is not None, "end of the program")
        self.pump()
        self.errors += self.process.stderr.read()
        return self.process.returncode

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: builtins.type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()
        os.close(self._master)
        os.close(self.slave)

    def _set_size(self, rows: int, cols: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def _read(self, deadline: float) -> bool:
        """One read, at most a moment long so that the end of the process is noticed; False when time is over."""
        if select.select([self._master], [], [], 0.05)[0]:
            self._feed(os.read(self._master, 1 << 16))
        return time.monotonic() < deadline

    def pump(self) -> None:
        """Read and answer what the program wrote, without waiting."""
        while select.select([self._master], [], [], 0)[0]:
            self._feed(os.read(self._master, 1 << 16))

    def _feed(self, data: bytes) -> None:
        self.written += data
        self.emulator.feed(data)
        replies = self.emulator.take_replies()
        if replies:
            os.write(self._master, replies)
