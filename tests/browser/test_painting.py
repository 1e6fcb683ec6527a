"""What replaces a screen in the page is not seen coming: no blank or partial frame, and the view stays where it was."""

from __future__ import annotations

import pytest

from tests.browser import probes
from tests.browser.conftest import OpenTab
from tests.browser.tab import Tab
from tests.system.conftest import DaemonProcess

# A long history, and more output for each line that is typed; NULs show nothing, but take room in the worker's ring.
LOG = r"""
seq -f 'line %06g of the log' 9000
n=0; while read -r lines noise; do head -c "${noise:-0}" /dev/zero; seq -f "more $((n++)) %g" "$lines"; done
"""
LAST = "line 009000 of the log"


@pytest.fixture
def log(daemon: DaemonProcess) -> str:
    """A session with 9000 lines above."""
    client = daemon.client()
    session: str = client.spawn("bash", "--norc", "-c", LOG, label="log", rows=40, cols=120)["id"]
    client.request("wait_session", session=session, text=LAST, timeout_ms=20_000)
    return session


def whole(tab: Tab, session: str) -> None:
    """Wait until the history is in place."""
    tab.until(lambda: "line 000001 of the log" in tab.text(session), "the history")


def scroll(tab: Tab, session: str, row: int) -> str:
    """Look at a row, as a person who scrolled up does; what stands there."""
    tab.page.evaluate("([id, row]) => window.attn.terminal(id).scrollToLine(row)", [session, row])
    tab.until(lambda: probes.view(tab.page, session).row == row, "the row in view")
    return probes.view(tab.page, session).top


def drawn_rows(tab: Tab) -> list[str]:
    """What the page draws now."""
    rows: list[str] = tab.page.evaluate(
        """() => [...document.querySelectorAll(".screen:not([hidden]) .face:not(.behind) .xterm-rows > div")]
            .map((row) => row.textContent.trimEnd())"""
    )
    return rows


def test_a_reload_draws_the_frame_once_and_the_history_changes_nothing(
    open_tab: OpenTab, daemon: DaemonProcess, log: str
) -> None:
    tab = open_tab(daemon, script=probes.FRAMES)
    whole(tab, log)
    before = tab.until(lambda: drawn_rows(tab), "a frame")
    tab.page.reload()
    whole(tab, log)
    tab.page.wait_for_timeout(300)
    seen = probes.frames(tab.page)
    # The very first is the empty terminal of a page that has nothing to show yet.
    painted = seen[1:] if not any(seen[0]) else seen
    assert painted == [before]


def test_what_is_painted_anew_is_never_blank_nor_partial(open_tab: OpenTab, daemon: DaemonProcess, log: str) -> None:
    tab = open_tab(daemon, script=probes.FRAMES + probes.SOCKETS)
    whole(tab, log)
    before = tab.until(lambda: drawn_rows(tab), "a frame")
    probes.frames(tab.page)
    # So much that what is missed is more than the worker's ring: a snapshot of everything, at once.
    tab.page.evaluate("window.unplug(true)")
    tab.until(lambda: tab.connection != "open", "the page to notice")
    client = daemon.client()
    client.request("send_text", session=log, text="120000", enter=True)
    client.request("wait_session", session=log, text="more 0 120000", timeout_ms=20_000)
    tab.page.evaluate("window.plug()")
    tab.until_text(log, "more 0 120000")
    tab.page.wait_for_timeout(300)
    after = drawn_rows(tab)
    assert after != before
    assert probes.frames(tab.page) in ([before, after], [after]), "one picture, and another in its place"


def test_the_view_stays_while_the_history_arrives_and_output_comes(
    open_tab: OpenTab, daemon: DaemonProcess, log: str
) -> None:
    tab = open_tab(daemon, script=probes.HOLD_SECOND_ATTACH)
    tab.until_text(log, LAST)
    assert "line 000001" not in tab.text(log)
    tab.page.locator(".screen:not([hidden])").click()
    tab.run("200")
    tab.until_text(log, "more 0 200")
    looked_at = scroll(tab, log, 60)
    select = "([id, row]) => window.attn.terminal(id).select(2, row, 9)"
    tab.page.evaluate(select, [log, 62])
    selected = tab.page.evaluate("id => window.attn.terminal(id).getSelection()", log)
    tab.page.evaluate("window.release()")
    whole(tab, log)
    assert probes.view(tab.page, log).top == looked_at
    assert tab.page.evaluate("id => window.attn.terminal(id).getSelection()", log) == selected
    daemon.client().request("send_text", session=log, text="300", enter=True)
    tab.until_text(log, "more 1 300")
    assert probes.view(tab.page, log).top == looked_at


