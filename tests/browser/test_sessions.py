"""The main job in a page: start, type, leave, come back, and nothing is lost when the daemon is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.conftest import OpenTab
from tests.browser.tab import Tab
from tests.system.conftest import DaemonProcess

SHELL = ("bash", "--norc", "-i")


def test_a_session_is_started_from_the_dialog_and_echoes(tab: Tab, tmp_path: Path) -> None:
    (tmp_path / "projects").mkdir()
    tab.page.get_by_role("button", name="New session").click()
    dialog = tab.page.get_by_role("dialog", name="New session")
    dialog.get_by_text("Shell").click()
    directory = dialog.get_by_label("Directory")
    directory.fill(f"{tmp_path}/pro")
    dialog.get_by_role("option").first.wait_for()
    directory.press("Tab")
    assert directory.input_value() == f"{tmp_path}/projects/"
    dialog.get_by_label("Label").fill("from the page")
    dialog.get_by_label("Label").press("Enter")
    dialog.wait_for(state="hidden")
    session = tab.until(lambda: tab.selected, "the new session to be chosen")
    tab.run("pwd; echo $((6*7))")
    assert f"{tmp_path}/projects\n42" in tab.until_text(session, "\n42")
    assert tab.row("from the page").is_visible()


def test_what_cannot_be_started_is_said_in_the_dialog(tab: Tab) -> None:
    tab.press("Control+Shift+Enter")
    dialog = tab.page.get_by_role("dialog", name="New session")
    dialog.get_by_text("Shell").click()
    dialog.get_by_label("Directory").fill("/nowhere/at/all")
    dialog.get_by_role("button", name="Start").click()
    dialog.get_by_role("alert").wait_for()
    assert "/nowhere/at/all" in dialog.get_by_role("alert").inner_text()
    dialog.get_by_label("Arguments").fill("'not closed")
    dialog.get_by_role("button", name="Start").click()
    tab.until(lambda: "not closed" in dialog.get_by_role("alert").inner_text(), "the reason")
    assert tab.daemon.client().sessions == {}


def test_a_reload_shows_the_same_frame(tab: Tab) -> None:
    session = tab.daemon.client().spawn(*SHELL, label="kept")["id"]
    tab.choose("kept")
    tab.run("seq 200; printf '\\e[1;31mred\\e[0m \\u65e5\\u672c'")
    tab.until_text(session, "日本")
    before, offset = tab.frame(session), tab.page.evaluate("id => window.attn.offset(id)", session)
    tab.page.reload()
    tab.until(lambda: tab.connection == "open", "the page to connect")
    tab.until(lambda: tab.page.evaluate("id => window.attn.offset(id)", session) == offset, "the same offset")
    tab.until(lambda: tab.frame(session) == before, "the same frame")
    tab.until_text(session, "\n1\n2\n3\n")  # the scrollback follows the frame


def test_a_killed_daemon_is_found_again_and_typing_goes_on(tab: Tab) -> None:
    session = tab.daemon.client().spawn(*SHELL, label="steady")["id"]
    tab.choose("steady")
    tab.run("echo before")
    before = tab.until_text(session, "\nbefore")
    room = tab.page.locator(".screens").bounding_box()
    tab.daemon.kill()
    tab.until(lambda: tab.connection != "open", "the page to notice")
    tab.page.get_by_text("Reconnecting to attn").wait_for()
    assert tab.text(session) == before, "what is shown stays"
    assert tab.page.locator(".screens").bounding_box() == room, "or the program would be resized"
    tab.daemon.start()
    tab.until(lambda: tab.connection == "open", "the page to reconnect")
    tab.page.get_by_text("Reconnecting to attn").wait_for(state="hidden")
    tab.run("echo after")
    assert tab.until_text(session, "\nafter").startswith(before.rstrip()), "the stream goes on where it stopped"


# Done to the second attach of a page, which asks for the scrollback that its first frame came without.
FATES = {
    "lost with the link": "this.close()",
    "refused": """this.onmessage({ data: JSON.stringify({
      type: "error", id: JSON.parse(message).id, code: "too_many_requests", message: "", remedy: "", retryable: true,
    }) })""",
}
SECOND_ATTACH = """
let attaches = 0
const send = WebSocket.prototype.send
WebSocket.prototype.send = function (message) {
  if (typeof message !== "string" || JSON.parse(message).type !== "attach_session" || ++attaches !== 2)
    return send.call(this, message)
  window.fateMet = true
  %s
}
"""


@pytest.mark.parametrize("fate", FATES)
def test_the_scrollback_comes_though_asking_for_it_failed(tab: Tab, fate: str) -> None:
    session = tab.daemon.client().spawn(*SHELL, label="deep")["id"]
    tab.choose("deep")
    tab.run("seq 200; echo done")
    tab.until_text(session, "\ndone")
    tab.page.add_init_script(SECOND_ATTACH % FATES[fate])
    tab.page.reload()
    tab.until(lambda: tab.page.evaluate("window.fateMet"), "the second attach")
    tab.until_text(session, "\n1\n2\n3\n")
    tab.run("echo again")
    tab.until_text(session, "\nagain")


# A page acknowledges what is on its screen.
COUNT_ACKS = """() => {
  window.acks = 0
  const send = WebSocket.prototype.send
  WebSocket.prototype.send = function (message) {
    if (typeof message === "string" && JSON.parse(message).type === "pty_ack") window.acks++
    return send.call(this, message)
  }
}"""


def test_an_ended_session_stays_as_it_is_shown(tab: Tab) -> None:
    client = tab.daemon.client()
    session = client.spawn("bash", "-c", "seq 100; read; echo end", label="ending")["id"]
    tab.choose("ending")
    tab.until_text(session, "\n100")
    tab.press("Enter")
    tab.until_text(session, "\nend")
    client.until(lambda: client.state(session) == "exited")
    tab.page.evaluate("id => new Promise((done) => window.attn.terminal(id).write('only here', done))", session)
    tab.page.evaluate(COUNT_ACKS)
    for restarts in (1, 2):
        tab.daemon.restart()
        tab.until(lambda count=restarts: tab.page.evaluate("window.acks") == count, "the kept screen to be answered")
    assert "only here" in tab.text(session)


def test_typing_works_at_once_after_a_reload(tab: Tab) -> None:
    client = tab.daemon.client()
    client.spawn(*SHELL, label="first")
    session = client.spawn(*SHELL, label="second")["id"]
    tab.choose("second")
    tab.page.reload()
    tab.until(lambda: tab.connection == "open", "the page to connect")
    tab.run("echo at-once")
    tab.until_text(session, "\nat-once")
    assert tab.selected == session


def test_the_keyboard_goes_with_the_session_however_it_is_switched(tab: Tab) -> None:
    client = tab.daemon.client()
    one, two, three = (client.spawn(*SHELL, label=label)["id"] for label in ("first", "second", "third"))
    tab.choose("first")
    tab.press("Control+Shift+BracketLeft")
    tab.run("echo by-key")
    tab.until_text(three, "\nby-key")
    tab.page.evaluate("id => { location.hash = `session=${id}` }", two)
    tab.until(lambda: tab.selected == two, "the session of the address")
    tab.run("echo by-address")
    tab.until_text(two, "\nby-address")
    client.request("remove_session", session=two, force=True)
    tab.until(lambda: tab.selected not in ("", two), "a neighbour")
    neighbour = tab.selected
    tab.run("echo by-removal")
    tab.until_text(neighbour, "\nby-removal")
    tab.press("Control+Shift+KeyX")
    tab.page.get_by_role("dialog", name="End").wait_for()
    tab.press("Enter")
    client.until(lambda: client.state(neighbour) == "exited")
    tab.press("Control+Shift+KeyX")
    tab.page.get_by_role("dialog", name="Remove").wait_for()
    tab.press("Enter")
    tab.until(lambda: tab.selected not in ("", neighbour), "the last one")
    tab.run("echo by-dialog")
    tab.until_text(({one, three} - {neighbour}).pop(), "\nby-dialog")


def test_sessions_keep_their_own_screens(tab: Tab) -> None:
    client = tab.daemon.client()
    one, two = (client.spawn(*SHELL, label=label)["id"] for label in ("first", "second"))
    tab.choose("first")
    tab.run("echo in-one")
    tab.until_text(one, "\nin-one")
    tab.press("Control+Shift+BracketRight")
    tab.until(lambda: tab.selected == two, "the next session")
    tab.run("echo in-two")
    tab.until_text(two, "\nin-two")
    tab.press("Control+Shift+Digit1")
    tab.until(lambda: tab.selected == one, "the first session")
    assert "in-two" not in tab.text(one)
    tab.run("echo again")
    tab.until_text(one, "\nagain")


def test_rename_end_and_remove_by_keyboard(tab: Tab) -> None:
    client = tab.daemon.client()
    session = client.spawn(*SHELL, label="draft")["id"]
    tab.choose("draft")
    tab.press("Control+Shift+KeyU")
    field = tab.page.get_by_label("Name of the session")
    field.fill("final")
    field.press("Enter")
    tab.row("final").wait_for()
    client.until(lambda: client.sessions[session]["label"] == "final")
    tab.press("Control+Shift+KeyL")
    tab.press("Delete")
    tab.page.get_by_role("dialog").get_by_text("End program").wait_for()
    tab.press("Enter")
    client.until(lambda: client.state(session) == "exited")
    tab.page.get_by_text("Ended by signal").wait_for()
    tab.press("Control+Shift+KeyX")
    tab.page.get_by_role("dialog", name="Remove").wait_for()
    tab.press("Enter")
    client.until(lambda: session not in client.sessions)
    tab.page.get_by_text("Start something").wait_for()


def test_a_page_without_a_login_says_what_to_do(tab: Tab, daemon: DaemonProcess) -> None:
    tab.page.context.clear_cookies()
    tab.page.reload()
    tab.until(lambda: tab.connection == "unauthorized", "the page to know")
    assert "attn open" in tab.page.get_by_role("alert").inner_text()
    tab.complaints.clear()  # the browser reports the refused upgrades
    tab.page.goto(f"http://127.0.0.1:{daemon.home.port.read_text().strip()}/#login=wrong")
    tab.page.get_by_text("used already").wait_for()
    assert "login=" not in tab.page.url
    tab.complaints.clear()


def test_two_pages_show_the_same_and_one_decides_the_size(open_tab: OpenTab, daemon: DaemonProcess) -> None:
    desk = open_tab(daemon)
    session = daemon.client().spawn(*SHELL, label="shared")["id"]
    desk.choose("shared")
    desk.run("echo from-the-desk")
    desk.until_text(session, "\nfrom-the-desk")
    size = desk.frame(session)["size"]
    phone = open_tab(daemon, phone=True)
    phone.until_text(session, "\nfrom-the-desk")
    desk.run("echo desk-decides")
    desk.until_text(session, "\ndesk-decides")
    phone.until(lambda: phone.frame(session)["size"] == size, "the desk's size on the phone")
    phone.page.get_by_role("button", name="Take size").click()
    phone.until(lambda: phone.frame(session)["size"] != size, "the phone's size")
    desk.until(lambda: desk.frame(session)["size"] == phone.frame(session)["size"], "the phone's size at the desk")
    desk.page.get_by_text("as another client uses it").wait_for()


def test_after_a_start_by_mouse_the_keys_go_to_the_program(tab: Tab) -> None:
    tab.page.get_by_role("button", name="New session").click()
    dialog = tab.page.get_by_role("dialog", name="New session")
    dialog.get_by_text("Shell").click()
    dialog.get_by_role("button", name="Start").click()
    dialog.wait_for(state="hidden")
    session = tab.until(lambda: tab.selected, "the new session to be chosen")
    tab.run("echo $((6 * 7)) by mouse")
    tab.until_text(session, "42 by mouse")
