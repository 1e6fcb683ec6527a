"""Whose size a session has: two people, a phone, a hidden page, a spectator, a pin, and a window that is dragged."""

from __future__ import annotations

import re
import sys
import time

from attn.core.sizing import MOST_MS
from attn.terminal.cells import text
from attn.terminal.emulator import Emulator
from tests.system import winch_counter
from tests.system.client import Client, Stream
from tests.system.conftest import DaemonProcess
from tests.waiting import wait_until

DESKTOP, PHONE = (50, 160), (40, 45)
STORM_SIZES = 200
STORM_S = 2.0
# Where a busy machine lets the daemon oversleep, a few more than one in MOST_MS may reach the program.
WINCHES_MAX = int(STORM_S * 1000 / MOST_MS) + 6


def start(client: Client, size: tuple[int, int] = (24, 80)) -> str:
    session = client.spawn(sys.executable, winch_counter.__file__, rows=size[0], cols=size[1])["id"]
    client.request("wait_session", session=session, text=f"[0: {size[0]}x{size[1]}]", timeout_ms=20_000)
    return str(session)


def attach(client: Client, session: str, size: tuple[int, int], **fields: object) -> Stream:
    return client.attach(session, rows=size[0], cols=size[1], **fields)


def vote(client: Client, stream: Stream, size: tuple[int, int], **fields: object) -> None:
    client.send("pty_resize", handle=stream.handle, rows=size[0], cols=size[1], **fields)


def until_size(client: Client, session: str, size: tuple[int, int]) -> None:
    client.until(lambda: (client.sessions[session]["rows"], client.sessions[session]["cols"]) == size)


def shows(client: Client, stream: Stream, session: str, size: tuple[int, int]) -> None:
    """The client's own picture is that of the worker, in that size."""
    client.until(lambda: stream.painted and _size(stream) == size)
    head, wanted = client.screen(session)
    client.until(lambda: stream.painted and stream.offset >= head["offset"])
    emulator = Emulator(*size)
    emulator.feed(bytes(stream.data))
    assert (text(emulator.capture()), stream.gaps) == (wanted.decode(), 0)
    emulator.close()


def _size(stream: Stream) -> tuple[int, int]:
    return stream.results[-1]["screen_rows"], stream.results[-1]["screen_cols"]


def test_who_used_it_last_decides_and_everybody_sees_the_same(daemon: DaemonProcess) -> None:
    desk, phone = daemon.client(), daemon.client()
    session = start(desk)
    wide = attach(desk, session, DESKTOP)
    until_size(desk, session, DESKTOP)
    narrow = attach(phone, session, PHONE)
    for each, stream in ((desk, wide), (phone, narrow)):
        until_size(each, session, PHONE)
        shows(each, stream, session, PHONE)
    desk.type(wide, b"typed at the desk\r")
    for each, stream in ((desk, wide), (phone, narrow)):
        until_size(each, session, DESKTOP)
        each.until_output(stream, b"typed at the desk\r\n")
        shows(each, stream, session, DESKTOP)
    vote(phone, narrow, PHONE, take=True)
    until_size(phone, session, PHONE)
    phone.request("detach_session", handle=narrow.handle)
    until_size(desk, session, DESKTOP)


def test_who_comes_back_after_a_crash_does_not_change_the_size(daemon: DaemonProcess) -> None:
    client = daemon.client()
    session = start(client)
    attach(client, session, DESKTOP)
    until_size(client, session, DESKTOP)
    client.request("wait_session", session=session, text=f"[1: {DESKTOP[0]}x{DESKTOP[1]}]")
    desk, phone = daemon.restart().client(), daemon.client()
    narrow = attach(phone, session, PHONE, used_ms_ago=60_000)
    wide = attach(desk, session, DESKTOP, used_ms_ago=500)
    for each, stream, size in ((phone, narrow, PHONE), (desk, wide, DESKTOP)):
        vote(each, stream, size)  # as a page that measures itself anew
    shows(phone, narrow, session, DESKTOP)
    phone.type(narrow, b"typed on the phone\r")
    until_size(phone, session, PHONE)
    phone.request("wait_session", session=session, text=f"[2: {PHONE[0]}x{PHONE[1]}]", timeout_ms=20_000)


def test_who_cannot_be_looked_at_or_may_not_type_never_decides(daemon: DaemonProcess) -> None:
    client, others = daemon.client(), daemon.client()
    session = start(client)
    wide = attach(client, session, DESKTOP)
    until_size(client, session, DESKTOP)
    attach(others, session, (30, 90), visible=False)
    attach(others, session, (30, 90), read_only=True)
    attach(others, session, (4, 90))
    attach(others, session, (30, 19))
    hides = attach(others, session, (30, 90), visible=False)
    vote(others, hides, (31, 91), visible=False)
    client.type(wide, b"still wide\r")
    client.until_output(wide, b"still wide\r\n")
    assert client.sessions[session]["rows"] == DESKTOP[0]
    # Nobody looks any more: it stays as it is.
    vote(client, wide, DESKTOP, visible=False)
    client.request("get_status")
    assert client.request("resolve_session", session=session)["session"]["rows"] == DESKTOP[0]
    vote(others, hides, (30, 90), visible=True)
    until_size(others, session, (30, 90))


def test_a_pin_holds_against_everybody_until_it_is_taken_back(daemon: DaemonProcess) -> None:
    client = daemon.client()
    session = start(client)
    stream = attach(client, session, DESKTOP)
    until_size(client, session, DESKTOP)
    client.request("resize_session", session=session, rows=33, cols=99)
    vote(client, stream, PHONE, take=True)
    client.type(stream, b"pinned\r")
    client.until_output(stream, b"pinned\r\n")
    shows(client, stream, session, (33, 99))
    client.request("resize_session", session=session)
    until_size(client, session, PHONE)
    shows(client, stream, session, PHONE)


def test_a_dragged_window_reaches_the_program_a_few_times_and_ends_right(daemon: DaemonProcess) -> None:
    client, watcher = daemon.client(), daemon.client()
    session = start(client)
    dragged, beside = attach(client, session, (24, 80)), attach(watcher, session, (24, 80), visible=False)
    began = time.monotonic()
    for number in range(1, STORM_SIZES + 1):
        due = began + number * STORM_S / STORM_SIZES
        wait_until(lambda due=due: time.monotonic() >= due, 10, "the next size")
        vote(client, dragged, (24 + number % 20, 80 + number))
        client.type(dragged, b".")
    final = (24 + STORM_SIZES % 20, 80 + STORM_SIZES)
    for each, stream in ((client, dragged), (watcher, beside)):
        until_size(each, session, final)
        each.request("wait_session", session=session, text=f"{final[0]}x{final[1]}]", timeout_ms=20_000)
        shows(each, stream, session, final)
    _, shown = client.screen(session, "text", None)
    counted = [int(number) for number in re.findall(rb"\[(\d+): ", shown)]
    assert counted[-1] <= WINCHES_MAX, "the program was told more often than the coalescer allows"
    # Frames only while it was dragged, and the history once at the end: for each at most one payload more than sizes.
    assert len(dragged.results) <= counted[-1] + 3
