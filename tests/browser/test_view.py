"""What a page shows beside the terminal, at a desk and on a phone."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import pytest

from tests.browser.conftest import OpenTab
from tests.browser.tab import Tab
from tests.system.conftest import DaemonProcess, make_daemon

SHELL = ("bash", "--norc", "-i")
WIDE = "\u65e5\u672c\u8a9e \u4f60\u597d \ud55c\uae00 \U0001f600\U0001f680 caf\u00e9 e\u0301 \u2500\u2502 \u2705 \uff21"


def test_find_goes_through_the_scrollback(tab: Tab) -> None:
    session = tab.daemon.client().spawn(*SHELL, label="long")["id"]
    tab.choose("long")
    tab.run("seq -f 'line-%g' 500")
    tab.until_text(session, "line-500")
    tab.press("Control+Shift+KeyF")
    field = tab.page.get_by_label("Find in the scrollback")
    field.fill("line-42")
    tab.until(lambda: "/11" in tab.page.locator(".find-count").inner_text(), "eleven matches")
    field.fill("line-7$")
    tab.page.get_by_label("Regular expression").click()
    tab.until(lambda: tab.page.locator(".find-count").inner_text() == "1/1", "one match")
    field.fill("line-(")
    tab.page.get_by_text("invalid").wait_for()
    field.fill("line-7$")
    view = "id => { const b = window.attn.terminal(id).buffer.active; return b.baseY - b.viewportY }"
    tab.until(lambda: tab.page.evaluate(view, session) > 400, "the match in view")
    field.press("Escape")
    icon = tab.page.get_by_role("button", name="Find", exact=True)
    for shown in (True, False):
        icon.click()
        field.wait_for(state="visible" if shown else "hidden")
    tab.run("echo typed")
    tab.until_text(session, "\ntyped")


def test_wide_characters_stand_where_the_worker_has_them(tab: Tab) -> None:
    client = tab.daemon.client()
    session = client.spawn("bash", "--norc", "-c", f"printf '%s|' '{WIDE}'; read", label="wide")["id"]
    tab.choose("wide")
    tab.until_text(session, "|")
    shown = tab.frame(session)
    result, text = client.screen(session)
    assert shown["rows"][0] == text.decode().splitlines()[0] == f"{WIDE}|"
    assert shown["cursor"] == [0, result["cursor"]["col"]], "every character is as wide as in the worker"


@pytest.fixture
def troubled() -> Iterator[DaemonProcess]:
    """A daemon whose login shell tells no environment."""
    daemon = make_daemon({"SHELL": "/bin/false"})
    try:
        yield daemon.start()
    finally:
        daemon.close()


def test_conditions_are_shown_made_small_and_never_dismissed(open_tab: OpenTab, troubled: DaemonProcess) -> None:
    tab = open_tab(troubled)
    banner = tab.page.get_by_label("Conditions")
    banner.wait_for()
    condition = next(c for c in troubled.client().conditions if c["code"] == "login_environment")
    text = banner.inner_text()
    [command] = condition["commands"]
    assert command.endswith("attn daemon restart")
    assert condition["title"] in text and condition["detail"] in text and command in text
    banner.get_by_role("button", name=f"Copy: {command}").click()
    assert tab.page.evaluate("navigator.clipboard.readText()") == command
    banner.get_by_role("button", expanded=True).click()
    assert condition["detail"] not in banner.inner_text() and condition["title"] in banner.inner_text()
    tab.page.reload()
    banner.wait_for()
    assert condition["detail"] not in banner.inner_text(), "small in this window still"


def test_colours_follow_the_system_and_the_button(open_tab: OpenTab, daemon: DaemonProcess) -> None:
    tab = open_tab(daemon, scheme="light")
    scheme = "document.documentElement.dataset.scheme"
    assert tab.page.evaluate(scheme) == "light"
    tab.page.emulate_media(color_scheme="dark")
    tab.until(lambda: tab.page.evaluate(scheme) == "dark", "the system's dark")
    tab.page.get_by_role("button", name="Colours: as the system").click()
    assert tab.page.evaluate(scheme) == "light"
    tab.page.reload()
    assert tab.page.evaluate(scheme) == "light", "the choice is kept"


def test_programs_are_told_the_colours_of_the_page(tab: Tab) -> None:
    client = tab.daemon.client()
    session = client.spawn(*SHELL, label="asking")["id"]
    tab.choose("asking")
    ask = r"""stty raw -echo; printf '\e]11;?\a'; IFS= read -rd $'\a' answer; stty sane; echo "${answer#?}"; """
    tab.run(ask)
    assert "rgb:0e0e/1111/1414" in tab.until_text(session, "rgb:")


def test_the_sheet_of_keys_opens_outside_the_terminal_only(tab: Tab) -> None:
    session = tab.daemon.client().spawn(*SHELL, label="shell")["id"]
    tab.choose("shell")
    tab.type("?")
    tab.until(lambda: tab.text(session).endswith("?"), "a typed question mark")
    tab.press("Control+Shift+KeyL", "?")
    tab.page.get_by_role("dialog", name="Keyboard").wait_for()
    tab.press("Escape")
    tab.page.get_by_role("dialog", name="Keyboard").wait_for(state="hidden")
    tab.press("Control+Shift+Slash")
    tab.page.get_by_role("dialog", name="Keyboard").wait_for()


def test_copy_takes_the_selection(tab: Tab) -> None:
    session = tab.daemon.client().spawn(*SHELL, label="shell")["id"]
    tab.choose("shell")
    tab.run("echo copy-me")
    tab.until_text(session, "\ncopy-me")
    tab.page.evaluate("id => window.attn.terminal(id).select(0, 1, 7)", session)
    tab.press("Control+Shift+KeyC")
    tab.until(lambda: tab.page.evaluate("navigator.clipboard.readText()") == "copy-me", "the copied text")


def test_the_font_grows_and_the_program_gets_fewer_columns(tab: Tab) -> None:
    session = tab.daemon.client().spawn(*SHELL, label="shell")["id"]
    tab.choose("shell")
    cols = tab.until(lambda: tab.frame(session)["size"][1], "a size")
    for _ in range(4):
        tab.press("Control+Shift+Equal")
    tab.until(lambda: tab.frame(session)["size"][1] < cols, "fewer columns")
    tab.run("echo $COLUMNS.")
    tab.until_text(session, f"\n{tab.frame(session)['size'][1]}.")


def test_webgl_draws_where_it_is_asked_for(tab: Tab) -> None:
    session = tab.daemon.client().spawn(*SHELL, label="gl")["id"]
    tab.page.evaluate("localStorage.setItem('attn.renderer', 'webgl')")
    tab.page.reload()
    tab.until_text(session, "bash")
    tab.run("printf '\\e[48;2;255;0;0m\\e[2J\\e[H'")
    tab.until(lambda: tab.page.locator(".screen:not([hidden]) canvas").count() > 0, "a canvas")
    box = tab.page.locator(".screen:not([hidden]) .xterm-screen").bounding_box()
    assert box is not None
    clip = {"x": box["x"] + 200, "y": box["y"] + 200, "width": 1, "height": 1}
    tab.until(lambda: pixel(tab.page.screenshot(clip=clip)) == (255, 0, 0), f"red in {session}")


def pixel(png: bytes) -> tuple[int, ...]:
    """Red, green and blue of a picture of one pixel: a row of it is a filter byte and the colours."""
    data, at = b"", 8
    while at < len(png):
        length, kind = int.from_bytes(png[at : at + 4]), png[at + 4 : at + 8]
        data += png[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
        at += length + 12
    return tuple(zlib.decompress(data)[1:4])


def test_links_open_only_after_asking(tab: Tab) -> None:
    session = tab.daemon.client().spawn(*SHELL, label="links")["id"]
    tab.choose("links")
    tab.run(r"clear; printf '\e]8;;https://example.org/hidden\e\\text\e]8;;\e\\ javascript:alert(1)\n'")
    tab.until_text(session, "text javascript")
    box = tab.page.locator(".screen:not([hidden]) .xterm-screen").bounding_box()
    assert box is not None
    spot = (box["x"] + 12, box["y"] + 8)
    tab.page.mouse.move(*spot)
    tab.page.get_by_text("https://example.org/hidden").wait_for()
    tab.page.keyboard.down("Control")
    tab.page.mouse.click(*spot)
    tab.page.keyboard.up("Control")
    dialog = tab.page.get_by_role("dialog", name="Open this link?")
    dialog.wait_for()
    assert "https://example.org/hidden" in dialog.inner_text()
    dialog.get_by_role("button", name="Cancel").click()


def test_a_phone_has_a_drawer_and_the_missing_keys(open_tab: OpenTab, daemon: DaemonProcess) -> None:
    client = daemon.client()
    one = client.spawn(*SHELL, label="pocket")["id"]
    client.spawn("cat", label="other")
    tab = open_tab(daemon, phone=True)
    tab.until_text(one, "bash")
    assert tab.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    tab.page.get_by_role("button", name="Sessions").click()
    tab.row("other").click()
    tab.until(lambda: tab.selected != one, "the other session")
    tab.page.get_by_role("button", name="Sessions").click()
    tab.row("pocket").click()
    tab.type("sleep 100")
    tab.press("Enter")
    keys = tab.page.get_by_role("toolbar", name="Keys")
    keys.get_by_role("button", name="Control").click()
    tab.type("c")
    tab.until_text(one, "^C")
    tab.run("echo up-arrow")
    tab.until_text(one, "\nup-arrow")
    keys.get_by_role("button", name="Up", exact=True).click()
    tab.until(lambda: tab.text(one).count("echo up-arrow") == 2, "the line before")


# The parts of a dialog that stand beside it.
OUTSIDE = """() => {
  const { left, right } = document.querySelector("dialog").getBoundingClientRect()
  const boxes = [...document.querySelectorAll("dialog *")].map((part) => part.getBoundingClientRect())
  return boxes.filter((box) => box.right > right || box.left < left).length
}"""


@pytest.mark.parametrize(("keys", "part"), [("Enter", "Shell"), ("Slash", "In the list"), ("KeyX", "End and remove")])
def test_dialogs_fit_a_phone(open_tab: OpenTab, daemon: DaemonProcess, keys: str, part: str) -> None:
    session = daemon.client().spawn(*SHELL, label="pocket")["id"]
    tab = open_tab(daemon, phone=True)
    tab.until(lambda: tab.selected == session, "the session")
    tab.press(f"Control+Shift+{keys}")
    tab.page.get_by_role("dialog").get_by_text(part).wait_for()
    assert tab.page.evaluate(OUTSIDE) == 0
