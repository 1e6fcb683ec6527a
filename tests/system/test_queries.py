"""One answerer: every question gets its one answer from the worker, in order, whoever watches."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.system import asker
from tests.system.client import Client, Json
from tests.system.conftest import DaemonProcess
from tests.system.native_terminal import NativeTerminal
from tests.system.web_client import WebClient
from tests.terminal.queries import ANSWERS, STARTS
from tests.waiting import wait_until

ROWS, COLS = 24, 80
# A question of its own, whose answer shows that all answers before it have come.
LAST, LAST_ANSWER = b"\x1b[?4242$p", b"\x1b[?4242;0$y"
# As a fresh terminal: modes, cursor, keyboard and title, then the colours, which a reset leaves.
FRESH = b"\x1bc\x1b]104\x1b\\\x1b]110\x1b\\\x1b]111\x1b\\\x1b]112\x1b\\"
COLOURS = {"foreground": "#010203", "cursor": "#0a0b0c"}
LIGHT: Json = {**COLOURS, "background": "#fefdfc", "scheme": "light", "palette": ["#111213"]}
DARK: Json = {**COLOURS, "foreground": "#c0c1c2", "background": "#101112", "scheme": "dark"}
LIMIT_S = 60.0


class Asker:
    """The program in a session, and those who watch it."""

    def __init__(self, daemon: DaemonProcess, folder: Path, stack: ExitStack, **spawn: object) -> None:
        self.client = daemon.client()
        orders, self.log = folder / "orders", folder / "log"
        os.mkfifo(orders)
        self.log.touch()
        argv = [sys.executable, asker.__file__, str(orders), str(self.log)]
        self.session = self.client.spawn(*argv, rows=ROWS, cols=COLS, **spawn)["id"]
        self.orders = stack.enter_context(orders.open("w"))
        self.count = 0
        self.terminals: list[NativeTerminal] = []

    def order(self, ask: bytes, until: bytes = LAST_ANSWER) -> None:
        self.orders.write(json.dumps({"ask": ask.hex(), "until": until.hex()}) + "\n")
        self.orders.flush()
        self.count += 1

    def seen(self) -> bytes:
        """What the program read after the last order. The terminals of people who watch go on living meanwhile."""

        def done() -> bool:
            for terminal in self.terminals:
                terminal.pump()
            return len(self.log.read_text().splitlines()) >= self.count

        wait_until(done, LIMIT_S, "the program's note")
        return bytes.fromhex(json.loads(self.log.read_text().splitlines()[self.count - 1])["seen"])

    def answer(self, ask: bytes) -> bytes:
        self.order(ask + LAST)
        seen = self.seen()
        assert seen.endswith(LAST_ANSWER), (ask, seen)
        return seen.removesuffix(LAST_ANSWER)


@pytest.fixture(params=[0, 1, 3], ids=lambda count: f"{count}-clients")
def watched(daemon: DaemonProcess, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Asker]:
    """Nobody; a person's own terminal, which would answer if it were asked; that, a page and a script."""
    with ExitStack() as stack:
        one = Asker(daemon, tmp_path, stack)
        if request.param:
            command = [sys.executable, "-m", "attn", "attach", one.session]
            env = {**daemon.env, "TERM": "xterm-256color"}
            terminal = stack.enter_context(NativeTerminal(command, env, ROWS, COLS))
            one.terminals.append(terminal)
            terminal.until(lambda: b"\n" * ROWS in terminal.written.replace(b"\r", b""), "first frame")
        if request.param == 3:
            page = stack.enter_context(WebClient(daemon))
            page.attach(one.session, rows=ROWS, cols=COLS)
            one.client.attach(one.session)
        yield one


def test_every_question_gets_exactly_its_answer(watched: Asker) -> None:
    found = {question: watched.answer(FRESH + question) for question in ANSWERS}
    assert found == ANSWERS
    asked, answers = zip(*STARTS.values(), strict=True)
    assert watched.answer(b"".join(FRESH + each for each in asked)) == b"".join(answers)


def test_answers_and_keys_keep_their_order_and_never_mix(watched: Asker, daemon: DaemonProcess) -> None:
    one = b"\x1b[6n\x1b[c\x1b]11;?\x07\x1b[?u"
    answers = b"\x1b[1;1R\x1b[?62;22c\x1b]11;rgb:1e1e/1e1e/1e1e\x07\x1b[?0u"
    typist = daemon.client()
    stream = typist.attach(watched.session)
    watched.order(one * 100, until=b"Z")
    for _ in range(200):
        typist.type(stream, b"xyxyx")
    typist.until(lambda: stream.data.endswith(one), LIMIT_S)  # it was asked; the last key comes after all answers
    typist.type(stream, b"Z")
    seen = watched.seen()
    assert re.fullmatch(rb"(?:[xy]|%s)*Z" % re.escape(answers), seen), seen[:300]
    assert seen.count(answers) == 100
    assert seen.replace(answers, b"") == b"xyxyx" * 200 + b"Z"


