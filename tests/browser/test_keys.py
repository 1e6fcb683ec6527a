"""What a program receives for keys, pastes and focus, and that the page never answers a query."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

from tests.browser.tab import Tab

PRINTER = Path(__file__).with_name("key_printer.py")
PASTE = """text => {
  const data = new DataTransfer()
  data.setData("text/plain", text)
  const event = new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true })
  document.activeElement.dispatchEvent(event)
}"""


def printer(tab: Tab, modes: str = "") -> str:
    """Starts the program that prints its input, in the modes that it sets first; the session's id."""
    session = str(tab.daemon.client().spawn(sys.executable, str(PRINTER), modes, label="printer")["id"])
    tab.choose("printer")
    tab.until_text(session, "ready")
    return session


def received(tab: Tab, session: str, count: int) -> list[str]:
    """The first `count` things that arrived."""
    printed = lambda: tab.text(session).partition("ready")[2].strip().splitlines()  # noqa: E731
    try:
        tab.until(lambda: len(printed()) >= count, f"{count} keys")
    except AssertionError as error:
        raise AssertionError(f"{error}; there are {printed()}") from None
    return printed()[:count]


def until_arrived(tab: Tab, session: str, expected: bytes) -> None:
    """Exactly these bytes arrive, in as many reads as it takes."""

    def arrived() -> bytes:
        return b"".join(ast.literal_eval(line) for line in tab.text(session).partition("ready")[2].strip().splitlines())

    tab.until(lambda: len(arrived()) >= len(expected), f"{expected!r}")
    assert arrived() == expected


# key, with xterm's bytes, with the kitty flag "disambiguate"
KEYS = (
    ("a", b"a", b"a"),
    ("Shift+A", b"A", b"A"),
    ("Enter", b"\r", b"\r"),
    ("Shift+Enter", b"\r", b"\x1b[13;2u"),
    ("Escape", b"\x1b", b"\x1b[27u"),
    ("Control+c", b"\x03", b"\x1b[99;5u"),
    ("Control+v", b"\x16", b"\x1b[118;5u"),
    ("Alt+x", b"\x1bx", b"\x1b[120;3u"),
    ("Alt+Enter", b"\x1b\r", b"\x1b[13;3u"),
    ("Control+ArrowLeft", b"\x1b[1;5D", b"\x1b[1;5D"),
    ("ArrowUp", b"\x1b[A", b"\x1b[A"),
    ("Tab", b"\t", b"\t"),
    ("Shift+Tab", b"\x1b[Z", b"\x1b[9;2u"),
    ("Backspace", b"\x7f", b"\x7f"),
    ("F5", b"\x1b[15~", b"\x1b[15~"),
)


def pressed(tab: Tab, session: str) -> dict[str, str]:
    """What arrived for each of KEYS."""
    arrived = {}
    for number, (key, *_) in enumerate(KEYS, 1):
        tab.press(key)
        arrived[key] = received(tab, session, number)[-1]
    return arrived


def test_keys_are_xterms_bytes_by_default(tab: Tab) -> None:
    assert pressed(tab, printer(tab)) == {key: repr(plain) for key, plain, _ in KEYS}


def test_keys_are_kitty_events_when_the_program_asks(tab: Tab) -> None:
    assert pressed(tab, printer(tab, "\\x1b[>1u")) == {key: repr(kitty) for key, _, kitty in KEYS}


def test_repeats_and_releases_are_told_when_the_program_asks(tab: Tab) -> None:
    session = printer(tab, "\\x1b[>3u")
    tab.page.keyboard.down("ArrowUp")
    tab.page.keyboard.down("ArrowUp")
    tab.page.keyboard.up("ArrowUp")
    until_arrived(tab, session, b"\x1b[1;1:1A\x1b[1;1:2A\x1b[1;1:3A")


def test_modify_other_keys_and_the_way_back(tab: Tab) -> None:
    session = printer(tab, "\\x1b[>4;2m")
    tab.press("Shift+Enter")
    assert received(tab, session, 1) == [repr(b"\x1b[27;2;13~")]


