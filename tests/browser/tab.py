"""One page of attn in a real Chromium, as tests drive and read it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from playwright.sync_api import Locator, Page

from tests.system.conftest import DaemonProcess
from tests.waiting import INTERVAL_S

T = TypeVar("T")
# Generous: software rendering on two busy cores.
LIMIT_S = 20.0

# A daemon that is away refuses connections, which the browser reports by itself.
EXPECTED = ("ERR_CONNECTION", "WebSocket connection")

_TEXT = """id => {
  const terminal = window.attn.terminal(id)
  if (!terminal) return null
  const buffer = terminal.buffer.active, rows = []
  for (let y = 0; y < buffer.length; y++) {
    const line = buffer.getLine(y), text = line.translateToString(true)
    if (line.isWrapped && rows.length) rows[rows.length - 1] += text
    else rows.push(text)
  }
  return rows.join("\\n").trimEnd()
}"""
_FRAME = """id => {
  const terminal = window.attn.terminal(id), buffer = terminal.buffer.active, rows = []
  for (let y = 0; y < terminal.rows; y++) {
    rows.push(buffer.getLine(buffer.baseY + y)?.translateToString(true) ?? "")
  }
  return { rows, cursor: [buffer.cursorY, buffer.cursorX], size: [terminal.rows, terminal.cols] }
}"""


class Tab:
    """A page and the daemon it shows. What the page complains about is kept in `complaints`."""

    def __init__(self, page: Page, daemon: DaemonProcess) -> None:
        self.page = page
        self.daemon = daemon
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda message: self._said(message.type, message.text))

    def _said(self, kind: str, text: str) -> None:
        if kind == "error" and not any(expected in text for expected in EXPECTED):
            self.complaints.append(text)

    def open(self) -> Tab:
        """Log in with a fresh nonce and wait for the list."""
        self.page.goto(self.daemon.client().request("new_login")["url"])
        self.until(lambda: self.connection == "open", "the page to connect")
        return self

    @property
    def connection(self) -> str:
        return str(self.page.evaluate("window.attn.connection"))

    @property
    def selected(self) -> str:
        """The id of the chosen session, as the address names it; empty without one."""
        found = re.search("#session=([a-z0-9]+)$", self.page.url)
        return found.group(1) if found else ""

    def text(self, session: str) -> str:
        """All lines of a terminal, soft wraps joined."""
        return str(self.page.evaluate(_TEXT, session) or "")

    def frame(self, session: str) -> dict[str, Any]:
        """The visible rows, the cursor and the size."""
        return dict(self.page.evaluate(_FRAME, session))

    def row(self, label: str) -> Locator:
        return self.page.locator(".row", has_text=label)

    def choose(self, label: str) -> str:
        """Click a session in the list and wait for its terminal; its id."""
        row = self.row(label)
        row.click()
        session = row.get_attribute("data-session") or ""
        self.until(lambda: self.page.evaluate("id => window.attn.offset(id) !== null", session), f"{label} to be shown")
        return session

    def type(self, text: str) -> None:
        """Type into the terminal, as a person does."""
        self.page.keyboard.type(text)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def run(self, command: str) -> None:
        self.type(command)
        self.press("Enter")

    def until(self, probe: Callable[[], T], what: str) -> T:
        """Wait, with the page alive meanwhile, until `probe` gives something true."""
        for _ in range(int(LIMIT_S / INTERVAL_S)):
            if value := probe():
                return value
            self.page.wait_for_timeout(INTERVAL_S * 1000)
        raise AssertionError(f"still waiting after {LIMIT_S:g} s for {what}")

    def until_text(self, session: str, needle: str) -> str:
        """Wait for a text in a terminal; all of it."""
        try:
            self.until(lambda: needle in self.text(session), repr(needle))
        except AssertionError as error:
            raise AssertionError(f"{error}; the terminal shows:\n{self.text(session)}") from None
        return self.text(session)
