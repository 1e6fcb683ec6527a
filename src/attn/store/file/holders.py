"""Which process holds the lock of a file, as far as /proc tells."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PROC = Path("/proc")
COMMAND_MAX_CHARS: Final = 200


@dataclass(frozen=True)
class Holder:
    """A process that has a file locked, or where locks cannot be seen, open."""

    pid: int
    command: str
    stopped: bool

    def __str__(self) -> str:
        state = ", which is stopped (bring it back with fg or kill -CONT)" if self.stopped else ""
        return f"pid {self.pid} ({self.command}){state}"


def holder(path: Path) -> Holder | None:
    """Who holds the database at `path`; None when nobody can be named. Never this process."""
    try:
        inode = path.stat().st_ino
    except OSError:
        return None
    for pid in _locking(inode) or _having_open(path):
        found = _process(pid)
        if found is not None and pid != os.getpid():
            return found
    return None


def _locking(inode: int) -> list[int]:
    """From lines such as `1: POSIX  ADVISORY  WRITE 4711 08:01:262145 1073741826 1073742335` (proc_locks(5))."""
    try:
        lines = (_PROC / "locks").read_text().splitlines()
    except OSError:
        return []  # not Linux
    fields = [line.split() for line in lines]
    return [int(words[4]) for words in fields if len(words) == 8 and words[5].rpartition(":")[2] == str(inode)]


def _having_open(path: Path) -> list[int]:
    wanted, found = os.path.realpath(path), []
    for directory in _PROC.glob("[0-9]*"):
        try:
            if any(os.readlink(descriptor) == wanted for descriptor in (directory / "fd").iterdir()):
                found.append(int(directory.name))
        except OSError:
            continue  # it ended meanwhile, or belongs to somebody else
    return found


def _process(pid: int) -> Holder | None:
    try:
        words = (_PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
        state = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return None
    command = " ".join(b" ".join(words).decode(errors="replace").split())
    return Holder(pid, command[:COMMAND_MAX_CHARS], state in "Tt")
