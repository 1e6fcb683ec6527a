"""A session without an emulator in the page: its raw end, named as such, and everything that follows."""

from __future__ import annotations

from tests.browser.tab import Tab

# Asks where the cursor is, and for key events, which the worker must encode without an emulator.
PROGRAM = "printf '\\033[>1u\\033[31mfrom before\\033[0m\\033[6n\\r\\n'; cat -v"
LABELLED = "not the exact screen"


def test_the_raw_end_is_shown_named_and_goes_on(tab: Tab) -> None:
    session = tab.daemon.client().spawn("sh", "-c", PROGRAM, label="raw", emulator=False)["id"]
    tab.choose("raw")
    tab.until_text(session, "from before")
    tab.page.get_by_text(LABELLED).wait_for()
    tab.type("typed")
    tab.press("Enter")
    assert tab.until_text(session, "typed\ntyped").count("from before") == 1
    tab.page.reload()
    tab.until_text(session, "typed\ntyped")
    tab.daemon.restart()
    tab.until(lambda: tab.connection == "open", "the link")
    tab.type("again")
    tab.press("Enter")
    shown = tab.until_text(session, "again\nagain")
    # One page, one worker without an emulator: nobody answered the question, so nothing was typed for the program.
    assert "[1;" not in shown and "^[" not in shown
    tab.daemon.client().request("kill_session", session=session)
    tab.page.reload()
    tab.until_text(session, "again\nagain")
    tab.page.get_by_text(LABELLED).wait_for()
