"""What a page shows is what the worker has: after a reload, a lost link, a flood; what is less is said to be less."""

from __future__ import annotations

import os
import re
import signal
import sys

import pytest

from attn.bundle.bundle import Bundle
from tests.browser import probes
from tests.browser.conftest import OpenTab
from tests.browser.tab import Tab
from tests.system.client import Client
from tests.system.conftest import DaemonProcess

# Numbers its lines, a hundred a second, until a line is typed. bash's `read -t` loses one that comes with its alarm.
STEADY = (
    sys.executable,
    "-c",
    """
import select, sys
n = 0
while not select.select([sys.stdin], [], [], 0.01)[0]:
    print("number", n, flush=True)
    n += 1
print("that was", n, flush=True)
sys.stdin.readline(), sys.stdin.readline()
""",
)
# One line of each kind; libghostty takes a family for four people and a flag for two letters.
WIDTHS = (
    "ascii and \u0430\u0431\u0432 \u03b1\u03b2\u03b3",
    "\u65e5\u672c\u8a9e\u3068\u4e2d\u6587 \ud55c\uad6d\uc5b4 \uff21\uff22\uff43 \uff71\uff72\uff73",
    "\U0001f600\U0001f680\U0001f9d1 \u2705 \u26a1 \u231a \u2764 \u2600",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 \U0001f9d1\u200d\U0001f680",
    "\U0001f1e9\U0001f1ea \U0001f1ef\U0001f1f5 \U0001f1fa",
    "1\ufe0f\u20e3 #\ufe0f\u20e3 \u2764\ufe0f \u2600\ufe0f \u2708\ufe0e",
    "\U0001f44d\U0001f3fd \U0001f44b\U0001f3ff",
    "e\u0301 a\u0308 n\u0303\u0301 \u0e01\u0e34\u0e48 \u0915\u094d\u0937\u093f",
    "\u2500\u2502\u250c\u256d\u2588\u2591 \ue0b0 \u28ff \u00ad \u200b.",
    "\x1b[1mbold\x1b[0m \x1b[38;5;196mred\x1b[48;2;1;2;3m deep\x1b[0m \x1b[3;4;7mall\x1b[27m three\x1b[0m \x1b[9;53mx",
    "\x1b[44mblue to the end\x1b[K\x1b[0m",
)
FLOOD = "read -r; seq -f 'a line of the flood, number %g' 400000; echo at last; read -r"


@pytest.fixture
def client(daemon: DaemonProcess) -> Client:
    """Who asks the daemon beside the page."""
    return daemon.client()


def matches(tab: Tab, client: Client, session: str) -> bool:
    """Every cell and the cursor as the worker has them."""
    head, data = client.screen(session, "cells")
    same = probes.cells(tab.page, session) == probes.worker_cells(data)
    return same and tab.frame(session)["cursor"] == [head["cursor"]["row"], head["cursor"]["col"]]


def in_order(text: str, upto: int) -> bool:
    """Whether each number came exactly once."""
    return [int(number) for number in re.findall(r"number (\d+)$", text, re.MULTILINE)] == list(range(upto))


def test_every_cell_is_as_wide_as_in_the_worker(tab: Tab, client: Client) -> None:
    lines = "\\n".join(line.replace("\x1b", "\\e") for line in WIDTHS)
    session = client.spawn("bash", "--norc", "-c", f"printf '{lines}|'; read", label="widths")["id"]
    tab.choose("widths")
    tab.until_text(session, "blue to the end")
    _, data = client.screen(session, "cells")
    shown, meant = probes.cells(tab.page, session), probes.worker_cells(data)
    for number, line in enumerate(WIDTHS):
        assert shown[number] == meant[number], line
    tab.until(lambda: matches(tab, client, session), "the cells and the cursor")


def test_a_reload_in_mid_output_loses_and_doubles_nothing(tab: Tab, client: Client) -> None:
    session = client.spawn(*STEADY, label="steady")["id"]
    tab.choose("steady")
    for number in (30, 100, 200):
        tab.until_text(session, f"number {number}")
        tab.page.reload()
    tab.until_text(session, "number 300")
    tab.page.locator(".screen:not([hidden])").click()
    tab.press("Enter")
    upto = int(tab.until_text(session, "that was ").split("that was ")[1])
    tab.until(lambda: matches(tab, client, session), "the worker's cells")
    assert in_order(tab.text(session), upto)


