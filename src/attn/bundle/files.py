"""Small files that are whole or old after a kill or a power cut, in a directory that is held open."""

from __future__ import annotations

import contextlib
import os
from typing import Final

TEMPORARY_SUFFIX: Final = ".tmp"
# Nothing attn reads back is larger: a screen holds two frames of text, bounded history and 256 KiB of raw tail.
READ_MAX_BYTES: Final = 64 << 20

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class BundleDamaged(Exception):
    """A file of a bundle is missing, unreadable or not what attn wrote. It is left as it is."""


def open_directory(path: bytes | str) -> int:
    """A descriptor of a directory that is no symbolic link. Raises OSError."""
    return os.open(path, _DIRECTORY)


def write_whole(directory: int, name: str, data: bytes) -> None:
    """Replace `name` in `directory` (a descriptor) by `data`: temporary file, fsync, rename, fsync of the directory.

    Only one process writes any one name, so the temporary name is fixed and a leftover is overwritten.
    Raises OSError; then the old content still stands.
    """
    temporary = name + TEMPORARY_SUFFIX
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    file = os.open(temporary, flags, 0o600, dir_fd=directory)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(file, rest) :]
        os.fsync(file)
    except OSError:
        with contextlib.suppress(OSError):  # the first error is the one that matters
            os.unlink(temporary, dir_fd=directory)
        raise
    finally:
        os.close(file)
    os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    os.fsync(directory)


def read_whole(directory: int, name: str) -> bytes | None:
    """All bytes of `name` in `directory`, None when there is no such file.

    Raises BundleDamaged when it is over READ_MAX_BYTES or no plain file, OSError when it cannot be read.
    """
    try:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    except FileNotFoundError:
        return None
    with open(file, "rb") as stream:
        data = stream.read(READ_MAX_BYTES + 1)
    if len(data) > READ_MAX_BYTES:
        raise BundleDamaged(f"{name} is over {READ_MAX_BYTES} bytes")
    return data
