"""The real agents in the page, in a real Chromium: what a page that comes back shows, and what keys do.

One agent goes through everything, with a page beside it that stays: what a page shows that was reloaded, or whose
daemon was killed, is the same cell by cell, cursor, modes and scrollback too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import sync_playwright

from tests.agents.agent_homes import AgentHome
from tests.agents.agent_page import CHROMIUM, AgentPage, assert_alike
from tests.agents.attn_home import AgentSession
from tests.agents.model_scripts import APPROVED, STEADY_LAST
from tests.agents.model_stub import ModelStub

HELD_TIMEOUT_S = 40
# So small that an answer has its beginning in the scrollback.
SMALL = {"width": 1100, "height": 520}
NARROW = {"width": 900, "height": 460}
ASKS = {"codex": "Would you like to run", "claude": "Do you want to proceed?"}

OpenPage = Callable[[], AgentPage]


@pytest.fixture
def open_page(session: AgentSession) -> Iterator[OpenPage]:
    """Opens pages on the running agent, each in a profile of its own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])

        def open_page() -> AgentPage:
            page = AgentPage(browser.new_context(viewport=SMALL).new_page(), session)  # type: ignore[arg-type]
            page.open()
            return page

        yield open_page
        browser.close()


class Pair:
    """A page that comes back again and again, and one that stays."""

    def __init__(self, session: AgentSession, open_page: OpenPage) -> None:
        self._session = session
        self.back, self.stays = open_page(), open_page()

    def reload(self, when: str) -> None:
        """The page is reloaded, and shows what the other one shows."""
        self.back.reload()
        assert_alike(self.back, self.stays, f"{when}, reloaded")

    def kill_daemon(self, when: str) -> None:
        """The daemon is killed and started again: both pages show the same, and there is one session as before."""
        before = self._session.view()
        self._session.attn.kill_daemon()
        self.back.wait_lost()
        after = json.loads(self._session.attn.run("ls", "--json"))
        assert [(row["id"], row["pid"]) for row in after] == [(before["id"], before["pid"])]
        for page in (self.back, self.stays):
            page.wait_connected()
        assert_alike(self.back, self.stays, f"{when}, daemon killed")
        self.reload(f"{when}, daemon killed")

    def resize(self) -> None:
        """Both pages get smaller, the agent with them."""
        for page in (self.stays, self.back):
            page.page.set_viewport_size(NARROW)  # type: ignore[arg-type]
        self.back.click()
        self.back.page.wait_for_function(
            "([id, rows]) => window.attn.terminal(id).rows < rows", arg=[self._session.id, len(self.stays.rows())]
        )


@pytest.mark.parametrize("agent", ["codex", "claude", "claude-full-screen"], indirect=True)
def test_a_page_that_comes_back_shows_what_one_that_stayed_shows(
    session: AgentSession, model: ModelStub, open_page: OpenPage, agent: AgentHome
) -> None:
    pair = Pair(session, open_page)
    for page in (pair.back, pair.stays):
        page.wait_for(agent.ready)
    session.prompt("count steadily")
    assert model.held.wait(HELD_TIMEOUT_S), f"the agent never asked its model; the screen:\n{session.screen()}"
    for page in (pair.back, pair.stays):
        page.wait_for("first line 6 of 6")
    pair.reload("in mid-answer")
    pair.kill_daemon("in mid-answer")
    model.release()
    pair.back.wait_for(STEADY_LAST)
    session.prompt("ask for approval")
    pair.back.wait_for(ASKS[agent.name])
    pair.reload("in an approval")
    pair.kill_daemon("in an approval")
    pair.resize()
    pair.back.wait_for(ASKS[agent.name])
    pair.reload("in a smaller approval")
    pair.back.click()
    pair.back.press("Enter")
    pair.back.wait_for(APPROVED)
    pair.reload("after all that")


def test_keys_do_what_they_do_in_a_terminal(model: ModelStub, open_page: OpenPage, agent: AgentHome) -> None:
    page = open_page()
    page.wait_for(agent.ready)
    page.click()
    page.type("first half")
    page.press("Shift+Enter")
    page.type("second half")
    rows = page.wait_for("second half")
    assert not any("first half" in row and "second half" in row for row in rows)
    assert not model.answers()
    page.press("Enter")
    page.wait_for("You said: first half")
    page.type("count steadily")
    page.press("Enter")
    assert model.held.wait(HELD_TIMEOUT_S)
    page.press("Escape")
    page.wait_for("nterrupted")
    model.release()
