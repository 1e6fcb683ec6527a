"""The keyboard is where a person expects it, however slow the page is and whatever opened or closed meanwhile."""

from __future__ import annotations

from tests.browser.conftest import OpenTab
from tests.browser.tab import Tab
from tests.system.conftest import DaemonProcess

SHELL = ("bash", "--norc", "-i")
# A page whose machine is busy: what it wanted to do in a moment it does a second later.
LATE_TIMERS = """
const later = window.setTimeout
window.setTimeout = (act, ms, ...rest) => later(act, (ms ?? 0) + 1000, ...rest)
window.requestAnimationFrame = (act) => later(() => act(performance.now()), 1000)
"""


def test_a_busy_page_takes_what_is_typed_as_soon_as_it_is_connected(tab: Tab) -> None:
    session = tab.daemon.client().spawn(*SHELL, label="one")["id"]
    tab.choose("one")
    tab.page.add_init_script(LATE_TIMERS)
    tab.page.reload()
    tab.until(lambda: tab.connection == "open", "the page to connect")
    tab.run("echo at-once")
    tab.until_text(session, "\nat-once")


def test_a_dialog_that_was_left_is_gone_for_the_next_key(tab: Tab) -> None:
    tab.daemon.client().spawn(*SHELL, label="one")
    tab.choose("one")
    sheet = tab.page.get_by_role("dialog", name="Keyboard")
    tab.press("Control+Shift+Slash")
    sheet.wait_for()
    # Both keys in one task: a test that waits in between would not see a dialog that is told late.
    tab.page.evaluate("""() => {
      const target = document.activeElement
      const key = (fields) => new KeyboardEvent("keydown", { bubbles: true, cancelable: true, ...fields })
      target.dispatchEvent(key({ key: "Escape", code: "Escape" }))
      target.dispatchEvent(key({ key: "Enter", code: "Enter", ctrlKey: true, shiftKey: true }))
    }""")
    tab.page.get_by_role("dialog", name="New session").wait_for()
    sheet.wait_for(state="hidden")


def test_a_closed_dialog_gives_the_keyboard_back_to_the_list(tab: Tab) -> None:
    tab.daemon.client().spawn(*SHELL, label="one")
    tab.choose("one")
    tab.press("Control+Shift+KeyL", "?")
    tab.page.get_by_role("dialog", name="Keyboard").get_by_role("button", name="Close").click()
    tab.until(lambda: tab.page.evaluate("document.activeElement.matches('.row')"), "the list to have the keyboard")


def test_a_dialog_about_a_session_that_went_away_ends_with_it(tab: Tab) -> None:
    client = tab.daemon.client()
    session = client.spawn(*SHELL, label="one")["id"]
    tab.choose("one")
    tab.press("Control+Shift+KeyX")
    tab.page.get_by_role("dialog").get_by_text("End program").wait_for()
    client.request("remove_session", session=session, force=True)
    tab.page.get_by_role("dialog").wait_for(state="hidden")
    tab.press("Control+Shift+Enter")
    tab.page.get_by_role("dialog", name="New session").wait_for()


def test_a_page_that_logs_in_again_shows_its_session_and_takes_keys(open_tab: OpenTab, daemon: DaemonProcess) -> None:
    client = daemon.client()
    session = client.spawn(*SHELL, label="one")["id"]
    tab = open_tab(daemon)
    tab.choose("one")
    tab.page.context.clear_cookies()
    daemon.restart()
    tab.until(lambda: tab.connection == "unauthorized", "the page to know")
    tab.complaints.clear()  # the browser reports the refused upgrades
    address = daemon.client().request("new_login")["url"]
    tab.page.evaluate("address => { location.href = address }", address)
    tab.until(lambda: tab.connection == "open", "the page to connect")
    tab.page.locator(".screens .screen").wait_for()
    tab.run("echo again")
    tab.until_text(session, "\nagain")


def test_what_is_looked_for_at_once_is_counted(tab: Tab) -> None:
    session = tab.daemon.client().spawn(*SHELL, label="long")["id"]
    tab.page.add_init_script(LATE_TIMERS)
    tab.page.reload()
    tab.until(lambda: tab.connection == "open", "the page to connect")
    tab.run("seq -f 'line-%g' 50")
    tab.until_text(session, "line-50")
    tab.press("Control+Shift+KeyF")
    tab.page.get_by_label("Find in the scrollback").fill("line-4")
    tab.until(lambda: "/11" in tab.page.locator(".find-count").inner_text(), "eleven matches")
