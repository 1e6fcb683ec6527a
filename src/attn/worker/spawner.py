"""The template process: it has imported everything a worker needs and forks one worker for each order.

A fork shares the pages of the template, so a worker costs about a megabyte and a few milliseconds instead of the
start of an interpreter. The template has one thread, owns no loop, and ends when the daemon closes its socket; the
workers live on. Run as `python -I -m attn.worker.spawner FD` with FD one end of a socket pair; says there `ready
BUILD`, or `error emulator_unavailable REASON` when only workers without an emulator can be had.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import traceback

import attn
from attn.terminal.emulator import EmulatorError, self_test
from attn.worker import server
from attn.worker.ending import SPAWNER_NAME, name_process
from attn.worker.loop import receive_order


def main() -> None:
    """Serve orders until the daemon is gone."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    channel.setblocking(True)
    channel.set_inheritable(False)
    name_process(SPAWNER_NAME)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps the workers
    greeting = f"ready {attn.__version__}"
    try:
        self_test()
    except EmulatorError as error:
        greeting = f"error emulator_unavailable {error}"
    channel.sendall(greeting.replace("\n", " ").encode() + b"\n")
    # What is shared stays shared only while nobody writes to it, and a collection writes to every object.
    gc.collect()
    gc.disable()
    gc.freeze()
    while (order := receive_order(channel)) is not None:
        record, report = order
        if os.fork() == 0:
            channel.close()
            _be_worker(record, report)
        os.close(report)


def _be_worker(record: bytes, report: int) -> None:
    status = 1
    try:
        os.setsid()
        gc.enable()
        server.run(record, report)
        status = 0
    except BaseException:  # noqa: BLE001 - nothing of the template may run on in the child
        traceback.print_exc()
    finally:
        os._exit(status)


if __name__ == "__main__":
    main()
