"""The real agents go on with their conversation when a person reloads them, and with the one they were in last."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from attn.bundle.bundle import Bundle
from attn.paths import home_from_env
from tests.agents.agent_homes import AgentHome
from tests.agents.attn_home import AgentSession, AttnHome
from tests.agents.model_scripts import GREETING
from tests.waiting import wait_until

LEARNED_TIMEOUT_S = 40
# Where each agent keeps the transcripts of its conversations, below its settings.
TRANSCRIPTS = {"codex": ("CODEX_HOME", "sessions/*/*/*/*.jsonl"), "claude": ("CLAUDE_CONFIG_DIR", "projects/*/*.jsonl")}
# What opens another conversation in the same program.
ANOTHER = {"codex": "/new", "claude": "/clear"}


def bundle(session: AgentSession) -> Bundle:
    return Bundle(home_from_env(session.attn.env).bundle(session.id))


def transcripts(agent: AgentHome) -> dict[str, str]:
    """The conversations that the agent itself knows: id and what was said."""
    variable, pattern = TRANSCRIPTS[agent.name]
    found = {path.stem[-36:]: path.read_text() for path in Path(agent.env[variable]).glob(pattern)}
    return {name: text for name, text in found.items() if "greet" in text or "remember" in text}


def learned(session: AgentSession, agent: AgentHome, said: str) -> str:
    """The conversation in which `said` was said, once attn knows it too."""
    held = wait_until(
        lambda: [name for name, text in transcripts(agent).items() if said in text], LEARNED_TIMEOUT_S, "the transcript"
    )
    session.attn.run("ls")
    wait_until(lambda: bundle(session).meta().conversation in held, LEARNED_TIMEOUT_S, f"attn to learn {held}")
    return held[0]


def kill_worker(session: AgentSession) -> None:
    worker = bundle(session).worker()
    assert worker is not None
    os.kill(worker.pid, signal.SIGKILL)
    wait_until(lambda: session.view()["state"] == "recoverable", 20, "the worker's end to be known")


def test_a_reload_keeps_the_conversation(session: AgentSession, agent: AgentHome) -> None:
    session.prompt("please greet me")
    session.wait_for(GREETING)
    conversation = learned(session, agent, "please greet me")
    pid = session.view()["pid"]
    session.attn.run("reload", session.id)
    assert session.view()["pid"] != pid
    session.wait_for("please greet me")
    session.wait_for(agent.ready)
    session.prompt("now remember this")
    session.wait_for("You said: now remember this")
    wait_until(lambda: "now remember this" in transcripts(agent)[conversation], 20, "the same transcript")


def test_without_a_prompt_there_is_nothing_to_go_on_with(session: AgentSession, agent: AgentHome) -> None:
    kill_worker(session)
    session.attn.run("resume", session.id)
    session.wait_for(agent.ready)
    session.prompt("please greet me")
    session.wait_for(GREETING)


def test_another_conversation_in_the_same_program_is_the_one_that_goes_on(
    session: AgentSession, agent: AgentHome
) -> None:
    session.prompt("please greet me")
    session.wait_for(GREETING)
    first = learned(session, agent, "please greet me")
    session.prompt(ANOTHER[agent.name])
    session.wait_screen(lambda screen: "please greet me" not in screen, "an empty conversation")
    session.prompt("now remember this")
    session.wait_for("You said: now remember this")
    second = learned(session, agent, "now remember this")
    assert second != first
    kill_worker(session)
    session.attn.run("resume", session.id)
    session.wait_for("You said: now remember this")
    assert "please greet me" not in session.screen()


@pytest.mark.parametrize("agent", ["claude"], indirect=True)
def test_a_typed_agent_goes_on_too(attn: AttnHome, agent: AgentHome) -> None:
    cwd = str(agent.project)
    session = AgentSession(attn, attn.run("new", "--cwd", cwd, "--size", "30x100", "--", "claude").strip())
    session.wait_for(agent.ready)
    session.prompt("please greet me")
    session.wait_for(GREETING)
    learned(session, agent, "please greet me")
    kill_worker(session)
    attn.run("resume", session.id)
    session.wait_for("please greet me")
    assert session.view()["argv"][1:] == []