def test_a_lost_link_and_a_killed_daemon_in_mid_output_lose_and_double_nothing(
    open_tab: OpenTab, daemon: DaemonProcess
) -> None:
    tab = open_tab(daemon, script=probes.SOCKETS)
    session = daemon.client().spawn(*STEADY, label="steady")["id"]
    tab.choose("steady")
    tab.until_text(session, "number 30")
    tab.page.evaluate("window.unplug(true)")
    tab.page.get_by_text("Reconnecting to attn").wait_for()
    tab.until(lambda: b"number 150" in daemon.client().screen(session)[1], "output that the page misses")
    tab.page.evaluate("window.plug()")
    tab.until_text(session, "number 170")
    daemon.restart()
    tab.until_text(session, "number 300")
    tab.page.locator(".screen:not([hidden])").click()
    tab.press("Enter")
    upto = int(tab.until_text(session, "that was ").split("that was ")[1])
    tab.until(lambda: matches(tab, daemon.client(), session), "the worker's cells")
    assert in_order(tab.text(session), upto)


def test_a_page_on_a_slow_machine_shows_the_end_of_a_flood(tab: Tab, client: Client) -> None:
    session = client.spawn("bash", "--norc", "-c", FLOOD, label="flood")["id"]
    tab.choose("flood")
    tab.page.context.new_cdp_session(tab.page).send("Emulation.setCPUThrottlingRate", {"rate": 8})
    tab.press("Enter")
    client.request("wait_session", session=session, text="at last", timeout_ms=60_000)
    tab.until_text(session, "at last")
    tab.until(lambda: matches(tab, client, session), "the worker's cells")
    tab.until(lambda: "number 399000\n" in tab.text(session), "the history")


def test_sessions_that_end_while_they_are_opened_show_how_they_ended(tab: Tab, client: Client) -> None:
    for number in range(6):
        lines = 30 * number
        session = client.spawn("bash", "--norc", "-c", f"seq {lines}; echo end-{number}; exit {number}")["id"]
        tab.page.evaluate("id => { location.hash = `session=${id}` }", session)
        tab.until_text(session, f"end-{number}")
        client.until(lambda session=session: client.state(session) == "exited")
        tab.page.get_by_text(f"Ended with status {number}" if number else "Ended ·").wait_for()
        written = [*(str(line) for line in range(1, lines + 1)), f"end-{number}"]
        tab.until(lambda session=session, written=written: tab.text(session).split() == written, "all it wrote")


def test_the_last_screen_of_a_dead_worker_is_shown_and_said_to_be_kept(
    open_tab: OpenTab, daemon: DaemonProcess, client: Client
) -> None:
    session = client.spawn("bash", "--norc", "-c", "seq 100; echo kept-line; sleep 1000", label="dying")["id"]
    tab = open_tab(daemon)
    tab.until_text(session, "kept-line")
    bundle = Bundle(daemon.home.bundle(session))
    tab.until((daemon.home.bundle(session) / "screen").exists, "the screen to be kept")
    worker = bundle.worker()
    assert worker is not None
    os.kill(worker.pid, signal.SIGKILL)
    client.until(lambda: client.state(session) not in ("running", "unreachable"))
    tab.page.reload()
    tab.until_text(session, "kept-line")
    tab.page.get_by_text("The screen as it was kept at").wait_for()
    assert "\n99\n100\nkept-line" in tab.text(session)


def test_a_session_without_an_emulator_is_said_to_show_the_raw_end(open_tab: OpenTab, cold: DaemonProcess) -> None:
    cold.home.root.mkdir(mode=0o700)
    cold.home.config.write_text('emulator = "off"\n')
    session = cold.start().client().spawn("bash", "--norc", "-c", "seq 50; read; echo goes on; read", label="raw")["id"]
    tab = open_tab(cold)
    tab.until_text(session, "\n50")
    tab.page.reload()
    tab.until_text(session, "\n49\n50")
    tab.page.get_by_text("The last output, not the exact screen").wait_for()
    tab.page.locator(".screen:not([hidden])").click()
    tab.press("Enter")
    tab.until_text(session, "goes on")