def test_colours_are_those_of_the_client_used_last_and_a_default_before(daemon: DaemonProcess, tmp_path: Path) -> None:
    with ExitStack() as stack:
        one = Asker(daemon, tmp_path, stack)
        assert one.answer(b"\x1b]11;?\x07") == b"\x1b]11;rgb:1e1e/1e1e/1e1e\x07"
        light, dark = _with_theme(daemon, LIGHT), _with_theme(daemon, DARK)
        bright = light.attach(one.session)
        assert one.answer(b"\x1b]4;0;?\x07") == b"\x1b]4;0;rgb:1111/1212/1313\x07"
        assert one.answer(b"\x1b]11;?\x07\x1b[?996n") == b"\x1b]11;rgb:fefe/fdfd/fcfc\x07\x1b[?997;2n"
        dim = dark.attach(one.session)
        assert one.answer(b"\x1b]10;?\x07\x1b]11;?\x07") == (
            b"\x1b]10;rgb:c0c0/c1c1/c2c2\x07\x1b]11;rgb:1010/1111/1212\x07"
        )
        one.order(b"", until=b"k")
        light.type(bright, b"k")
        assert one.seen() == b"k"
        assert one.answer(b"\x1b]12;?\x1b\\\x1b[?996n") == b"\x1b]12;rgb:0a0a/0b0b/0c0c\x1b\\\x1b[?997;2n"
        light.request("detach_session", handle=bright.handle)
        dark.request("detach_session", handle=dim.handle)
        # Nobody looks: what was true last is the best guess.
        assert one.answer(b"\x1b[?996n") == b"\x1b[?997;2n"


def test_the_colours_of_a_persons_own_terminal_reach_the_program(daemon: DaemonProcess, tmp_path: Path) -> None:
    with ExitStack() as stack:
        one = Asker(daemon, tmp_path, stack)
        command = [sys.executable, "-m", "attn", "attach", one.session]
        terminal = NativeTerminal(command, {**daemon.env, "TERM": "xterm-256color"}, ROWS, COLS)
        terminal.emulator.set_theme("#010203", "#fefdfc", "#0a0b0c", "light")
        one.terminals.append(stack.enter_context(terminal))
        light = b"\x1b]11;rgb:fefe/fdfd/fcfc\x07\x1b[?997;2n"
        wait_until(lambda: one.answer(b"\x1b]11;?\x07\x1b[?996n") == light, LIMIT_S, "its colours")
        # What the program sets is the terminal's own again afterwards, also where that was set by a sequence before.
        terminal.emulator.feed(b"\x1b]11;#405060\x07")
        assert one.answer(b"\x1b]11;#112233\x07\x1b]11;?\x07") == b"\x1b]11;rgb:1111/2222/3333\x07"
        terminal.until(lambda: b"\x1b]11;#112233" in terminal.written, "the colour")
        terminal.type(b"\x1c\x1c")
        assert terminal.wait() == 0
        terminal.emulator.take_replies()
        terminal.emulator.feed(b"\x1b]11;?\x07")
        assert terminal.emulator.take_replies() == b"\x1b]11;rgb:fefe/fdfd/fcfc\x07"


def test_without_clients_a_size_is_reported_and_a_resize_told_at_once(daemon: DaemonProcess, tmp_path: Path) -> None:
    with ExitStack() as stack:
        one = Asker(daemon, tmp_path, stack)
        assert one.answer(b"\x1b[18t\x1b[?2048h") == b"\x1b[8;24;80t\x1b[48;24;80;384;640t"
        one.client.request("resize_session", session=one.session, rows=30, cols=100)
        # As codex after SIGWINCH: it asks where the cursor is, and does nothing until it knows.
        assert one.answer(b"\x1b[6n\x1b[18t\x1b[14t") == (
            b"\x1b[48;30;100;480;800t\x1b[1;1R\x1b[8;30;100t\x1b[4;480;800t"
        )


def _with_theme(daemon: DaemonProcess, theme: Json) -> Client:
    client = Client(daemon.home.daemon_socket)
    daemon.clients.append(client)
    client.hello(theme=theme)
    return client
