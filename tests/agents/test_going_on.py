"""The real agents after a crash: a question is still there to be answered, a conversation goes on where it was."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.agents.agent_homes import AgentHome
from tests.agents.attn_home import SHOWN_TIMEOUT_S, AgentSession
from tests.agents.model_scripts import APPROVED, GREETING
from tests.agents.test_conversation import ASKS
from tests.waiting import wait_until


def transcripts(agent: AgentHome, text: str) -> list[Path]:
    """The agent's own files in which `text` was said."""
    folders = [Path(agent.env[name]) for name in ("CODEX_HOME", "CLAUDE_CONFIG_DIR") if name in agent.env]
    found = [
        path for folder in folders for kind in ("sessions", "projects") for path in (folder / kind).rglob("*.jsonl")
    ]
    return [path for path in found if text in path.read_text(errors="replace")]


def test_a_question_outlives_the_daemon(session: AgentSession, agent: AgentHome) -> None:
    """Killed while the agent waits for a person: the dialog stands there again, and takes the answer."""
    session.prompt("ask for approval")
    session.wait_screen(lambda screen: ASKS[agent.name] in screen, "the question")
    before = session.view()
    session.attn.kill_daemon()
    after = session.view()
    assert (after["pid"], after["state"]) == (before["pid"], "running")
    assert ASKS[agent.name] in session.screen()
    assert not (agent.project / "approved.txt").exists()
    session.key("Enter")
    session.wait_for(APPROVED)
    assert (agent.project / "approved.txt").read_text() == "approved-run\n"
    session.prompt("greet me afterwards")
    session.wait_for(GREETING)


@pytest.mark.parametrize("daemon_too", [False, True])
def test_a_killed_worker_loses_no_conversation(session: AgentSession, agent: AgentHome, daemon_too: bool) -> None:
    """With its daemon, it is as after a power cut."""
    session.prompt("please greet me first")
    session.wait_for(GREETING)
    conversation = wait_until(session.conversation, SHOWN_TIMEOUT_S, "the agent's conversation")
    wait_until(lambda: GREETING in _kept(session), SHOWN_TIMEOUT_S, "the screen on disk")
    if daemon_too:
        session.attn.kill_daemon()
        worker = session.bundle.worker()
        assert worker is not None
        os.kill(worker.pid, 9)
        wait_until(lambda: not session.bundle.lock_held(), SHOWN_TIMEOUT_S, "the worker's end")
    else:
        session.kill_worker()
    wait_until(lambda: session.view()["state"] == "recoverable", SHOWN_TIMEOUT_S, "its worker to be missed")
    assert GREETING in session.screen()
    session.attn.run("resume", session.id)
    session.wait_screen(lambda screen: GREETING in screen and agent.ready in screen, "the conversation")
    session.prompt("and go on from there")
    session.wait_for("You said: and go on from there")
    assert session.view()["state"] == "running"
    assert session.conversation() == conversation
    (path,) = transcripts(agent, "please greet me first")
    assert transcripts(agent, "and go on from there") == [path]
    assert str(conversation) in path.name


def _kept(session: AgentSession) -> str:
    screen = session.bundle.screen()
    return screen.text if screen is not None else ""
