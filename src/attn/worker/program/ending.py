"""Ending a session's programs: all of them, politely first.

The worker is a subreaper, so whatever its program started stays below it in the process tree, however often it
forked and whichever session it made for itself.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from attn.bundle.identity import DAEMON_NAME, SPAWNER_NAME, WORKER_NAME

# What is sent, and how long it may take. Interactive shells ignore TERM, so HUP comes first, as when a terminal is
# closed. After the last grace the rest is out of anybody's power: processes that hang in the kernel.
LADDER: Final = ((int(signal.SIGHUP), 1000), (int(signal.SIGTERM), 2000), (int(signal.SIGKILL), 2000))
POLL_MS: Final = 50

# attn started from inside a session is below that session's worker, and must not end with it.
_OURS: Final = (SPAWNER_NAME, WORKER_NAME, DAEMON_NAME)

_PR_SET_CHILD_SUBREAPER: Final = 36
# Looked up before any fork, so that no worker has to.
_prctl: Final = ctypes.CDLL(None).prctl if sys.platform == "linux" else None

_SIGCONT: Final = int(signal.SIGCONT)


class Process(NamedTuple):
    """One line of the process table; `name` is its comm (at most 15 bytes)."""

    pid: int
    parent: int
    name: str


def become_subreaper() -> None:
    """Let orphans below this process become its children (PR_SET_CHILD_SUBREAPER, prctl(2)); only on Linux."""
    if _prctl is not None:
        _prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def process_table() -> list[Process]:
    """All processes but zombies, from /proc; empty where there is none."""
    found: list[Process] = []
    try:
        names = os.listdir("/proc")
    except FileNotFoundError:
        return found
    for entry in names:
        if not entry.isdecimal():
            continue
        try:
            file = os.open(f"/proc/{entry}/stat", os.O_RDONLY | os.O_CLOEXEC)
            try:
                stat = os.read(file, 1024)
            finally:
                os.close(file)
        except OSError:
            continue  # it ended in between
        head, _, rest = stat.rpartition(b")")
        state, parent = rest.split(None, 2)[:2]
        if state not in (b"Z", b"X"):
            name = head.partition(b"(")[2].decode(errors="replace")
            found.append(Process(int(entry), int(parent), name))
    return found


def tree_below(root: int, table: Iterable[Process]) -> list[int]:
    """The pids below `root`, parents first, without attn's own processes and what is below those.

    A spawner's parent is a daemon, whatever its name is, and is spared with it.
    """
    children: dict[int, list[Process]] = {}
    spared: set[int] = set()
    for process in table:
        children.setdefault(process.parent, []).append(process)
        if process.name in _OURS:
            spared.add(process.pid)
        if process.name == SPAWNER_NAME:
            spared.add(process.parent)
    found: list[int] = []
    level = [root]
    while level:
        level = [child.pid for pid in level for child in children.get(pid, ()) if child.pid not in spared]
        found += level
    return found


class Ladder:
    """One climb: call `step` until it returns None."""

    def __init__(self, tree: Callable[[], list[int]], kill: Callable[[int, int], None] = os.kill) -> None:
        """`tree` gives the pids that are left, `kill(pid, signal)` may raise ProcessLookupError."""
        self._tree = tree
        self._kill = kill
        self._rung = -1
        self._until_ms = 0

    def step(self, now_ms: int) -> int | None:
        """Do what is due; milliseconds until the next call, None when nothing is left or nothing helps."""
        tree = self._tree()
        if not tree:
            return None
        if self._rung < 0 or now_ms >= self._until_ms:
            self._rung += 1
            if self._rung == len(LADDER):
                return None
            number, grace_ms = LADDER[self._rung]
            self._until_ms = now_ms + grace_ms
            self._send(tree, number)
            self._send(tree, _SIGCONT)  # a stopped process acts on no other signal but KILL
        elif self._rung == len(LADDER) - 1:
            self._send(tree, LADDER[-1][0])  # forked since
        return POLL_MS

    def _send(self, tree: list[int], number: int) -> None:
        for pid in tree:
            try:
                self._kill(pid, number)
            except ProcessLookupError:
                continue
            except PermissionError:
                continue  # a setuid program below us: the closing terminal is what it gets
