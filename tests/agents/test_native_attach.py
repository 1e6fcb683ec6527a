"""A real agent in a person's own terminal: what it shows is the truth, and what it set is gone afterwards."""

from __future__ import annotations

import os
import sys
import time

from tests.agents.agent_homes import AgentHome
from tests.agents.attn_home import AgentSession, AttnHome
from tests.agents.model_scripts import GREETING
from tests.system.native_terminal import NativeTerminal
from tests.system.test_native_attach import DETACH, assert_untouched

ROWS, COLS = 30, 100
LIMIT_S = 40.0


def sees_the_truth(terminal: NativeTerminal, session: AgentSession, needle: str) -> None:
    """The terminal shows `needle`, and row for row what the worker's own emulator shows."""
    deadline, shown, wanted = time.monotonic() + LIMIT_S, [""], ["?"]
    while shown != wanted or not any(needle in line for line in shown):
        assert time.monotonic() < deadline, f"no {needle!r}, or {shown} in place of {wanted}"
        wanted = session.screen().rstrip("\n").splitlines()
        terminal.pump()
        shown = terminal.lines()


def test_it_is_attached_used_and_left(attn: AttnHome, session: AgentSession, agent: AgentHome) -> None:
    command = [sys.executable, "-m", "attn", "attach", session.id]
    env = {**attn.env, "TERM": "xterm-256color", "PYTHONPATH": os.pathsep.join(sys.path)}
    with NativeTerminal(command, env, ROWS, COLS) as terminal:
        sees_the_truth(terminal, session, agent.ready)
        session.prompt("please greet me")
        sees_the_truth(terminal, session, GREETING)
        attn.kill_daemon()
        terminal.resize(ROWS + 4, COLS - 10)
        sees_the_truth(terminal, session, GREETING)
        terminal.type(DETACH)
        assert terminal.wait() == 0
        assert_untouched(terminal)
    assert session.view()["state"] == "running"
