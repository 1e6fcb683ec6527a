"""One session's directory `run/<session-id>/`: what makes a session outlive the daemon and the database.

Who writes what: the daemon `spec.json`, `control` and `meta.json`, the worker all others. Every file is replaced as a
whole, so that any reader at any moment sees the old or the new one; so is the directory, which is made under another
name (`UNBORN`) and goes by another one (`attn.bundle.removal`).
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

from attn.bundle import records
from attn.bundle.files import TEMPORARY_SUFFIX, BundleDamaged, Directory
from attn.bundle.identity import runs, same_process
from attn.bundle.records import ExitRecord, Meta, ScreenRecord, Spec, WorkerRecord
from attn.core.session import valid_session_id

if TYPE_CHECKING:
    from pathlib import Path

SPEC: Final = "spec.json"
META: Final = "meta.json"
CONTROL: Final = "control"
WORKER: Final = "worker.json"
LOCK: Final = "worker.lock"
EXIT: Final = "exit.json"
SCREEN: Final = "screen"
ERRORS: Final = "worker.err"
_WRITTEN: Final = (SPEC, META, CONTROL, WORKER, EXIT, SCREEN)
KNOWN: Final = (*_WRITTEN, *(name + TEMPORARY_SUFFIX for name in _WRITTEN), LOCK, ERRORS)
"""Every name that attn writes in a bundle; nothing else is ever deleted."""
UNBORN: Final = ".new"
"""What a bundle's directory is called in addition until it is whole."""

_TOKEN_BYTES: Final = 32
# A daemon that asks `lock_held` takes the lock for microseconds, and must not make a starting worker fail.
_LOCK_TRIES: Final = 20
_LOCK_PAUSE_S: Final = 0.005

Value = TypeVar("Value")


class BundleBusy(Exception):
    """A living worker holds the bundle."""


