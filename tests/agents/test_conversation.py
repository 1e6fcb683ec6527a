"""The real agents work in a session as in a terminal of their own, and outlive the daemon in mid-sentence."""

from __future__ import annotations

import pytest

from tests.agents.agent_homes import AgentHome
from tests.agents.attn_home import SHIFT, AgentSession, AttnHome
from tests.agents.model_scripts import APPROVED, GREETING, STEADY_FIRST, STEADY_LAST
from tests.agents.model_stub import ModelStub
from tests.waiting import wait_until

HELD_TIMEOUT_S = 40
# What each agent shows while it asks before it runs a command, and after Esc stopped its answer.
ASKS = {"codex": "Would you like to run the following command?", "claude": "Do you want to proceed?"}
INTERRUPTED = {"codex": "interrupted", "claude": "Interrupted"}
WRAPPED = (
    "please tell me what you see here, 漢字 and 👋 are wide, and this is so long that it does not fit into one row"
)


def _hold_in_mid_answer(session: AgentSession, model: ModelStub) -> None:
    session.prompt("count steadily")
    assert model.held.wait(HELD_TIMEOUT_S), f"the agent never asked its model; the screen:\n{session.screen()}"
    session.wait_for(STEADY_FIRST)


def test_a_prompt_is_answered_on_the_screen(session: AgentSession) -> None:
    session.prompt("please greet me")
    session.wait_for(GREETING)
    assert "please greet me" in session.screen()
    assert session.view()["state"] == "running"


def test_a_killed_daemon_costs_nothing_in_mid_answer(session: AgentSession, model: ModelStub) -> None:
    _hold_in_mid_answer(session, model)
    before = session.view()
    session.attn.kill_daemon()
    model.release()
    # The rest of the answer arrives while no daemon lives.
    model.wait_answered("count steadily", HELD_TIMEOUT_S)
    after = session.view()
    assert (after["pid"], after["state"]) == (before["pid"], "running")
    session.wait_for(STEADY_LAST)
    session.prompt("greet me once more")
    session.wait_for(GREETING)


def test_an_approval_is_asked_and_given(session: AgentSession, agent: AgentHome) -> None:
    session.prompt("ask for approval")
    session.wait_screen(lambda screen: ASKS[agent.name] in screen, "the question")
    assert not (agent.project / "approved.txt").exists()
    session.key("Enter")
    session.wait_for(APPROVED)
    assert (agent.project / "approved.txt").read_text() == "approved-run\n"


def test_escape_stops_an_answer_and_typing_goes_on(session: AgentSession, agent: AgentHome, model: ModelStub) -> None:
    _hold_in_mid_answer(session, model)
    session.key("Escape")
    session.wait_for(INTERRUPTED[agent.name])
    model.release()
    session.prompt("greet me after all")
    session.wait_for(GREETING)


@pytest.mark.parametrize("agent", ["codex"], indirect=True)
def test_shift_enter_begins_a_new_line(session: AgentSession, model: ModelStub) -> None:
    session.attn.run("send", session.id, "first half")
    session.key("Enter", mods=SHIFT)
    session.attn.run("send", session.id, "second half")
    screen = session.wait_screen(lambda screen: "second half" in screen, "both lines")
    assert "first half\n" in screen
    assert not model.answers()
    session.key("Enter")
    session.wait_for("You said: first half")


@pytest.mark.parametrize("agent", ["codex"], indirect=True)
def test_queries_are_answered_with_nobody_watching(attn: AttnHome, session: AgentSession) -> None:
    """Codex repaints at once when its `CSI 6n` is answered, and only after 2 s when it is not."""
    session.attn.run("resize", session.id, "24x80")

    def footer_row() -> bool:
        lines = session.screen().rstrip("\n").split("\n")
        return any(attn.agent.ready in line and len(line) <= 80 for line in lines[-3:]) and len(lines) <= 24

    wait_until(footer_row, 1.5, "the repainted screen")


def test_a_text_is_confirmed_before_it_is_submitted(session: AgentSession, model: ModelStub) -> None:
    """One that the composer wraps, one of several lines, and one that it shows as a placeholder."""
    for number, text in enumerate((f"{WRAPPED} 0", "first line\nsecond line\nline 1", "x" * 4000 + " 2")):
        session.attn.run("send", session.id, text, "--enter", "--confirm")
        model.wait_answered(text[-8:], HELD_TIMEOUT_S)
        assert len(model.answers()) == number + 1
