"""A person goes on: with keys typed while attn was away, and with a program that is gone."""

from __future__ import annotations

import os
import signal

from attn.bundle.bundle import Bundle
from tests.browser import probes
from tests.browser.conftest import OpenTab
from tests.browser.tab import Tab
from tests.system.conftest import DaemonProcess

SHELL = ("bash", "--norc", "-i")
KEYBOARD = "document.activeElement.matches('.screen:not([hidden]) textarea')"


def test_what_is_typed_while_the_daemon_is_away_arrives_once(tab: Tab) -> None:
    session = tab.daemon.client().spawn(*SHELL, label="typed")["id"]
    tab.choose("typed")
    tab.run("echo before")
    tab.until_text(session, "\nbefore")
    tab.daemon.kill()
    tab.page.get_by_text("what you type is sent when it is back").wait_for()
    tab.run("echo mean''while")
    tab.daemon.start()
    tab.until_text(session, "\nmeanwhile")
    tab.run("echo af''ter")
    text = tab.until_text(session, "\nafter")
    assert text.count("\nmeanwhile") == text.count("echo mean''while") == 1


def test_more_than_a_little_is_not_kept_and_the_page_says_so(open_tab: OpenTab, daemon: DaemonProcess) -> None:
    tab = open_tab(daemon, script=probes.SOCKETS)
    session = daemon.client().spawn(*SHELL, label="typed")["id"]
    tab.choose("typed")
    tab.run("echo before")
    tab.until_text(session, "\nbefore")
    tab.page.evaluate("window.unplug(true)")
    tab.page.get_by_text("Reconnecting to attn").wait_for()
    tab.page.evaluate("navigator.clipboard.writeText('x'.repeat(5000))")
    tab.press("Control+Shift+KeyV")
    tab.page.get_by_text("more than this it does not keep").wait_for()
    tab.page.evaluate("window.plug()")
    tab.until(lambda: tab.connection == "open", "the page to reconnect")
    tab.run("echo after")
    assert "xxx" not in tab.until_text(session, "\nafter")


def test_a_program_that_is_gone_is_started_again_from_the_page(open_tab: OpenTab, daemon: DaemonProcess) -> None:
    client = daemon.client()
    session = client.spawn("bash", "--norc", "-c", "echo started; exec bash --norc -i", label="again")["id"]
    tab = open_tab(daemon)
    tab.until_text(session, "started")
    tab.run("echo first life")
    tab.until_text(session, "\nfirst life")
    worker = Bundle(daemon.home.bundle(session)).worker()
    assert worker is not None
    os.kill(worker.pid, signal.SIGKILL)
    client.until(lambda: client.state(session) == "recoverable")
    button = tab.page.get_by_role("button", name="Start again")
    button.wait_for()
    assert "first life" in tab.text(session)
    button.click()
    client.until(lambda: client.state(session) == "running")
    tab.until(lambda: tab.page.evaluate(KEYBOARD), "the keyboard to go to the program")
    tab.run("echo second life")
    tab.until_text(session, "\nsecond life")
    head, data = client.screen(session, "cells")
    tab.until(lambda: probes.cells(tab.page, session) == probes.worker_cells(data), "every cell as the worker has it")
    assert tab.frame(session)["cursor"] == [head["cursor"]["row"], head["cursor"]["col"]]
    tab.run("exit 3")
    tab.page.get_by_text("Ended with status 3").wait_for()
    tab.page.get_by_role("button", name="Start again").click()
    client.until(lambda: client.state(session) == "running")
    tab.until(lambda: tab.page.evaluate(KEYBOARD), "the keyboard to go to the program")
    tab.run("echo third life")
    tab.until_text(session, "\nthird life")
