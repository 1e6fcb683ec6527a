"""The template process: it has imported everything a worker needs and forks one worker for each order.

A fork shares the pages of the template, so a worker costs one or two megabytes and a few milliseconds instead of the
start of an interpreter. The template has one thread, owns no loop, and ends when the daemon closes its socket; the
workers live on. Run as `python -I -m attn.worker.spawner FD` with FD one end of a socket pair; says there `ready
BUILD`, or `error emulator_unavailable REASON` when only workers without an emulator can be had.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import sys
from typing import Final

import attn
from attn.bundle import identity, records
from attn.bundle.identity import SPAWNER_NAME, name_process
from attn.core.session import DEFAULT_COLS, DEFAULT_ROWS
from attn.terminal.emulator import Emulator, EmulatorError, self_test
from attn.wire import worker_api as api
from attn.wire.launch import LENGTH, pack_request, unpack_request
from attn.worker import methods, server
from attn.worker.host import Host
from attn.worker.keeper import Keeper
from attn.worker.loop import Loop, Peers, receive_order, signal_pipe, take_signals
from attn.worker.program import pty
from attn.worker.screen import Screen

# The interpreter specialises code that ran eight times (CPython 3.11), and writes into its page until then.
REHEARSALS: Final = 10


def main() -> None:
    """Serve orders until the daemon is gone."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    channel.setblocking(True)
    channel.set_inheritable(False)
    name_process(SPAWNER_NAME)
    take_signals()
    greeting = f"ready {attn.__version__}"
    try:
        self_test()
    except EmulatorError as error:
        greeting = f"error emulator_unavailable {error}"
    for _ in range(REHEARSALS):
        _rehearse(emulator=greeting.startswith("ready"))
    # Made here, the pages of it that a session without much output never writes to are shared by all.
    blank = Emulator(DEFAULT_ROWS, DEFAULT_COLS) if greeting.startswith("ready") else None
    try:
        channel.sendall(greeting.replace("\n", " ").encode() + b"\n")
    except BrokenPipeError:
        return  # the daemon ended at once, for instance since it does without no database
    # What is shared stays shared only while nobody writes to it, and a collection writes to every object.
    gc.collect()
    gc.disable()
    gc.freeze()
    _serve(channel, blank)


def _rehearse(*, emulator: bool) -> None:
    """Do what a worker does in its first moments, so that less of the shared memory changes when it does.

    Specialised code and the attribute names of a class are written once. Measured: 0.4 MB less a worker.
    """
    order = pack_request(
        session_id="rehearsal0", bundle_dir="/", socket_path="/", rows=24, cols=80, scrollback_lines=10_000,
        emulator=emulator, umask=0o077, cwd="/", argv=["sh"], env={"PATH": "/bin"},
    )  # fmt: skip
    launch, me = unpack_request(order[LENGTH.size :]), os.getpid()
    pty.find(launch.argv[0], launch.env[b"PATH"])
    loop, host = Loop(), Host(methods.FEATURES)
    screen = Screen(host.ring, launch.rows, launch.cols, launch.scrollback_lines, emulator=emulator)
    keeper = Keeper(screen, loop, None)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        peers = Peers(loop, ours, _Audience())
        host.connected(1)
        host.welcome(1)
        host.received(1, api.REQUEST, api.pack_json({"id": 1, "method": "attach", "params": {}}))
        host.output(b"$ ", 0)
        screen.feed(b"$ ")
        keeper.changed()
        methods.state(host, screen, me)
        host.type(b"x")
        host.typed(1)
        loop.turn(idle=False)
        peers.stop_listening()
    records.to_json(records.WorkerRecord(me, identity.start_time(me) or 0, identity.boot_id(), "/", 1, 1, "", "", me))


class _Audience:
    """Nobody connects to a rehearsal."""

    def connected(self, number: int) -> None: ...
    def received(self, number: int, kind: int, payload: bytes) -> None: ...
    def disconnected(self, number: int) -> None: ...
    def drained(self) -> None: ...


def _serve(channel: socket.socket, blank: Emulator | None) -> None:
    wakeup, alarm = signal_pipe()
    while True:
        ready, _, _ = select.select([channel.fileno(), wakeup], [], [])
        if wakeup in ready:
            if signal.SIGTERM in os.read(wakeup, 4096):
                return
            _reap()
        if channel.fileno() in ready:
            order = receive_order(channel)
            if order is None:
                return
            if os.fork() == 0:
                signal.set_wakeup_fd(-1)
                channel.close()
                os.close(wakeup)
                os.close(alarm)
                _be_worker(*order, blank)
            os.close(order[1])


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue
    except ChildProcessError:
        return


def _be_worker(record: bytes, report: int, blank: Emulator | None) -> None:
    status = 1
    try:
        os.setsid()
        gc.enable()
        server.run(record, report, blank)
        status = 0
    finally:  # nothing of the template may run on in the child
        if status:
            sys.excepthook(*sys.exc_info())
        os._exit(status)


if __name__ == "__main__":
    main()
