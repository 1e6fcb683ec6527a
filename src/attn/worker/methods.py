"""The methods of the worker protocol: what each does with the running session."""

from __future__ import annotations

import os
from _operator import _compare_digest as compare_digest  # hmac's own; its module brings all of OpenSSL with it
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import attn
from attn.terminal.emulator import SNAPSHOT_FORMAT
from attn.wire import worker_api as api
from attn.worker.host import Call, Close, Effect, Host, InputRefused
from attn.worker.loop import note, now_ms, wall_ms
from attn.worker.program import pty
from attn.worker.screen import FORMATS, NoScreen, Screen

if TYPE_CHECKING:
    from attn.worker.server import Worker

# The kernel's own type of a window size is 16 bits; beyond this no screen is made (core.session).
MAX_SIDE: Final = 1000
MAX_PIXELS: Final = 65535
# A line that the kernel edits holds this many bytes, the rest is silently lost (N_TTY_BUF_SIZE, termios(3)).
CANONICAL_LINE_BYTES: Final = 4095
ENTER_PAUSE_MS: Final = 300
# A program that reads takes a text at once, whatever its length; one that is stopped or busy for longer is named.
TAKE_MAX_MS: Final = 5000
READY_POLL_MS: Final = 50
# A TUI asks for bracketed pastes a moment after it left canonical mode; a text in between would come in as keys.
SETTLE_MS: Final = 300
SENDS_MAX: Final = 16
READY_MAX_MS: Final = 60_000

Json = dict[str, Any]


