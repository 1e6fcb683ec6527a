"""The real agents work in a session as in a terminal of their own, and outlive the daemon in mid-sentence."""

from __future__ import annotations

import json
import time

import pytest

from attn.cli.link import Frame, Link
from attn.wire import client_api
from attn.wire.client_events import AttachResult
from attn.wire.client_requests import AttachSession, PtyAck, ResizeSession
from tests.agents.agent_homes import AgentHome
from tests.agents.attn_home import SHIFT, AgentSession, AttnHome
from tests.agents.model_scripts import APPROVED, GREETING, STEADY_FIRST, STEADY_LAST
from tests.agents.model_stub import ModelStub

HELD_TIMEOUT_S = 40
# What each agent shows while it asks before it runs a command, and after Esc stopped its answer.
ASKS = {"codex": "Would you like to run the following command?", "claude": "Do you want to proceed?"}
# Without an answer to its question codex repaints after 2 s.
UNANSWERED_S = 1.8
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
    """Codex asks `CSI 6n` on every new size: it repaints at once when that is answered, else after 2 s."""
    with attn.link() as link:
        spectator = AttachSession(id=0, session=session.id, read_only=True, visible=False, as_="cells")
        link.request(spectator, AttachResult)
        waits_s = [_repaint_s(link, session, rows, cols) for rows, cols in ((32, 90), (34, 100), (36, 80), (38, 96))]
    print(f"codex, from a new size to its repaint: {', '.join(f'{wait * 1000:.0f} ms' for wait in waits_s)}")
    assert min(waits_s) < UNANSWERED_S, "no answer came: codex waited until it gave up"


def _repaint_s(link: Link, session: AgentSession, rows: int, cols: int) -> float:
    """Seconds from a new size, with more rows, to the first picture whose last row codex drew."""
    deadline = time.monotonic() + HELD_TIMEOUT_S
    link.ask(ResizeSession(id=0, session=session.id, rows=rows, cols=cols))
    began_s, cells = time.monotonic(), b""
    while True:
        item = link.receive(deadline)
        if not isinstance(item, Frame):
            continue
        cells += item.data
        if item.kind == client_api.SNAPSHOT_END:
            picture, cells = json.loads(cells), b""
            link.send(PtyAck(handle=item.handle, offset=item.offset))
            footer = "".join(run["text"] for run in picture["lines"][-1]["runs"])
            if (picture["rows"], picture["cols"]) == (rows, cols) and footer.strip():
                return time.monotonic() - began_s


def test_a_text_is_confirmed_before_it_is_submitted(session: AgentSession, model: ModelStub) -> None:
    """One that the composer wraps, one of several lines, and one that it shows as a placeholder."""
    for number, text in enumerate((f"{WRAPPED} 0", "first line\nsecond line\nline 1", "x" * 4000 + " 2")):
        session.attn.run("send", session.id, text, "--enter", "--confirm")
        model.wait_answered(text[-8:], HELD_TIMEOUT_S)
        assert len(model.answers()) == number + 1
