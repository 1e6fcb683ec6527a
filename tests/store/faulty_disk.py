"""A disk that fails or dies at its n-th operation, under a real SQLite: for every n until the operation succeeds.

Any test may use it: while a `FaultyDisk` is mounted, every database that this process opens goes through it, also the
copies that VACUUM INTO writes. Counted are writes, syncs, truncations and deletions. The usual loops:

    for n in each_failure(lambda: open_store(home)): ...      # in this process, the error is raised by SQLite
    for n in each_death(lambda: open_store(home)): ...        # in a child that is killed at its n-th operation

Both set up nothing and clean up nothing: look at the disk, and put it back, in the body of the loop.
"""

# ruff: noqa: N802 (the names of methods are SQLite's)
from __future__ import annotations

import itertools
import os
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import apsw

Fault = Literal["none", "io_error", "full", "kill", "torn", "power"]
Death = Literal["kill", "torn", "power"]
NAME = "faulty"
BASE = "unix"
# SQLITE_IOERR_WRITE, _FSYNC, _TRUNCATE, _DELETE (sqlite.org/rescode.html).
CODES = {"write": 778, "sync": 1034, "truncate": 1546, "delete": 2570}
OPERATIONS_MAX = 5000
SECTOR_BYTES = 512


class FaultyDisk(apsw.VFS):  # type: ignore[misc]
    """Counts operations and lets the `at`-th of them fail, and with `lasting` all later ones too.

    fault: `io_error`; `full` (only writes); `kill` ends the process at once; `torn` after half of a write; `power` ends
    it and takes back some of the sectors that were written and not synced, as a power cut does.
    """

    def __init__(self, fault: Fault = "none", at: int = 0, *, lasting: bool = False) -> None:
        super().__init__(NAME, BASE, makedefault=True)
        self.fault, self.at, self.lasting = fault, at, lasting
        self.operations = 0
        self.failed = 0
        self.synced: dict[str, bytes] = {}

    def xOpen(self, name: Any, flags: Any) -> Any:
        return _File(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        self.next("delete")
        super().xDelete(filename, syncdir)

    def next(self, what: str, half: Callable[[], None] = lambda: None) -> None:
        """One operation: raises, or ends the process, when its turn has come."""
        self.operations += 1
        due = self.operations >= self.at if self.lasting else self.operations == self.at
        if self.fault == "none" or not self.at or not due:
            return
        self.failed += 1
        if self.fault in ("kill", "torn", "power"):
            if self.fault == "torn":
                half()
            elif self.fault == "power":
                self._lose_what_is_not_synced()
            os.kill(os.getpid(), signal.SIGKILL)
        if self.fault == "full" and what == "write":
            raise _error(apsw.FullError, 13, "the disk is full")
        raise _error(apsw.IOError, CODES[what], f"the disk failed at operation {self.operations}: {what}")

    def _lose_what_is_not_synced(self) -> None:
        chance = random.Random(self.at)
        for path, before in self.synced.items():
            if not os.path.exists(path):
                continue
            with open(path, "r+b") as file:
                now = file.read()
                for start in range(0, max(len(now), len(before)), SECTOR_BYTES):
                    if (
                        now[start : start + SECTOR_BYTES] != before[start : start + SECTOR_BYTES]
                        and chance.random() < 0.7
                    ):
                        file.seek(start)
                        file.write(before[start : start + SECTOR_BYTES].ljust(SECTOR_BYTES, b"\0"))

    def sync(self, path: str) -> None:
        """From now on what stands in the file outlasts a power cut."""
        if self.fault == "power":
            with open(path, "rb") as file:
                self.synced[path] = file.read()


def _error(kind: type[apsw.Error], code: int, text: str) -> apsw.Error:
    error = kind(text)
    error.extendedresult = code  # without it SQLite hears of the kind alone
    return error


class _File(apsw.VFSFile):  # type: ignore[misc]
    def __init__(self, disk: FaultyDisk, name: Any, flags: Any) -> None:
        self._disk = disk
        self._path = name.filename() if isinstance(name, apsw.URIFilename) else name
        super().__init__(BASE, name, flags)
        if self._path:
            disk.synced.setdefault(self._path, b"")
            disk.sync(self._path)

    def xWrite(self, data: bytes, offset: int) -> None:
        write = super().xWrite
        self._disk.next("write", lambda: write(bytes(data[: len(data) // 2]), offset))
        write(data, offset)

    def xSync(self, flags: int) -> None:
        self._disk.next("sync")
        super().xSync(flags)
        if self._path:
            self._disk.sync(self._path)

    def xTruncate(self, size: int) -> None:
        self._disk.next("truncate")
        super().xTruncate(size)


@contextmanager
def mounted(fault: Fault = "none", at: int = 0, *, lasting: bool = False) -> Iterator[FaultyDisk]:
    """The disk under every database that is opened from here on."""
    disk = FaultyDisk(fault, at, lasting=lasting)
    try:
        yield disk
    finally:
        disk.unregister()


def each_failure(
    work: Callable[[], object], fault: Fault, errors: type[Exception], *, lasting: bool = False
) -> Iterator[tuple[int, Exception | None]]:
    """Do `work` with a failure at operation 1, 2, 3… until none is reached any more: (n, what it raised)."""
    for at in itertools.count(1):
        assert at < OPERATIONS_MAX
        raised: Exception | None = None
        with mounted(fault, at, lasting=lasting) as disk:
            try:
                work()
            except errors as error:
                raised = error
        if not disk.failed:
            assert raised is None, raised
            return
        yield at, raised


def each_death(work: Callable[[], object], fault: Death, every: int = 1) -> Iterator[int]:
    """Do `work` in a child that dies at operation 1, 1 + `every`, … until one survives: n."""
    for at in itertools.count(1, every):
        assert at < OPERATIONS_MAX
        child = os.fork()
        if child == 0:
            status = 70
            try:
                with mounted(fault, at):
                    work()
                status = 0
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            assert os.waitstatus_to_exitcode(status) == 0, f"the work itself failed with the disk whole (n = {at})"
            return
        yield at
