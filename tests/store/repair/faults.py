"""The n-th operation on the file system fails, or is the last one that this process does."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any

import pytest

OPERATIONS = ("write", "fsync", "rename", "unlink", "mkdir", "rmdir", "open")


class Killed(BaseException):
    """The process is gone: nothing that would tidy up runs."""


class Faults:
    """Counts the calls that change files; `fail` says what the n-th one does.

    kind: `kill`, `torn` (a write that was done in part, then the end), or the name of an error number, which also all
    later calls get when `lasting`.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.at = 0
        self.count = 0
        self.kind = ""
        self.lasting = False
        for name in OPERATIONS:
            patch.setattr(os, name, self._counted(name, getattr(os, name)))

    def fail(self, at: int, kind: str, *, lasting: bool = False) -> None:
        self.at, self.count, self.kind, self.lasting = at, 0, kind, lasting

    @property
    def reached(self) -> bool:
        return self.count >= self.at

    def _counted(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            if not self.at or (name == "open" and not _writes(args)):
                return real(*args, **options)
            self.count += 1
            if self.count < self.at or (
                self.count > self.at and not self.lasting and self.kind not in ("kill", "torn")
            ):
                return real(*args, **options)
            if self.kind == "torn" and name == "write" and self.count == self.at:
                real(args[0], bytes(args[1])[: len(args[1]) // 2])
            if self.kind in ("kill", "torn"):
                raise Killed
            raise OSError(getattr(errno, self.kind), os.strerror(getattr(errno, self.kind)))

        return call


def _writes(args: tuple[Any, ...]) -> bool:
    return len(args) > 1 and bool(args[1] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
