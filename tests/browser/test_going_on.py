"""A program that is gone is started again from the page, in its own session."""

from __future__ import annotations

import os
import signal
from functools import partial

from attn.bundle.bundle import Bundle
from tests.browser.tab import Tab

# Whether the page is laid out this high, and the rows end above the strip.
ROWS_ARE_SEEN = """height => {
  const edges = (name) => document.querySelector(name).getBoundingClientRect()
  return edges(".stage").bottom === height && edges(".xterm-screen").bottom <= edges(".strip").top
}"""


def test_a_program_whose_worker_was_killed_starts_again_in_place(tab: Tab) -> None:
    session = tab.daemon.client().spawn("bash", "--norc", "-i", label="again", cwd="/tmp", env={"GIVEN": "1"})["id"]
    tab.choose("again")
    tab.run("echo bef''ore")
    tab.until_text(session, "before")
    worker = Bundle(tab.daemon.home.bundle(session)).worker()
    assert worker is not None
    os.kill(worker.pid, signal.SIGKILL)
    tab.page.get_by_text("it can be started again").wait_for()
    tab.page.get_by_role("button", name="Start again").click()
    tab.page.get_by_role("button", name="Start again").wait_for(state="hidden")
    tab.page.get_by_text("It runs without GIVEN").wait_for()
    tab.run("echo af''ter; pwd")
    assert "before" not in tab.until_text(session, "after\n/tmp")
    assert tab.selected == session and tab.complaints == []


def test_the_last_screen_stands_above_what_is_said_of_it(tab: Tab) -> None:
    """Whatever the height of the page: the font gets smaller until the last row is seen."""
    session = tab.daemon.client().spawn("bash", "--norc", "-i", label="whole", cwd="/tmp")["id"]
    tab.choose("whole")
    tab.run("seq 200; echo last ro''w")
    tab.until_text(session, "last row")
    worker = Bundle(tab.daemon.home.bundle(session)).worker()
    assert worker is not None
    os.kill(worker.pid, signal.SIGKILL)
    tab.page.get_by_text("it can be started again").wait_for()
    for height in range(560, 430, -10):  # ever lower: what fitted before is not enough
        tab.page.set_viewport_size({"width": 1200, "height": height})
        tab.until(partial(tab.page.evaluate, ROWS_ARE_SEEN, height), f"the last row in a page {height} pixels high")


def test_what_cannot_be_started_again_is_said(tab: Tab) -> None:
    client = tab.daemon.client()
    session = client.spawn("sh", "-c", "echo last words", label="gone", cwd=str(tab.daemon.home.logs))["id"]
    tab.choose("gone")
    tab.until_text(session, "last words")
    tab.page.get_by_role("button", name="Start again").wait_for()
    moved = tab.daemon.home.logs.rename(tab.daemon.home.root / "moved")
    tab.page.get_by_role("button", name="Start again").click()
    tab.page.get_by_text("there is no directory").wait_for()
    assert "last words" in tab.text(session)
    moved.rename(tab.daemon.home.logs)