def test_the_view_stays_at_a_reconnect_a_restart_and_a_resize(
    open_tab: OpenTab, daemon: DaemonProcess, log: str
) -> None:
    tab = open_tab(daemon, script=probes.FRAMES + probes.SOCKETS)
    whole(tab, log)
    looked_at = scroll(tab, log, 7000)
    tab.page.evaluate("window.unplug(false)")
    tab.until(lambda: tab.connection == "open", "the page to reconnect")
    client = daemon.client()
    client.request("send_text", session=log, text="50", enter=True)
    tab.until_text(log, "more 0 50")
    assert probes.view(tab.page, log).top == looked_at
    daemon.restart()
    tab.until(lambda: tab.connection == "open", "the page to reconnect")
    client = daemon.client()
    client.request("send_text", session=log, text="60", enter=True)
    tab.until_text(log, "more 1 60")
    assert probes.view(tab.page, log).top == looked_at
    probes.frames(tab.page)
    cols = tab.frame(log)["size"][1]
    tab.page.set_viewport_size({"width": 1000, "height": 700})
    tab.until(lambda: tab.frame(log)["size"][1] < cols, "fewer columns")
    whole(tab, log)
    assert probes.view(tab.page, log).top == looked_at
    tab.until(lambda: drawn_rows(tab)[0] == looked_at, "it to be drawn")
    assert {rows[0] for rows in probes.frames(tab.page)} == {looked_at}, "at no moment anything else"


def test_the_view_stays_when_output_was_left_out(open_tab: OpenTab, daemon: DaemonProcess, log: str) -> None:
    tab = open_tab(daemon, script=probes.SOCKETS)
    whole(tab, log)
    looked_at = scroll(tab, log, 8500)
    tab.page.evaluate("window.unplug(true)")
    tab.until(lambda: tab.connection != "open", "the page to notice")
    client = daemon.client()
    # More than the worker's ring, and not so much that the line is gone.
    client.request("send_text", session=log, text="1000 2000000", enter=True)
    client.request("wait_session", session=log, text="more 0 1000", timeout_ms=20_000)
    tab.page.evaluate("window.plug()")
    tab.until_text(log, "more 0 1000")
    assert probes.view(tab.page, log).top == looked_at


def test_find_keeps_its_match_when_the_picture_is_changed(open_tab: OpenTab, daemon: DaemonProcess, log: str) -> None:
    tab = open_tab(daemon)
    whole(tab, log)
    tab.press("Control+Shift+KeyF")
    field = tab.page.get_by_label("Find in the scrollback")
    field.fill("line 0012")
    count = tab.page.locator(".find-count")
    tab.until(lambda: count.inner_text() == "100/100", "a hundred matches")
    field.press("Enter")
    tab.until(lambda: count.inner_text() == "99/100", "the one before")
    cols = tab.frame(log)["size"][1]
    tab.page.set_viewport_size({"width": 1000, "height": 700})
    tab.until(lambda: tab.frame(log)["size"][1] < cols, "fewer columns")
    whole(tab, log)
    tab.until(lambda: count.inner_text().endswith("/100"), "the matches of the new picture")


def test_what_a_program_set_comes_back_with_a_long_history(open_tab: OpenTab, daemon: DaemonProcess) -> None:
    setting = r"printf '\e]10;#ff0000\e\\\e]4;2;#123456\e\\\e[?1000h\e[?1006h\e[32mgreen\e[m'"
    script = f"seq -f 'line %06g of the log' 9000; {setting}; read -r"
    session = daemon.client().spawn("bash", "--norc", "-c", script, label="set")["id"]
    tab = open_tab(daemon)
    whole(tab, session)
    style = """() => {
      const face = document.querySelector(".screen:not([hidden]) .face:not(.behind)")
      const green = [...face.querySelectorAll(".xterm-rows span")].find((part) => part.textContent.includes("green"))
      const colour = (of) => getComputedStyle(of).color
      const mouse = face.querySelector(".enable-mouse-events") !== null
      return green && [colour(face.querySelector(".xterm-rows")), colour(green), mouse]
    }"""
    for _ in range(2):
        tab.until(lambda: tab.page.evaluate(style) == ["rgb(255, 0, 0)", "rgb(18, 52, 86)", True], "colours and mouse")
        tab.page.reload()
        whole(tab, session)
