"""The page on one agent, in a real Chromium, as a person opens, reads and uses it."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Page, TimeoutError

from tests.agents.attn_home import AgentSession
from tests.browser import probes

CHROMIUM = "/usr/bin/chromium"
TIMEOUT_MS = 30_000
# Often enough to find two pages between two steps of a spinner.
LOOK_EVERY_MS = 30
LOOKS = 600
# The visible rows of the terminal that the page shows, right-trimmed, once everything that arrived is painted.
ROWS = """id => {
    const terminal = window.attn?.terminal(id)
    if (!terminal || window.attn.connection !== "open") return null
    const buffer = terminal.buffer.active
    return Array.from({ length: terminal.rows }, (_, row) =>
        buffer.getLine(buffer.baseY + row)?.translateToString(true) ?? "")
}"""
ALL_LINES = """id => {
    const buffer = window.attn.terminal(id).buffer.active
    return Array.from({ length: buffer.length }, (_, row) => buffer.getLine(row).translateToString(true).trimEnd())
}"""
CONNECTED = "() => window.attn?.connection === 'open'"


class AgentPage:
    """The page, showing one session."""

    def __init__(self, page: Page, session: AgentSession) -> None:
        self.page = page
        self._session = session

    def open(self) -> None:
        """Logs in with a fresh one-time URL and chooses the session."""
        url = re.search(r"http://\S+#login=\S+", self._session.attn.run("open"))
        assert url, "attn open prints no URL"
        self.page.goto(url[0])
        self.wait_connected()
        self.page.evaluate("id => { location.hash = `#session=${id}` }", self._session.id)

    def reload(self) -> None:
        """As a person does."""
        self.page.reload()
        self.wait_connected()

    def wait_connected(self) -> None:
        """Until the page has its link."""
        self.page.wait_for_function(CONNECTED, timeout=TIMEOUT_MS)

    def wait_lost(self) -> None:
        """Until the page knows that its link is gone."""
        self.page.wait_for_function(f"() => !({CONNECTED})()", timeout=TIMEOUT_MS)

    def wait_for(self, text: str) -> list[str]:
        """Until the terminal shows `text`, and all its rows."""
        shows = f"([id, text]) => ({ROWS})(id)?.some(row => row.includes(text))"
        try:
            self.page.wait_for_function(shows, arg=[self._session.id, text], timeout=TIMEOUT_MS)
        except TimeoutError as error:
            shown = "\n".join(self.rows() or ["nothing"])
            raise AssertionError(f"{text!r} never appeared in the page, which shows:\n{shown}") from error
        return self.rows()

    def rows(self) -> list[str]:
        """The rows that are visible now."""
        rows: list[str] = self.page.evaluate(ROWS, self._session.id)
        return rows

    def everything(self) -> dict[str, Any] | None:
        """Cells, cursor, modes and scrollback; None while nothing is shown."""
        if self.page.evaluate(ROWS, self._session.id) is None:
            return None
        return {
            **probes.state(self.page, self._session.id),
            "lines": self.page.evaluate(ALL_LINES, self._session.id),
            "cells": probes.cells(self.page, self._session.id),
        }

    def click(self) -> None:
        """Into the terminal, as a person does before typing."""
        self.page.locator(".xterm-screen").first.click()

    def type(self, text: str) -> None:
        """Each character as a key."""
        self.page.keyboard.type(text, delay=10)

    def press(self, key: str) -> None:
        """One key, `Shift+Enter` for instance."""
        self.page.keyboard.press(key)


def assert_alike(one: AgentPage, other: AgentPage, when: str) -> None:
    """Both show the same in everything, at a moment: agents move while they are looked at."""
    differing: dict[str, Any] = {}
    for _ in range(LOOKS):
        shown, again = one.everything(), other.everything()
        if shown is not None and again is not None:
            differing = {key: (shown[key], again[key]) for key in shown if shown[key] != again[key]}
            if not differing:
                return
        one.page.wait_for_timeout(LOOK_EVERY_MS)
    raise AssertionError(f"the pages differ {when}: {differing or 'one shows nothing'}")
