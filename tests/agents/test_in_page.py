"""The real agents in the page, in a real Chromium: reloaded in mid-sentence, typed into with a person's keys."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, TimeoutError, sync_playwright

from tests.agents.agent_homes import AgentHome
from tests.agents.attn_home import AgentSession
from tests.agents.model_scripts import GREETING, STEADY_LAST
from tests.agents.model_stub import ModelStub

CHROMIUM = "/usr/bin/chromium"
TIMEOUT_MS = 30_000
HELD_TIMEOUT_S = 40
# The visible rows of the terminal that the page shows, right-trimmed, once everything that arrived is painted.
ROWS = """id => {
    const terminal = window.attn?.terminal(id)
    if (!terminal || window.attn.connection !== "open") return null
    const buffer = terminal.buffer.active
    return Array.from({ length: terminal.rows }, (_, row) =>
        buffer.getLine(buffer.baseY + row)?.translateToString(true) ?? "")
}"""


class AgentPage:
    """The page, showing one session."""

    def __init__(self, page: Page, session: AgentSession) -> None:
        self._page = page
        self._session = session

    def open(self) -> None:
        """Logs in with a fresh one-time URL and chooses the session."""
        url = re.search(r"http://\S+#login=\S+", self._session.attn.run("open"))
        assert url, "attn open prints no URL"
        self._page.goto(url[0])
        self._page.wait_for_function("() => window.attn?.connection === 'open'", timeout=TIMEOUT_MS)
        self._page.evaluate("id => { location.hash = `#session=${id}` }", self._session.id)

    def reload(self) -> None:
        """As a person does."""
        self._page.reload()

    def wait_for(self, text: str) -> list[str]:
        """Until the terminal shows `text`, and all its rows."""
        shows = f"([id, text]) => ({ROWS})(id)?.some(row => row.includes(text))"
        try:
            self._page.wait_for_function(shows, arg=[self._session.id, text], timeout=TIMEOUT_MS)
        except TimeoutError as error:
            shown = "\n".join(self.rows() or ["nothing"])
            raise AssertionError(f"{text!r} never appeared in the page, which shows:\n{shown}") from error
        return self.rows()

    def rows(self) -> list[str]:
        """The rows that are visible now."""
        rows: list[str] = self._page.evaluate(ROWS, self._session.id)
        return rows

    def click(self) -> None:
        """Into the terminal, as a person does before typing."""
        self._page.locator(".xterm-screen").first.click()

    def type(self, text: str) -> None:
        """Each character as a key."""
        self._page.keyboard.type(text, delay=10)

    def press(self, key: str) -> None:
        """One key, `Shift+Enter` for instance."""
        self._page.keyboard.press(key)


@pytest.fixture
def page(session: AgentSession) -> Iterator[AgentPage]:
    """The page on the running agent."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        shown = AgentPage(browser.new_page(viewport={"width": 1280, "height": 800}), session)
        shown.open()
        yield shown
        browser.close()


def _hold_in_mid_answer(session: AgentSession, model: ModelStub) -> None:
    session.prompt("count steadily")
    assert model.held.wait(HELD_TIMEOUT_S), f"the agent never asked its model; the screen:\n{session.screen()}"


def test_a_reload_in_mid_answer_shows_the_same_frame(session: AgentSession, model: ModelStub, page: AgentPage) -> None:
    page.wait_for(session.attn.agent.ready)
    _hold_in_mid_answer(session, model)
    before = page.wait_for("first line 6 of 6")
    page.reload()
    after = page.wait_for("first line 6 of 6")
    assert _still(after) == _still(before)
    model.release()
    page.wait_for(STEADY_LAST)
    page.click()
    page.type("greet me again")
    page.press("Enter")
    page.wait_for(GREETING)


def _still(rows: list[str]) -> list[str]:
    """The rows without those that the agent animates while it waits for its model."""
    return [row for row in rows if not re.search(r"esc to interrupt|Working|…", row)]


def test_keys_do_what_they_do_in_a_terminal(
    session: AgentSession, model: ModelStub, page: AgentPage, agent: AgentHome
) -> None:
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