class MethodError(Exception):
    """An answer that is an error: code and message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def perform(worker: Worker, call: Call) -> list[Effect]:
    """Do what was asked and answer. Never raises: a request must not end a session."""
    try:
        return METHODS[call.method](worker, call)
    except MethodError as error:
        code, message = error.code, str(error)
    except NoScreen as error:
        code, message = "emulator_unavailable", str(error)
    except InputRefused as error:
        code, message = error.code, str(error)
    except Exception as error:  # noqa: BLE001 - a fault in one request must not end the program of a person
        note(f"{call.method} failed: {error!r}")
        code, message = "internal", f"{call.method} failed: {error!r}"
    refused = worker.host.refuse(call.connection, call.request_id, code, message)
    return [*refused, Close(call.connection)] if call.method == "hello" else refused


def _integer(params: Json, name: str, low: int, high: int, default: int | None = None) -> int:
    value = params.get(name, default)
    if type(value) is not int or not low <= value <= high:
        raise MethodError("bad_message", f"{name} is an integer from {low} to {high}")
    return value


def _history(params: Json) -> int | None:
    return None if params.get("history") is None else _integer(params, "history", 0, 1 << 32)


def _hello(worker: Worker, call: Call) -> list[Effect]:
    token, window = call.params.get("token"), call.params.get("protocol")
    if not isinstance(token, str) or not compare_digest(token.encode(), worker.token.encode()):
        raise MethodError("unauthorized", "the control token is not that of this session")
    if call.params.get("daemon_id") != worker.daemon_id:
        raise MethodError("wrong_daemon", "this session belongs to another daemon")
    if not (isinstance(window, list) and len(window) == 2 and all(type(number) is int for number in window)):
        raise MethodError("bad_message", "protocol is [min, max]")
    if window[0] > api.PROTOCOL_MAX or window[1] < api.PROTOCOL_MIN:
        raise MethodError(
            "protocol_mismatch", f"this worker speaks {api.PROTOCOL_MIN} to {api.PROTOCOL_MAX}, not {window}"
        )
    worker.host.welcome(call.connection)
    answer = {
        "session_id": worker.launch.session_id,
        "protocol": [api.PROTOCOL_MIN, api.PROTOCOL_MAX],
        "build": attn.__version__,
        "pid": os.getpid(),
        "snapshot_format": SNAPSHOT_FORMAT,
        "features": FEATURES,
    }
    return worker.host.answer(call.connection, call.request_id, answer)


def _info(worker: Worker, call: Call) -> list[Effect]:
    answer = state(worker.host, worker.screen, worker.program.pid)
    return worker.host.answer(call.connection, call.request_id, answer)


def state(host: Host, screen: Screen, pid: int) -> Json:
    """What `info` answers for the program `pid`."""
    return {
        "pid": pid,
        "rows": screen.rows,
        "cols": screen.cols,
        "offset": host.ring.end,
        "title": screen.title,
        "directory": screen.directory,
        "alternate_screen": screen.alternate_screen,
        "emulator": screen.emulator is not None,
        "last_output_at_ms": host.last_output_at_ms,
        "exit": None if host.exit is None else host.exit._asdict(),
    }


def _keys(worker: Worker, call: Call) -> list[Effect]:
    events = call.params.get("events")
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        raise MethodError("bad_message", "events is a list of key events")
    try:
        data = worker.screen.encode_keys(events)
    except ValueError as error:
        raise MethodError("bad_message", str(error)) from error
    worker.type(data)
    return worker.host.answer(call.connection, call.request_id, {})


def _send(worker: Worker, call: Call) -> list[Effect]:
    text, enter = call.params.get("text"), call.params.get("enter", False)
    if not isinstance(text, str) or not isinstance(enter, bool):
        raise MethodError("bad_message", "text is a string, enter true or false")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise MethodError("bad_message", f"text is no Unicode: {error.reason}") from error
    ready_ms = _integer(call.params, "ready_ms", 0, READY_MAX_MS, 0)
    worker.sender.add(Sending(call.connection, call.request_id, text, enter, now_ms() + ready_ms))
    return []


def _resize(worker: Worker, call: Call) -> list[Effect]:
    try:
        rows, cols = (_integer(call.params, name, 1, MAX_SIDE) for name in ("rows", "cols"))
    except MethodError as error:
        raise MethodError("invalid_size", str(error)) from error
    width_px, height_px = (_integer(call.params, name, 0, MAX_PIXELS, 0) for name in ("width_px", "height_px"))
    answer = worker.resize(rows, cols, width_px, height_px)
    return worker.host.answer(call.connection, call.request_id, answer)


def _signal(worker: Worker, call: Call) -> list[Effect]:
    if call.params.get("ladder") is True:
        return _remove(worker, call)
    number = _integer(call.params, "signal", 1, 64)
    if worker.host.exit is not None:
        raise MethodError("exited", "the program has ended")
    os.killpg(pty.foreground(worker.program.master) or worker.program.pid, number)
    return worker.host.answer(call.connection, call.request_id, {})


def _remove(worker: Worker, call: Call) -> list[Effect]:
    # Acknowledged first: what follows takes seconds, and may end this very connection.
    worker.end_programs()
    return worker.host.answer(call.connection, call.request_id, {})


def _snapshot(worker: Worker, call: Call) -> list[Effect]:
    since = None if call.params.get("since") is None else _integer(call.params, "since", 0, 1 << 63)
    head, slices = worker.screen.snapshot(since, _history(call.params), wall_ms())
    return worker.host.bulk(call.connection, call.request_id, head, slices)


def _screen(worker: Worker, call: Call) -> list[Effect]:
    form = call.params.get("format")
    if form not in FORMATS:
        raise MethodError("bad_message", f"format is one of {', '.join(FORMATS)}")
    head, slices = worker.screen.show(form, _history(call.params), wall_ms())
    return worker.host.bulk(call.connection, call.request_id, head, slices)


def _theme(worker: Worker, call: Call) -> list[Effect]:
    colors = [call.params.get(name) for name in ("foreground", "background", "cursor", "scheme")]
    palette = call.params.get("palette", [])
    if not all(isinstance(color, str) for color in colors):
        raise MethodError("bad_message", "a theme has foreground, background, cursor and scheme")
    if not isinstance(palette, list) or not all(isinstance(color, str) for color in palette):
        raise MethodError("bad_message", "a palette is a list of colours")
    if worker.screen.emulator is not None:
        try:
            worker.screen.emulator.set_theme(*(str(color) for color in colors), palette=palette)
        except ValueError as error:
            raise MethodError("bad_message", str(error)) from error
        worker.type(worker.screen.emulator.take_replies())
    return worker.host.answer(call.connection, call.request_id, {})


def _scrollback(worker: Worker, call: Call) -> list[Effect]:
    if call.params.get("keep_bytes") is not None:
        worker.screen.cut_scrollback(_integer(call.params, "keep_bytes", 0, 1 << 40))
    if call.params.get("compress") is True:
        worker.keeper.compress()
    return worker.host.answer(call.connection, call.request_id, {"scrollback_bytes": worker.screen.scrollback_bytes})


def _health(worker: Worker, call: Call) -> list[Effect]:
    ring, emulator = worker.host.ring, worker.screen.emulator
    answer = {
        "fed_bytes": ring.end,
        "ring_bytes": ring.end - ring.start,
        "connections": worker.host.connections,
        "encode_failures": worker.screen.failures + (emulator.encode_failures if emulator else 0),
        "repairs": emulator.repairs if emulator else 0,
        "loop_max_us": worker.loop.max_us,
        "rss_kb": _rss_kb(),
        "dropped_inputs": worker.host.dropped_inputs,
        "scrollback_bytes": worker.screen.scrollback_bytes,
        "scrollback_compressed": int(worker.screen.compressed),
        "scrollback_cuts": worker.screen.cuts,
    }
    return worker.host.answer(call.connection, call.request_id, answer)


def _rss_kb() -> int:
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024
    except FileNotFoundError:
        return 0  # macOS has no cheap way to know


def _host_method(worker: Worker, call: Call) -> list[Effect]:
    raise AssertionError(f"the host answers {call.method} itself")


METHODS: Final[dict[str, Callable[[Worker, Call], list[Effect]]]] = {
    "hello": _hello,
    "info": _info,
    "attach": _host_method,
    "detach": _host_method,
    "keys": _keys,
    "send": _send,
    "resize": _resize,
    "signal": _signal,
    "snapshot": _snapshot,
    "screen": _screen,
    "theme": _theme,
    "remove": _remove,
    "health": _health,
    "scrollback": _scrollback,
}
FEATURES: Final = sorted([*METHODS, "input"])

# What the emulator saw, as the fields of the event that tells of it.
EVENT_FIELDS: Final[dict[str, Callable[[str], dict[str, str]]]] = {
    "title": lambda title: {"title": title},
    "directory": lambda path: {"path": path},
    "bell": lambda _: {},
    "clipboard": lambda text: {"text": text},
}


class Sending(NamedTuple):
    """One `send`: text for the program, and until when it may wait for the program to be ready."""

    connection: int
    request_id: int
    text: str
    enter: bool
    until_ms: int


class Sender:
    """Sends texts one after the other: each waits until its program can take it, and Enter is a later write of its own.

    A program that has not started its own line editing yet leaves the terminal in canonical mode, where the kernel
    keeps 4095 bytes of a line and drops the rest, and turns Enter into a line feed. So a text waits until the program
    left canonical mode and asked for bracketed pastes (or SETTLE_MS passed), or until it is seen to read lines (`cat`,
    `read`). When neither comes in time a single short line is sent all the same, as nothing of it can be lost, and
    any other text is refused with `not_ready`.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._queue: deque[Sending] = deque()
        self._canonical_ms = -SETTLE_MS
        self._mark = self._take_until_ms = 0

    def add(self, sending: Sending) -> None:
        """Raises MethodError `busy` when too many wait already."""
        if len(self._queue) >= SENDS_MAX:
            raise MethodError("busy", f"{SENDS_MAX} texts are waiting already")
        self._queue.append(sending)
        if len(self._queue) == 1:
            self._begin()

    def _begin(self) -> None:
        sending, worker = self._queue[0], self._worker
        lines = sending.text.encode().split(b"\n")
        whole = all(len(line) <= CANONICAL_LINE_BYTES for line in lines)
        if worker.host.exit is None and not self._ready(whole):
            if now_ms() < sending.until_ms:
                worker.loop.after("send", READY_POLL_MS, self._begin)
                return
            if pty.canonical(worker.program.master) and not (whole and len(lines) == 1):
                self._refuse("not_ready", "the program does not take input yet, and would lose a part of it")
                return
        # An empty paste is not nothing: Claude Code takes it for a picture in the clipboard.
        self._type(worker.screen.paste(sending.text) if sending.text else b"", 0, enter=sending.enter)

    def _ready(self, whole: bool) -> bool:
        """Does the program take a text now; `whole` if none of its lines is too long for canonical mode."""
        master = self._worker.program.master
        if pty.canonical(master):
            self._canonical_ms = now_ms()
            return whole and pty.waits_for_input(master)
        return self._worker.screen.bracketed_paste or now_ms() >= self._canonical_ms + SETTLE_MS

    def _type(self, data: bytes, before: int, *, enter: bool) -> None:
        """Type `data` after `before` bytes that are typed already; go on when the terminal took all of it."""
        try:
            self._worker.type(data)
        except InputRefused as refused:
            self._refuse(refused.code, str(refused))
            return
        self._mark, self._take_until_ms = self._worker.host.accepted_bytes, now_ms() + TAKE_MAX_MS
        self._go_on(before + len(data), enter=enter)

    def _go_on(self, written: int, *, enter: bool) -> None:
        """`written` bytes are typed: Enter if it is due, or the next text, once the terminal took them."""
        host = self._worker.host
        if host.taken_bytes < self._mark:
            if host.exit is not None:
                self._refuse("exited", "the program has ended")
            elif now_ms() >= self._take_until_ms:
                left = self._mark - host.taken_bytes
                self._refuse("not_ready", f"the program does not read: {left} bytes wait in its terminal")
            else:
                self._worker.loop.after("send", READY_POLL_MS, lambda: self._go_on(written, enter=enter))
            return
        if enter:
            self._worker.loop.after("send", ENTER_PAUSE_MS, lambda: self._type(b"\r", written, enter=False))
            return
        sending = self._queue.popleft()
        self._finish(self._worker.host.answer(sending.connection, sending.request_id, {"written": written}))

    def _refuse(self, code: str, message: str) -> None:
        sending = self._queue.popleft()
        self._finish(self._worker.host.refuse(sending.connection, sending.request_id, code, message))

    def _finish(self, effects: list[Effect]) -> None:
        self._worker.perform(effects)
        if self._queue:
            self._worker.loop.after("send", 0, self._begin)
