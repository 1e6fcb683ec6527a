"""Small files that are whole and on the disk, or not there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_UNFINISHED: Final = ".unfinished"


def write_durably(path: Path, data: bytes) -> None:
    """Replace a small file: private, whole, and on the disk when this returns. Raises OSError."""
    unfinished = path.with_name(path.name + _UNFINISHED)
    flags = os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(unfinished, flags, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)
    sync_file(path.parent)


def sync_file(path: Path) -> None:
    """fsync a file that is not the open database (a closed descriptor would drop its lock). Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_quietly(path: Path, most_bytes: int = -1) -> bytes:
    """The bytes of a file, without a trace in its times where that can be had. Raises OSError."""
    flags = os.O_RDONLY | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags | getattr(os, "O_NOATIME", 0))
    except PermissionError:  # the file of another user may be read, but not unnoticed
        descriptor = os.open(path, flags)
    with os.fdopen(descriptor, "rb") as file:
        return file.read(most_bytes)
