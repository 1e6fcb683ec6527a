"""Several pages of one session, of different size, seen and unseen: one of them decides, all show the same."""

from __future__ import annotations

import pytest

from tests.browser import probes
from tests.browser.conftest import OpenTab
from tests.browser.tab import Tab
from tests.system.client import Client
from tests.system.conftest import DaemonProcess

# Tells how often its size changed whenever a line is typed.
COUNTER = r"""
changes=0; trap 'changes=$((changes+1))' WINCH
seq -f 'line %g' 300
while :; do read -r _ && echo "$changes changes to $(stty size)."; done
"""

# Runs before the page does: the page believes to be covered while `window.covered` is set.
COVER = """
Object.defineProperty(document, "visibilityState", { get: () => (window.covered ? "hidden" : "visible") })
Object.defineProperty(document, "hidden", { get: () => Boolean(window.covered) })
window.cover = (covered) => {
  window.covered = covered
  document.dispatchEvent(new Event("visibilitychange"))
}
"""


@pytest.fixture
def client(daemon: DaemonProcess) -> Client:
    """Who asks the daemon beside the pages."""
    return daemon.client()


def size(client: Client, session: str) -> list[int]:
    """The session's own size."""
    client.request("get_status")  # whatever was said before this is known now
    view = client.sessions[session]
    return [view["rows"], view["cols"]]


def fitted(tab: Tab, client: Client, session: str) -> list[int] | None:
    """The session's size once the page shows it and has no more room than that."""
    found = size(client, session)
    letterboxed = tab.page.locator(".screen.letterboxed").count()
    return found if not letterboxed and tab.frame(session)["size"] == found else None


def shows_the_worker(tab: Tab, client: Client, session: str) -> bool:
    """Every cell and the cursor as the worker has them."""
    head, data = client.screen(session, "cells")
    same = probes.cells(tab.page, session) == probes.worker_cells(data)
    return same and tab.frame(session)["cursor"] == [head["cursor"]["row"], head["cursor"]["col"]]


def test_a_phone_beside_a_desk_shows_the_desks_size_and_can_take_its_own(
    open_tab: OpenTab, daemon: DaemonProcess, client: Client
) -> None:
    session = client.spawn("bash", "--norc", "-c", COUNTER, label="shared")["id"]
    phone, desk = open_tab(daemon, phone=True), open_tab(daemon)
    desk.choose("shared")
    desk.run("")
    large = desk.until(lambda: fitted(desk, client, session), "the session to fit the desk")
    phone.until(lambda: phone.frame(session)["size"] == large, "the desk's size on the phone")
    button = phone.page.get_by_role("button", name="Take size")
    button.wait_for()
    assert f"{large[0]}×{large[1]}" in phone.page.locator(".strip").inner_text()
    phone.until(lambda: shows_the_worker(phone, client, session), "the same cells at both")
    assert desk.page.get_by_role("button", name="Take size").count() == 0
    button.click()
    phone.until(lambda: size(client, session) != large, "the phone's size")
    small = phone.until(lambda: fitted(phone, client, session), "the session to fit the phone")
    for tab in (phone, desk):
        tab.until(lambda tab=tab: tab.frame(session)["size"] == small, "the phone's size in both")
        tab.until(lambda tab=tab: shows_the_worker(tab, client, session), "the same cells at both")
    button.wait_for(state="detached")
    desk.page.get_by_role("button", name="Take size").wait_for()
    desk.type("x")
    desk.until(lambda: size(client, session) == large, "the size back at the desk, where somebody types")


def test_a_page_that_missed_nothing_follows_the_size_all_the_same(tab: Tab) -> None:
    session = tab.daemon.client().spawn("bash", "--norc", "-c", COUNTER, label="quiet")["id"]
    tab.choose("quiet")
    tab.until_text(session, "line 300")
    tab.until(lambda: fitted(tab, tab.daemon.client(), session), "the session to fit the page")
    tab.daemon.restart()
    tab.until(lambda: tab.connection == "open", "the page to reconnect")
    client = tab.daemon.client()
    tab.page.set_viewport_size({"width": 900, "height": 500})
    tab.until(lambda: tab.frame(session)["size"][1] < 80 and fitted(tab, client, session), "the smaller session")
    tab.until(lambda: shows_the_worker(tab, client, session), "every cell as the worker has it")


def test_a_covered_page_decides_nothing_and_catches_up(
    open_tab: OpenTab, daemon: DaemonProcess, client: Client
) -> None:
    session = client.spawn("bash", "--norc", "-c", COUNTER, label="shared")["id"]
    one = open_tab(daemon, script=COVER)
    one.until_text(session, "line 300")
    large = one.until(lambda: fitted(one, client, session), "the session to fit the page")
    two = open_tab(daemon)
    two.page.set_viewport_size({"width": 900, "height": 500})
    two.until(lambda: size(client, session) != large, "the size of the page that came last")
    one.page.locator(".screen:not([hidden])").click()
    one.run("")
    one.until(lambda: size(client, session) == large, "the size of the page where somebody types")
    one.page.evaluate("window.cover(true)")
    two.until(lambda: size(client, session) != large, "the size of the page that is seen")
    small = two.until(lambda: fitted(two, client, session), "the session to fit it")
    one.page.set_viewport_size({"width": 1300, "height": 800})
    two.page.locator(".screen:not([hidden])").click()
    two.run("")
    two.until_text(session, f"changes to {small[0]} {small[1]}.")
    assert size(client, session) == small
    client.request("send_text", session=session, text="", enter=True)
    one.page.evaluate("window.cover(false)")
    one.until(lambda: shows_the_worker(one, client, session), "all that was missed")


def test_a_storm_of_sizes_is_a_few_for_the_program_and_the_last_for_everybody(
    open_tab: OpenTab, daemon: DaemonProcess, client: Client
) -> None:
    session = client.spawn("bash", "--norc", "-c", COUNTER, label="storm")["id"]
    tab = open_tab(daemon, script=probes.FRAMES)
    tab.choose("storm")
    tab.run("")
    first = tab.until_text(session, "changes to")
    begun = int(first.rpartition(" changes")[0].split()[-1])
    cols = tab.frame(session)["size"][1]
    probes.frames(tab.page)
    tab.page.evaluate("""async () => {
      const place = document.querySelector(".screens")
      for (let step = 1; step <= 200; step++) {
        place.style.right = `${(step % 40) * 12 + 60}px`
        await new Promise((done) => setTimeout(done, 10))
      }
    }""")
    tab.until(lambda: tab.frame(session)["size"][1] not in (cols, 0), "another size")
    tab.run("")
    tab.until(lambda: tab.text(session).count("changes to") == 2, "the program to tell")
    changes, told = tab.text(session).split("\n")[-1].removesuffix(".").split(" changes to ")
    # One in 250 ms at most while it lasts, which takes longer on a busy machine.
    assert int(changes) - begun <= 40
    tab.until(lambda: size(client, session) == [int(part) for part in told.split()], "the last size")
    tab.until(lambda: shows_the_worker(tab, client, session), "every cell as the worker has it")
    tab.until(lambda: "\nline 1\n" in f"\n{tab.text(session)}", "the history")
    assert all(any(rows) for rows in probes.frames(tab.page)), "no frame was blank"
