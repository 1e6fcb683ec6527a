"""How long a keystroke takes until its echo is back."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Final

from attn.cli.link import Frame, Link
from attn.wire import client_api
from attn.wire.client_events import AttachResult
from attn.wire.client_requests import AttachSession, PtyAck
from bench.hub import Hub, running_hub, spawn
from bench.results import Result, percentile
from bench.sources import COLS, ROWS
from bench.terminals import Pty, running_tmux

ECHO: Final = ("sh", "-c", "stty raw -echo; printf ready; exec cat")
KEYS_PER_TURN: Final = 50
TURNS: Final = 8
# A quick typist's finger; without it a keystroke would wait for the one before.
BETWEEN_KEYS_S: Final = 0.004
TIMEOUT_S: Final = 10.0


class EchoSession:
    """`cat` in a session, attached through the unix socket."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self.session = spawn(link, *ECHO).session.id
        attach = AttachSession(id=0, session=self.session, rows=ROWS, cols=COLS)
        self._handle = link.request(attach, AttachResult).handle
        seen = b""
        while b"ready" not in seen:
            seen += self._data()

    def _data(self) -> bytes:
        while True:
            item = self._link.receive(time.monotonic() + TIMEOUT_S)
            if isinstance(item, Frame) and item.handle == self._handle:
                if item.data:
                    self._link.send(PtyAck(handle=self._handle, offset=item.offset + len(item.data)))
                return item.data if item.kind == client_api.OUTPUT or b"ready" in item.data else b""

    def key(self, character: bytes) -> float:
        """Milliseconds from the key to its echo."""
        begun = time.perf_counter()
        self._link.send_input(self._handle, character)
        while character not in self._data():
            continue
        return (time.perf_counter() - begun) * 1000


def pty_key(pty: Pty) -> Callable[[bytes], float]:
    """The same for a program behind a PTY: tmux's client, or `cat` itself."""

    def key(character: bytes) -> float:
        begun = time.perf_counter()
        pty.write(character)
        while character not in pty.read():
            continue
        return (time.perf_counter() - begun) * 1000

    return key


def _turn(key: Callable[[bytes], float], count: int) -> list[float]:
    times = []
    for number in range(count):
        times.append(key(b"%c" % (97 + number % 26)))
        time.sleep(BETWEEN_KEYS_S)
    return times


def measure() -> Iterator[Result]:
    """Idle against tmux, then while another session floods: unwatched, and watched by another client."""
    with ExitStack() as stack:
        hub = stack.enter_context(running_hub())
        link = stack.enter_context(hub.connect())
        session = EchoSession(link)
        tmux_client = stack.enter_context(running_tmux(*ECHO)).attach()
        stack.callback(tmux_client.close)
        tmux_client.settle()
        tmux_key = pty_key(tmux_client)
        _turn(session.key, KEYS_PER_TURN)
        attn, tmux = [], []
        for _ in range(TURNS):
            attn += _turn(session.key, KEYS_PER_TURN)
            tmux += _turn(tmux_key, KEYS_PER_TURN)
        for percent in (50, 99):
            peer = percentile(tmux, percent)
            yield Result(f"echo p{percent}, idle", "ms", percentile(attn, percent), "ratio <= 3", peer, "tmux")
        yield from _under_flood(hub, session)


def _under_flood(hub: Hub, session: EchoSession) -> Iterator[Result]:
    with hub.connect() as link:
        flood = spawn(link, "yes").session.id
    unwatched = _turn(session.key, KEYS_PER_TURN * TURNS)
    yield Result("echo p50, another session floods", "ms", percentile(unwatched, 50))
    yield Result("echo p99, another session floods", "ms", percentile(unwatched, 99), "value <= 10")
    viewer = subprocess.Popen([sys.executable, "-m", "bench.viewer", str(hub.home.daemon_socket), flood])
    try:
        watched = _turn(session.key, KEYS_PER_TURN * TURNS)
    finally:
        viewer.terminate()
        viewer.wait()
    yield Result("echo p99, another session floods into a client", "ms", percentile(watched, 99), "value <= 10")
