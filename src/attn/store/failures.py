"""What can go wrong with the store, told apart by error codes and probes, never by the text of a message."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from attn.core import health
from attn.errors import AttnError
from attn.store.file import holders, probes
from attn.store.file.probes import Finding


class StoreFailure(AttnError):
    """The database cannot be used, or a write did not happen; `code` is a row of `core.health`.

    path: the file it is about; sqlite_name and raw_message: SQLite's own words, empty when SQLite was not asked;
    migration: the name of the step concerned, if one is; pid: of the process in the way, if one is known.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        path: Path,
        sqlite_name: str = "",
        raw_message: str = "",
        migration: str = "",
        remedy: str = "",
        pid: str = "",
    ) -> None:
        values = {"path": str(path), "db": str(path), "home": str(path.parent), "pid": pid}
        helpful = remedy or next(iter(health.commands(code, values)), "")
        super().__init__(code, message, helpful)
        self.path = path
        self.sqlite_name = sqlite_name
        self.raw_message = raw_message
        self.migration = migration
        self.pid = pid

    @classmethod
    def found(cls, finding: Finding) -> StoreFailure:
        """What a look at the files explains."""
        return cls(finding.code, finding.text, path=finding.path)

    @property
    def transient(self) -> bool:
        """Whether it ends by itself with its cause, so that trying again makes sense."""
        return health.kind(self.code).course == "transient"


class SqliteError(Exception):
    """SQLite said no. name: as SQLITE_CORRUPT; extended: the extended result code; message: SQLite's words;
    system: the errno behind it, 0 when there is none or it is not known."""

    def __init__(self, name: str, extended: int, message: str, system: int = 0) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        self.extended = extended
        self.message = message
        self.system = system

    @property
    def primary(self) -> int:
        """The primary result code, the low byte of the extended one (sqlite.org/rescode.html)."""
        return self.extended & 0xFF


_CODE_BY_PRIMARY: Final[Mapping[int, str]] = {
    3: "permission_denied",  # PERM
    5: "store_locked",  # BUSY
    6: "store_locked",  # LOCKED
    8: "permission_denied",  # READONLY
    10: "io_error",  # IOERR
    11: "corrupt",  # CORRUPT
    13: "disk_full",  # FULL
    14: "permission_denied",  # CANTOPEN: everything else it can be is found by the probes
    26: "not_a_database",  # NOTADB
}
_CODE_BY_ERRNO: Final[Mapping[int | None, str]] = {
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "disk_full",
    errno.EROFS: "read_only_disk",
    errno.EMFILE: "fd_exhausted",
    errno.ENFILE: "fd_exhausted",
}
_READONLY_DBMOVED: Final = 1032

_MESSAGES: Final[Mapping[str, str]] = {
    "store_locked": "{path} is held by another program",
    "permission_denied": "{path} may not be read or written",
    "read_only_disk": "{path} is on a file system that is mounted read-only",
    "io_error": "the disk reported an error on {path}",
    "corrupt": "{path} is damaged",
    "disk_full": "the disk that holds {path} is full",
    "not_a_database": "{path} is not an SQLite database",
    "file_moved": "{path} was replaced or removed while attn was using it",
    "fd_exhausted": "attn has too many files open to open {path}",
    "store_failed": "{path} could not be used",
}


def classify(error: SqliteError, path: Path, *, migration: str = "") -> StoreFailure:
    """The failure that a person is told about, for an error of SQLite on `path`."""
    code = _CODE_BY_PRIMARY.get(error.primary, "store_failed")
    text, where, pid = "", path, ""
    if error.extended == _READONLY_DBMOVED:
        code = "file_moved"
    elif code in ("io_error", "permission_denied") and error.system in _CODE_BY_ERRNO:
        code = _CODE_BY_ERRNO[error.system]
    elif code == "permission_denied" and probes.descriptors_exhausted():
        code = "fd_exhausted"
    elif code == "permission_denied" and (finding := probes.unusable(path)) is not None:
        code, text, where = finding.code, finding.text, finding.path
    elif code == "store_locked" and (other := holders.holder(path)) is not None:
        text, pid = f"{path} is held by {other}", str(other.pid)
    elif code == "store_failed" and migration:
        code, text = "migration_failed", f"the schema change {migration!r} failed on {path}; your data is unchanged"
    return StoreFailure(
        code,
        f"{text or _MESSAGES[code].format(path=path)} ({error.name}: {error.message})",
        path=where,
        sqlite_name=error.name,
        raw_message=error.message,
        migration=migration,
        pid=pid,
    )


def classify_os(error: OSError, path: Path) -> StoreFailure:
    """The failure for an error of the file system on `path`."""
    name = error.__class__.__name__
    if isinstance(error, PermissionError):
        finding = probes.unusable(path)
        if finding is not None:
            return StoreFailure.found(finding)
        code = "permission_denied"
    elif error.errno in _CODE_BY_ERRNO:
        code = _CODE_BY_ERRNO[error.errno]
    else:
        code = "io_error"
    text = f"{path}: {error.strerror or name}"
    return StoreFailure(code, text, path=path, raw_message=str(error))
