"""Ending a session's programs: all of them, politely first.

The worker is a subreaper, so whatever its program started stays below it in the process tree, however often it
forked and whichever session it made for itself.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from attn.bundle.identity import DAEMON_NAME, SPAWNER_NAME, WORKER_NAME

# What is sent, and how long it may take. Interactive shells ignore TERM, so HUP comes first, as when a terminal is
# closed. After the last grace the rest is out of anybody's power: processes that hang in the kernel.
LADDER: Final = ((int(signal.SIGHUP), 1000), (int(signal.SIGTERM), 2000), (int(signal.SIGKILL), 2000))
POLL_MS: Final = 50
# The last rung looks without a pause: what forks and ends all the time can be caught between two looks only.
SWEEP_MS: Final = 1

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


def processes() -> Iterator[Process]:
    """All processes but zombies as they are seen, the newest pids first, from /proc; none where there is none."""
    try:
        names = os.listdir("/proc")
    except FileNotFoundError:
        return
    for pid in sorted(map(int, filter(str.isdecimal, names)), reverse=True):
        try:
            file = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
            try:
                stat = os.read(file, 1024)
            finally:
                os.close(file)
        except OSError:
            continue  # it ended in between
        head, _, rest = stat.rpartition(b")")
        state, parent = rest.split(None, 2)[:2]
        if state not in (b"Z", b"X"):
            yield Process(pid, int(parent), head.partition(b"(")[2].decode(errors="replace"))


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


def programs_below(root: int) -> Iterator[int]:
    """The pids of `tree_below`, those right below `root` at the moment they are seen: the next may be too late."""
    table: list[Process] = []
    met: set[int] = set()
    daemons: set[int] = set()
    for process in processes():
        table.append(process)
        if process.name == SPAWNER_NAME:
            daemons.add(process.parent)
        if process.parent == root and process.name not in _OURS and process.pid not in daemons:
            met.add(process.pid)
            yield process.pid
    yield from (pid for pid in tree_below(root, table) if pid not in met)


def alone(root: int) -> bool:
    """Whether nothing is below `root`, this process, but attn's own, though no look may have met what is.

    A process that forks and ends between two looks is in no table; but a subreaper that has something below it has a
    child, living or dead (waitid(2)). Where there are no subreapers, nothing is known that a look did not meet.
    """
    if _prctl is None:
        return True
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return True
    table = list(processes())
    return any(process.parent == root for process in table) and not tree_below(root, table)


class Ladder:
    """One climb: call `step` until it returns None."""

    def __init__(
        self,
        tree: Callable[[], Iterable[int]],
        alone: Callable[[], bool],
        kill: Callable[[int, int], None] = os.kill,
    ) -> None:
        """`tree` meets the pids that are left, `alone` is asked when it met none; `kill(pid, signal)` may raise
        ProcessLookupError."""
        self._tree = tree
        self._alone = alone
        self._kill = kill
        self._rung = -1
        self._until_ms = 0

    def step(self, now_ms: int) -> int | None:
        """Do what is due; milliseconds until the next call, None when nothing is left or nothing helps."""
        if self._rung == len(LADDER) - 1 and now_ms < self._until_ms:
            tree = [pid for pid in self._tree() if self._send(pid, LADDER[-1][0])]  # each one as it is met
            return None if not tree and self._alone() else SWEEP_MS
        tree = list(self._tree())
        if not tree and self._alone():
            return None
        if self._rung < 0 or now_ms >= self._until_ms:
            self._rung += 1
            if self._rung == len(LADDER):
                return None
            number, grace_ms = LADDER[self._rung]
            self._until_ms = now_ms + grace_ms
            for signal_sent in (number, _SIGCONT):  # a stopped process acts on no other signal but KILL
                for pid in tree:
                    self._send(pid, signal_sent)
        return POLL_MS if tree and self._rung < len(LADDER) - 1 else SWEEP_MS

    def _send(self, pid: int, number: int) -> bool:
        """Whether there is such a process; what belongs to somebody else gets only the closing terminal."""
        try:
            self._kill(pid, number)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True  # a setuid program
        return True