def test_composed_text_and_pastes_arrive_as_text(tab: Tab) -> None:
    session = printer(tab, "\\x1b[>1u\\x1b[?2004h")
    tab.page.keyboard.insert_text("\u65e5\u672c")
    assert received(tab, session, 1) == [repr("\u65e5\u672c".encode())]
    tab.page.evaluate(PASTE, "two\nlines \x1b[201~ \u00e9")
    assert received(tab, session, 2)[1] == repr("\x1b[200~two\rlines [201~ \u00e9\x1b[201~".encode())


def test_the_mouse_is_reported_when_the_program_asks(tab: Tab) -> None:
    session = printer(tab, "\\x1b[?1000h\\x1b[?1006h")
    screen = tab.page.locator(".screen:not([hidden]) .xterm-screen")
    screen.click(position={"x": 3, "y": 3})
    until_arrived(tab, session, b"\x1b[<0;1;1M\x1b[<0;1;1m")


def test_a_paste_larger_than_a_message_arrives_whole(tab: Tab) -> None:
    count = "stty raw -echo; echo ready; head -c 1500001 | wc -c; sleep 60"
    session = tab.daemon.client().spawn("bash", "-c", count, label="big")["id"]
    tab.choose("big")
    tab.until_text(session, "ready")
    tab.page.evaluate(PASTE, "\u65e5" * 500_000 + "\n")
    tab.until_text(session, "1500001")


def test_shortcuts_of_the_page_do_not_reach_the_program(tab: Tab) -> None:
    session = printer(tab, "\\x1b[>1u")
    tab.press("Control+Shift+KeyF")
    tab.page.get_by_label("Find in the scrollback").wait_for()
    tab.press("Escape", "Control+Shift+Equal", "Control+Shift+Digit0", "x")
    assert received(tab, session, 1) == [repr(b"x")]


QUERIES = (
    "\x1b[c\x1b[>c\x1b[=c\x1bZ\x1b[5n\x1b[6n\x1b[?6n\x1b[?996n\x1b[?2026$p\x1b[4$p\x1bP$qm\x1b\\\x1bP+q544e\x1b\\"
    "\x1b]10;?\x07\x1b]11;?\x1b\\\x1b]4;1;?\x07\x1b[>q\x1b[?u\x1b[14t\x1b[18t\x1b[x\x1b]52;c;?\x07"
    "\x1b]4;1;#102030;2;?\x07\x1b]10;#112233;?\x07\x1b[?1004h"
)
# Writes to a terminal as its stream does, and gives back what the page sent to the daemon meanwhile.
SENT_WHILE_WRITING = """async ([id, data]) => {
  const sent = [], send = WebSocket.prototype.send
  WebSocket.prototype.send = function (message) {
    if (typeof message !== "string") sent.push(new TextDecoder().decode(message.slice(13)))
    return send.call(this, message)
  }
  await new Promise((done) => window.attn.terminal(id).write(data, done))
  WebSocket.prototype.send = send
  return sent
}"""


def test_the_page_answers_no_query(tab: Tab) -> None:
    session = printer(tab)
    assert tab.page.evaluate(SENT_WHILE_WRITING, [session, QUERIES]) == []
    tab.type("x")
    assert received(tab, session, 1) == [repr(b"x")]


def test_a_program_gets_the_workers_answer_once_whoever_watches(tab: Tab) -> None:
    session = printer(tab, "\\x1b[5n")
    assert received(tab, session, 1) == [repr(b"\x1b[0n")]
    tab.page.reload()
    tab.until_text(session, "ready")
    tab.page.locator(".screen:not([hidden]) .xterm-screen").click()
    tab.type("x")
    assert received(tab, session, 2) == [repr(b"\x1b[0n"), repr(b"x")]


def test_focus_is_reported_when_a_person_moves_it(tab: Tab) -> None:
    session = printer(tab, "\\x1b[?1004h")
    tab.page.reload()
    tab.until_text(session, "ready")
    tab.press("Control+Shift+KeyL")
    tab.until_text(session, repr(b"\x1b[O"))
    tab.press("Enter")
    tab.until_text(session, repr(b"\x1b[I"))
    tab.type("x")
    assert tab.until_text(session, repr(b"x")).splitlines()[-3:] == [repr(b"\x1b[O"), repr(b"\x1b[I"), repr(b"x")]
