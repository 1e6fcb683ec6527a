"""The peers, each driven as attn is: a bare PTY, and tmux with an attached client that reads everything."""

from __future__ import annotations

import fcntl
import os
import select
import struct
import subprocess
import tempfile
import termios
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.sources import COLS, ROWS

READ_BYTES: Final = 64 << 10
QUIET_S: Final = 0.3


class Pty:
    """A program in a PTY of its own, read by us."""

    def __init__(self, argv: Sequence[str]) -> None:
        self.master, slave = os.openpty()
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLS, 0, 0))
        # The leader of a new session that opens a terminal by its name gets it as its controlling terminal.
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.ttyname(slave), os.O_RDWR, 0),
            (os.POSIX_SPAWN_DUP2, 0, 1),
            (os.POSIX_SPAWN_DUP2, 0, 2),
        ]
        env = {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
        self._pid = os.posix_spawnp(argv[0], list(argv), env, file_actions=actions, setsid=True)
        os.close(slave)

    def write(self, data: bytes) -> None:
        """Type."""
        os.write(self.master, data)

    def read(self) -> bytes:
        """What is there, at least one byte; empty when the program is gone."""
        try:
            return os.read(self.master, READ_BYTES)
        except OSError:
            return b""

    def read_until(self, wanted: bytes) -> None:
        """Reads and forgets until `wanted` comes by."""
        seen = b""
        while wanted not in seen:
            data = self.read()
            assert data, f"the program ended before it printed {wanted!r}"
            seen = seen[-len(wanted) :] + data

    def settle(self) -> None:
        """Reads and forgets until nothing comes any more."""
        while select.select([self.master], [], [], QUIET_S)[0] and self.read():
            continue

    def close(self) -> None:
        """Ends the program; closing its terminal hangs it up, which none of ours survives."""
        os.close(self.master)
        os.waitpid(self._pid, 0)


class Tmux:
    """A tmux server of its own on a socket of its own."""

    def __init__(self, folder: Path) -> None:
        self._socket = folder / "tmux"
        self._env = {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
        for name in ("TMUX", "TMUX_PANE"):
            self._env.pop(name, None)

    def command(self, *arguments: str) -> list[str]:
        """The command line of a tmux client."""
        return ["tmux", "-S", str(self._socket), "-f", "/dev/null", *arguments]

    def run(self, *arguments: str) -> str:
        """What a tmux command prints. Raises CalledProcessError when it fails."""
        run = subprocess.run(self.command(*arguments), env=self._env, capture_output=True, text=True, check=True)
        return run.stdout

    def start(self, *argv: str) -> None:
        """The server with one window that runs `argv`, settings as people use them who care for latency."""
        self.run("new-session", "-d", "-x", str(COLS), "-y", str(ROWS), *argv)
        self.run("set-option", "-g", "history-limit", "10000")
        self.run("set-option", "-g", "status", "off")
        self.run("set-option", "-s", "escape-time", "0")

    def attach(self) -> Pty:
        """An attached client."""
        return Pty(self.command("attach"))


@contextmanager
def running_tmux(*argv: str) -> Iterator[Tmux]:
    """A tmux server with a window that runs `argv`, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="attn-bench-") as folder:
        tmux = Tmux(Path(folder))
        tmux.start(*argv)
        try:
            yield tmux
        finally:
            tmux.run("kill-server")


class Drain:
    """Reads a PTY in a thread and forgets what it read."""

    def __init__(self, pty: Pty) -> None:
        self._pty = pty
        self._thread = threading.Thread(target=self._loop, daemon=True)
        self._thread.start()

    def _loop(self) -> None:
        while self._pty.read():
            continue

    def join(self) -> None:
        """Waits until the program of the PTY is gone."""
        self._thread.join(5)