class Bundle:
    """The files of one session. Reading a damaged file raises BundleDamaged; nothing is ever deleted for it.

    OSError means that the files could not be looked at, which says nothing about the session.
    """

    def __init__(self, path: Path | str) -> None:
        self._folder = os.fspath(path)

    @property
    def path(self) -> Path:
        from pathlib import Path  # not for workers: it would be in the memory of each

        return Path(self._folder)

    @property
    def session_id(self) -> str:
        return os.path.basename(self._folder)

    def create(self, spec: Spec, meta: Meta) -> str:
        """Make the directory and write what the session is; returns the token that its worker will ask for.

        All of it is on disk when this returns, and the session does not exist before. Raises FileExistsError when it
        exists already, OSError otherwise.
        """
        token = os.urandom(_TOKEN_BYTES).hex()
        if os.path.lexists(self._folder):
            raise FileExistsError(f"there is a session {self.session_id}")
        unborn = self._folder + UNBORN
        os.mkdir(unborn, 0o700)
        try:
            with Directory(unborn) as directory:
                directory.replace(CONTROL, token.encode())
                directory.replace(META, records.to_json(meta))
                directory.replace(SPEC, records.to_json(spec))
                directory.sync()
            rename(unborn, self._folder)
        except OSError:
            _take_back(unborn)
            raise
        return token

    def spec(self) -> Spec:
        """Raises BundleDamaged when it is missing too: without a spec there is no session."""
        return self._required(SPEC, lambda data: records.from_json(Spec, data))

    def meta(self) -> Meta:
        return self._required(META, lambda data: records.from_json(Meta, data))

    def control(self) -> str:
        return self._required(CONTROL, lambda data: data.decode("ascii"))

    def worker(self) -> WorkerRecord | None:
        return self._read(WORKER, lambda data: records.from_json(WorkerRecord, data))

    def exit(self) -> ExitRecord | None:
        return self._read(EXIT, lambda data: records.from_json(ExitRecord, data))

    def screen(self) -> ScreenRecord | None:
        return self._read(SCREEN, records.screen_from_bytes)

    def mend(self, spec: Spec) -> None:
        """Write what the session is once more where that cannot be read: a worker would not know whose it is.

        Raises OSError.
        """
        try:
            self.spec()
        except BundleDamaged:
            self._write(SPEC, records.to_json(spec))

    def write_meta(self, meta: Meta) -> None:
        self._write(META, records.to_json(meta))

    def write_worker(self, worker: WorkerRecord) -> None:
        """Who serves the session; a power cut may forget it, as it ends the worker too."""
        with Directory(self._folder) as directory:
            directory.replace(WORKER, records.to_json(worker))

    def begin_run(self, worker: WorkerRecord) -> None:
        """As `write_worker`; a program runs again, so the end of the one before it is history.

        Raises OSError; then that end still stands. Between the two steps there is neither: a kill leaves no exit beside
        a worker that it is not of.
        """
        with Directory(self._folder) as directory:
            directory.stage(WORKER, records.to_json(worker))
            directory.unlink(EXIT)
            directory.publish(WORKER)

    def write_exit(self, ended: ExitRecord) -> None:
        self._write(EXIT, records.to_json(ended))

    def write_screen(self, screen: ScreenRecord) -> None:
        self._write(SCREEN, records.screen_to_bytes(screen))

    def acquire_lock(self) -> int:
        """Take `worker.lock` for the life of this process; the descriptor, to be kept open and never inherited.

        Raises BundleBusy when a worker has it.
        """
        with Directory(self._folder) as directory:
            lock = directory.open(LOCK, os.O_RDWR | os.O_CREAT)
        for _ in range(_LOCK_TRIES):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(_LOCK_PAUSE_S)
            else:
                return lock
        os.close(lock)
        raise BundleBusy(f"session {self.session_id} has a living worker")

    def lock_held(self) -> bool:
        """Is a worker of this session alive? OSError when that cannot be known."""
        with Directory(self._folder) as directory:
            try:
                lock = directory.open(LOCK, os.O_RDWR)
            except FileNotFoundError:
                return self._process_lives()
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
        return False

    def program_left(self) -> int | None:
        """The pid of a program that runs on without a terminal, since its worker was killed and it heeds no hang-up.

        None when there is none that can be proved. Raises BundleDamaged, OSError.
        """
        worker = self.worker()
        if worker is None or not worker.child_start_time or self.exit() is not None or self.lock_held():
            return None
        if self.runs_elsewhere():  # then its worker did not leave it behind
            return None
        alive = runs(worker.child_pid, worker.child_start_time, worker.boot_id)
        return worker.child_pid if alive else None

    def runs_elsewhere(self) -> int | None:
        """The pid of its worker when that lives and has another lock than this one: these files are a copy.

        None when that cannot be proved. Raises BundleDamaged, OSError.
        """
        worker = self.worker()
        if worker is None or self.exit() is not None or self.lock_held():
            return None
        return worker.pid if runs(worker.pid, worker.start_time, worker.boot_id) else None

    def _process_lives(self) -> bool:
        """Without a lock file no worker came yet, or somebody deleted it: then the worker's process tells."""
        try:
            worker = self.worker()
        except BundleDamaged as error:
            raise OSError(f"neither {LOCK} nor {WORKER} tells whether a worker lives") from error
        return worker is not None and same_process(worker.pid, worker.start_time, worker.boot_id)

    def remove(self) -> None:
        """Delete the session, as `attn.bundle.removal` does, when nothing else remembers it.

        Raises BundleBusy while a worker lives, BundleDamaged when strange files are there (then those stay), OSError.
        """
        from attn.bundle.removal import retire  # not for workers

        removal = retire(self)
        removal.erase()
        removal.forget()

    def open_errors(self) -> int:
        """A descriptor for what the worker prints when something goes wrong. Raises OSError."""
        with Directory(self._folder) as directory:
            return directory.open(ERRORS, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def _write(self, name: str, data: bytes) -> None:
        with Directory(self._folder) as directory:
            directory.write(name, data)

    def _read(self, name: str, decode: Callable[[bytes], Value]) -> Value | None:
        try:
            with Directory(self._folder) as directory:
                data = directory.read(name)
            return None if data is None else decode(data)
        except ValueError as error:
            raise BundleDamaged(f"{self._folder}/{name} is damaged: {error}") from error

    def _required(self, name: str, decode: Callable[[bytes], Value]) -> Value:
        value = self._read(name, decode)
        if value is None:
            raise BundleDamaged(f"{self._folder}/{name} is missing")
        return value


def _take_back(unborn: str) -> None:
    """Delete what was made of a bundle that cannot be made. Raises OSError; then the next start does it."""
    with Directory(unborn) as directory:
        for name in (SPEC, META, CONTROL):
            directory.unlink(name)
    os.rmdir(unborn)


def rename(before: str, after: str) -> None:
    """Give a directory another name beside its own, on disk when this returns. Raises OSError."""
    os.rename(before, after)
    with Directory(os.path.dirname(after)) as parent:
        parent.sync()


def list_bundles(run_dir: Path) -> list[Bundle]:
    """The bundles under `run_dir`, by id: plain directories whose names can be a session id. Raises OSError."""
    try:
        with os.scandir(run_dir) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []
    return [Bundle(os.path.join(run_dir, name)) for name in sorted(names) if valid_session_id(name)]
