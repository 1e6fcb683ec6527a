"""Small files that are whole or old after a kill or a power cut, in a directory that is held open."""

from __future__ import annotations

import os
from typing import Final

TEMPORARY_SUFFIX: Final = ".tmp"
# Nothing attn reads back is larger: a screen holds two frames of text, bounded history and 256 KiB of raw tail.
READ_MAX_BYTES: Final = 64 << 20
_PIECE_BYTES: Final = 256 << 10


class BundleDamaged(Exception):
    """A file of a bundle is missing, unreadable or not what attn wrote. It is left as it is."""


class Directory:
    """A directory that is held open while its files are used: no link and no rename leads elsewhere meanwhile.

    Plain descriptors and names: workers use it in their first moments, where every helper costs shared pages.
    """

    def __init__(self, path: str) -> None:
        """Raises OSError, also when `path` is a symbolic link."""
        self.descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)

    def __enter__(self) -> Directory:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)

    def open(self, name: str, flags: int) -> int:
        """A descriptor of `name`, made 0600, never inherited, never through a link. Raises OSError."""
        return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=self.descriptor)

    def write(self, name: str, data: bytes) -> None:
        """Replace `name` by `data`, on disk when this returns. Raises OSError; then the old content still stands."""
        self.replace(name, data)
        self.sync()

    def replace(self, name: str, data: bytes) -> None:
        """As `write`, but which name stands for which content is on disk only after `sync`."""
        self.stage(name, data)
        self.publish(name)

    def stage(self, name: str, data: bytes) -> None:
        """The part of `replace` that a full disk can refuse: `data` is on disk, `name` has its old content.

        Only one process writes any one name, so the temporary name is fixed and a leftover is overwritten.
        """
        temporary = name + TEMPORARY_SUFFIX
        file = self.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(file, rest) :]
            os.fsync(file)
        except OSError:
            self.unlink(temporary)
            raise
        finally:
            os.close(file)

    def publish(self, name: str) -> None:
        """What was staged for `name` stands under it. Raises OSError."""
        os.rename(name + TEMPORARY_SUFFIX, name, src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)

    def read(self, name: str) -> bytes | None:
        """All bytes of `name`, None when there is no such file.

        Raises BundleDamaged when it is over READ_MAX_BYTES, OSError when it cannot be read.
        """
        try:
            file = self.open(name, os.O_RDONLY | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        parts: list[bytes] = []
        size = 0
        try:
            while piece := os.read(file, _PIECE_BYTES):
                parts.append(piece)
                size += len(piece)
                if size > READ_MAX_BYTES:
                    raise BundleDamaged(f"{name} is over {READ_MAX_BYTES} bytes")
        finally:
            os.close(file)
        return b"".join(parts)

    def unlink(self, name: str) -> None:
        """Remove `name` itself, never what it may link to; nothing when it is gone. Raises OSError."""
        try:
            os.unlink(name, dir_fd=self.descriptor)
        except FileNotFoundError:
            return

    def sync(self) -> None:
        """Put the names on disk. Raises OSError."""
        os.fsync(self.descriptor)
