"""What a person sees in an attach is what the worker sees: cell text for cell text, through a crash and other sizes."""

from __future__ import annotations

import sys
import time

import pytest

from tests.system.client import Client
from tests.system.conftest import DaemonProcess
from tests.system.native_terminal import NativeTerminal

LIMIT_S = 30.0
PROGRAMS = {
    "tmux": (["tmux", "-L", "parity", "-f", "/dev/null"], [b"ls -la /\r", b"\x02%", b"seq 1 100\r"]),
    "bash": (["bash", "--norc"], [b"ls -la /etc\r", b"clear; echo $((40+2))\r"]),
}


class Person:
    """At a terminal, with a session attached."""

    def __init__(self, daemon: DaemonProcess, session: str) -> None:
        self.daemon, self.session = daemon, session
        self.client: Client = daemon.client()

    def terminal(self, rows: int, cols: int) -> NativeTerminal:
        command = [sys.executable, "-m", "attn", "attach", self.session]
        return NativeTerminal(command, {**self.daemon.env, "TERM": "xterm-256color"}, rows, cols)

    def sees_the_truth(self, terminal: NativeTerminal, when: str) -> None:
        """The terminal shows what the worker's own emulator shows, row for row."""
        deadline, shown, wanted = time.monotonic() + LIMIT_S, [""], ["?"]
        while shown != wanted:
            assert time.monotonic() < deadline, f"{when}: {shown} in place of {wanted}"
            terminal.pump()
            wanted = self.client.screen(self.session)[1].decode().rstrip("\n").splitlines()
            shown = terminal.lines()


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_terminal_shows_what_the_worker_shows(daemon: DaemonProcess, name: str) -> None:
    argv, keys = PROGRAMS[name]
    person = Person(daemon, daemon.client().spawn(*argv, rows=24, cols=80)["id"])
    with person.terminal(24, 80) as terminal:
        person.sees_the_truth(terminal, "attached")
        for key in keys:
            terminal.type(key)
            person.sees_the_truth(terminal, f"after {key!r}")
        daemon.restart()
        person.client = daemon.client()
        person.sees_the_truth(terminal, "after a crash")
        terminal.resize(30, 100)
        person.client.until(lambda: person.client.sessions[person.session]["rows"] == 30)
        person.sees_the_truth(terminal, "resized")
        with person.terminal(20, 60) as smaller:
            person.client.until(lambda: person.client.sessions[person.session]["rows"] == 20)
            person.sees_the_truth(smaller, "in a smaller one")
            terminal.until(lambda: terminal.lines()[: len(smaller.lines())] == smaller.lines(), "frames of it")
            terminal.type(keys[-1])
            person.client.until(lambda: person.client.sessions[person.session]["rows"] == 30)
            person.sees_the_truth(terminal, "with its size back")
            smaller.type(b"\x1c\x1c")
            assert smaller.wait() == 0
        terminal.type(b"\x1c\x1c")
        assert terminal.wait() == 0
        assert not terminal.emulator.alternate_screen
    person.client.request("remove_session", session=person.session, force=True)
