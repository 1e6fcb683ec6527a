"""A worker inside the test's own process: its loop turns while the test waits, so every step can be looked at."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from attn.bundle.bundle import Bundle
from attn.bundle.records import Meta, Spec
from attn.wire.launch import Launch
from attn.worker.listening import listen
from attn.worker.server import Worker
from tests.system.worker_client import DAEMON_ID, ENV, LIMIT_S, Client, hello

SESSION_ID = "abcdefghij"


class InsideClient(Client):
    """A client that turns the worker's loop while it waits."""

    def __init__(self, worker: Worker, receive_buffer: int | None = None) -> None:
        self.worker = worker
        super().__init__(os.fsdecode(worker.launch.socket_path), receive_buffer=receive_buffer)

    def pump(self, timeout_s: float) -> None:
        turn(self.worker)
        if select.select([self.socket], [], [], 0.001)[0]:
            super().pump(0)
        elif timeout_s <= 0:
            raise TimeoutError("the worker said nothing")


def turn(worker: Worker) -> None:
    """One turn of the loop, and the slice of bulk work that follows it."""
    worker.loop.turn(idle=False)
    worker._slice()


def turn_until(worker: Worker, done: Callable[[], object], what: str) -> None:
    """Turn until `done()`; AssertionError naming `what` when it takes too long."""
    deadline = time.monotonic() + LIMIT_S
    while not done():
        turn(worker)
        assert time.monotonic() < deadline, f"still waiting for {what}"


@contextmanager
def inside(root: Path, *argv: str, emulator: bool = True) -> Iterator[Worker]:
    """A worker that runs `argv`; its program is killed in the end."""
    bundle = Bundle(root / SESSION_ID)
    spec = Spec(
        session_id=SESSION_ID, daemon_id=DAEMON_ID, argv=list(argv), cwd="/", env_names=[], agent="", label="x",
        rows=24, cols=80, created_at_ms=0,
    )  # fmt: skip
    bundle.create(spec, Meta(label="x", order=0))
    path = os.fsencode(root / "s")
    launch = Launch(
        SESSION_ID, os.fsencode(bundle.path), path, 24, 80, 1000, emulator, True, 0o022, b"/",
        [os.fsencode(argument) for argument in argv], {os.fsencode(k): os.fsencode(v) for k, v in ENV.items()},
    )  # fmt: skip
    worker = Worker(launch, bundle, listen(path))
    worker._watch_terminal()
    try:
        yield worker
    finally:
        if worker.host.exit is None:
            os.kill(worker.program.pid, signal.SIGKILL)
            os.waitpid(worker.program.pid, 0)
        if worker._open:
            worker.loop.forget(worker.program.master)
            os.close(worker.program.master)
        for number in range(1, worker.peers._last + 1):
            worker.peers.close(number)
        if not worker._leaving:
            worker.peers.stop_listening()


@contextmanager
def attached(worker: Worker, receive_buffer: int | None = None) -> Iterator[InsideClient]:
    """A client that said hello and is attached."""
    with InsideClient(worker, receive_buffer) as client:
        client.call("hello", **hello(worker.token))
        client.next_offset = client.call("attach")["offset"]
        yield client
