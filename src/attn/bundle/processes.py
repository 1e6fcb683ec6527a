"""Processes of attn as /proc shows them; nothing where there is no /proc."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from attn.bundle.bundle import LOCK
from attn.bundle.identity import WORKER_NAME

_PROC: Final = Path("/proc")


@dataclass(frozen=True)
class Process:
    """One process of ours. started: clock ticks since boot, which with the pid is its identity."""

    pid: int
    name: str
    parent: int
    started: int
    stopped: bool


def named(names: frozenset[str]) -> Iterator[Process]:
    """Processes of this user that carry one of these names."""
    try:
        entries = [entry for entry in os.scandir(_PROC) if entry.name.isdecimal()]
    except OSError:
        return
    for entry in entries:
        try:
            if entry.stat().st_uid != os.geteuid():
                continue
            name, _, rest = Path(entry.path, "stat").read_text().partition("(")[2].rpartition(")")
        except OSError:
            continue  # it ended meanwhile
        fields = rest.split()
        if name in names and fields[0] not in ("Z", "X"):
            yield Process(int(entry.name), name, int(fields[1]), int(fields[19]), fields[0] in ("T", "t"))


def open_files(pid: int) -> list[str]:
    """Where the descriptors of a process lead; a removed file ends in ` (deleted)`. Raises OSError."""
    found = []
    for descriptor in os.scandir(_PROC / str(pid) / "fd"):
        try:
            found.append(os.readlink(descriptor.path))
        except FileNotFoundError:
            continue  # closed meanwhile
    return found


def serving_removed(bundle: Path) -> int | None:
    """The pid of a worker that serves the session at `bundle` though its files were removed; None when none is seen."""
    lock = f"{os.path.realpath(bundle)}/{LOCK} (deleted)"
    for process in named(frozenset({WORKER_NAME})):
        try:
            if lock in open_files(process.pid):
                return process.pid
        except OSError:
            continue  # it ended meanwhile, or is not ours to look into
    return None


def environment(pid: int) -> Mapping[str, str]:
    """The environment that a process was started with. Raises OSError."""
    data = (_PROC / str(pid) / "environ").read_bytes()
    pairs = (os.fsdecode(entry).partition("=") for entry in data.split(b"\0") if entry)
    return {name: value for name, _, value in pairs}


def listening() -> set[str]:
    """The paths of all unix sockets that somebody has open; None of them is connected to for it."""
    try:
        lines = (_PROC / "net/unix").read_text(errors="replace").splitlines()[1:]
    except OSError:
        return set()
    return {words[7] for words in (line.split(maxsplit=7) for line in lines) if len(words) == 8}


def visible() -> bool:
    """Whether processes can be seen at all."""
    return (_PROC / "self/stat").exists()
