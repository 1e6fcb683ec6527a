"""Starting workers: the spawner forks them; without it each is exec'd, slower but the same."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from typing import Final

import attn
from attn.errors import AttnError, refused_by_system
from attn.wire.launch import TAKEN_BACK

log = logging.getLogger(__name__)

# The program's exec, its directory's file system and a loaded machine are in it; normally it is 10 ms.
SPAWN_LIMIT_S: Final = 10.0
REPORT_MAX_BYTES: Final = 4096
# How Python words an OSError, which is how a worker reports it.
_OS_ERROR: Final = re.compile(r"\[Errno ([0-9]+)\] (.*)")
# A spawner that ends is started again at most this often; in between workers are started by exec.
SPAWNER_RETRY_S: Final = 60.0


class Spawner:
    """The template process that forks workers; without it each worker is exec'd, slower but the same."""

    def __init__(self, changed: Callable[[str], None]) -> None:
        """`changed` hears each state: `` (well), `emulator_unavailable ...` or `spawner_gone ...`."""
        self._changed = changed
        self._socket: socket.socket | None = None
        self._turn = asyncio.Lock()
        self._started_at_s = 0.0
        self._children: list[subprocess.Popen[bytes]] = []
        self.emulator = True

    def start(self) -> None:
        """Exec the spawner; it is used as soon as it says `ready`. Its failure only makes spawning slower."""
        loop = asyncio.get_running_loop()
        self._started_at_s = loop.time()
        ours, theirs = socket.socketpair()
        try:
            self._execute("attn.worker.spawner", theirs)
        except AttnError as error:
            ours.close()
            self._changed(f"spawner_gone {error.message}")
            return
        finally:
            theirs.close()
        ours.setblocking(False)
        self._socket = ours
        loop.add_reader(ours, self._heard)

    def close(self) -> None:
        """Let the spawner end (it does so when its socket closes); the workers go on."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    def reap(self) -> None:
        """Collect the children that ended (on SIGCHLD)."""
        self._children = [child for child in self._children if child.poll() is None]

    async def spawn(self, record: bytes) -> tuple[int, int]:
        """Start a worker with its program -> (worker pid, program pid). Raises AttnError with the report's code.

        After a time-out a worker whose lock is free will not start its program any more; one that holds it may.
        record: from `wire.launch.pack_request`.
        """
        by, line = await self._order(record)
        if not line and by is not None and self._ended(by):
            log.warning("the order may have died with the spawner, and is given again")
            _, line = await self._order(record)
        return _parse_report(line)

    async def _order(self, record: bytes) -> tuple[socket.socket | None, str]:
        """The spawner that got the order, None for a worker that was exec'd; and the report, empty when it ended first.

        Raises AttnError.
        """
        report, theirs = socket.socketpair()
        with report:
            report.setblocking(False)
            with theirs:
                async with self._turn:
                    await self._hand_over(record, theirs)
                    by = self._socket
            try:
                async with asyncio.timeout(SPAWN_LIMIT_S):
                    return by, await _read_line(report)
            except TimeoutError as error:
                with contextlib.suppress(OSError):  # it ended, and nothing will come of it
                    report.send(TAKEN_BACK)
                message = f"the worker did not report within {SPAWN_LIMIT_S:.0f} s"
                raise AttnError("internal", message, "try again; if that does not help: attn daemon restart") from error

    def _ended(self, spawner: socket.socket) -> bool:
        """Whether a spawner is gone, also when that was not heard yet."""
        if spawner is self._socket:
            self._heard()
        return spawner is not self._socket

    async def _hand_over(self, record: bytes, report: socket.socket) -> None:
        if self._socket is None and asyncio.get_running_loop().time() - self._started_at_s > SPAWNER_RETRY_S:
            self.start()
        if self._socket is not None:
            try:
                return await _send_with_descriptor(self._socket, record, report)
            except OSError as error:
                self._lost(str(error))
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            self._execute("attn.worker.server", theirs)
            await _send_with_descriptor(ours, record, report)
        finally:
            theirs.close()
            ours.close()

    def _execute(self, module: str, channel: socket.socket) -> None:
        if not os.path.exists(attn.__file__):
            # The interpreter would start and find nothing to run, which nobody but a log would hear of.
            raise _missing(f"{os.path.dirname(attn.__file__)} is gone")
        descriptor = channel.fileno()
        try:
            child = subprocess.Popen(
                [sys.executable, "-I", "-m", module, str(descriptor)],
                pass_fds=(descriptor,), stdin=subprocess.DEVNULL, cwd="/", start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise _missing(f"{sys.executable} cannot be started: {error.strerror}") from error
        self._children.append(child)

    def _heard(self) -> None:
        if self._socket is None:
            return None
        try:
            line = self._socket.recv(REPORT_MAX_BYTES)
        except BlockingIOError:
            return None
        except OSError as error:
            return self._lost(str(error))
        if not line:
            return self._lost("it ended")
        word, _, rest = line.decode(errors="replace").strip().partition(" ")
        self.emulator = word == "ready"
        self._changed("" if self.emulator else rest)
        return None

    def _lost(self, reason: str) -> None:
        log.warning("the spawner is gone: %s", reason)
        self.close()
        self._changed(f"spawner_gone {reason}")


def _missing(what: str) -> AttnError:
    return AttnError("interpreter_missing", what, "install attn again: pipx install --force attn")


async def _send_with_descriptor(channel: socket.socket, record: bytes, descriptor: socket.socket) -> None:
    """The record, with the descriptor on its first byte (SCM_RIGHTS)."""
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", descriptor.fileno()))]
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(SPAWN_LIMIT_S):
        while True:
            try:
                sent = channel.sendmsg([record], rights)
                break
            except BlockingIOError:
                await _writable(loop, channel)
        await loop.sock_sendall(channel, record[sent:])


async def _writable(loop: asyncio.AbstractEventLoop, channel: socket.socket) -> None:
    ready = asyncio.Event()
    loop.add_writer(channel, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_writer(channel)


async def _read_line(report: socket.socket) -> str:
    data = b""
    while b"\n" not in data and len(data) < REPORT_MAX_BYTES:
        piece = await asyncio.get_running_loop().sock_recv(report, REPORT_MAX_BYTES)
        if not piece:
            break
        data += piece
    return data.decode(errors="replace").partition("\n")[0]


def _parse_report(line: str) -> tuple[int, int]:
    word, _, rest = line.partition(" ")
    if word == "ok":
        worker_pid, child_pid = rest.split()
        return int(worker_pid), int(child_pid)
    code, _, message = rest.partition(" ")
    if system := _OS_ERROR.match(message):
        raise refused_by_system("the worker cannot begin", OSError(int(system[1]), system[2]))
    raise AttnError(code or "internal", message or "the worker ended before it reported", "see `attn logs`")
