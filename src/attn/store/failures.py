"""What can go wrong with the store, told apart by error codes and probes, never by the text of a message."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from attn.core import health
from attn.errors import AttnError


class StoreFailure(AttnError):
    """The database cannot be used, or a write did not happen; `code` is a row of `core.health`.

    path: the file it is about; sqlite_name and raw_message: SQLite's own words, empty when SQLite was not asked;
    migration: the name of the step concerned, if one is; backup: the newest good one, if known.
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
    ) -> None:
        values = {"path": str(path), "db": str(path), "home": str(path.parent)}
        helpful = remedy or next(iter(health.commands(code, values)), "")
        super().__init__(code, message, helpful)
        self.path = path
        self.sqlite_name = sqlite_name
        self.raw_message = raw_message
        self.migration = migration

    @property
    def transient(self) -> bool:
        """Whether it ends by itself with its cause, so that trying again makes sense."""
        return health.kind(self.code).course == "transient"


class SqliteError(Exception):
    """SQLite said no. name: as SQLITE_CORRUPT; extended: the extended result code; message: SQLite's words."""

    def __init__(self, name: str, extended: int, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        self.extended = extended
        self.message = message

    @property
    def primary(self) -> int:
        """The primary result code, the low byte of the extended one (sqlite.org/rescode.html)."""
        return self.extended & 0xFF


_CODE_BY_PRIMARY: Final[Mapping[int, str]] = {
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
    errno.EROFS: "home_unwritable",
    errno.EMFILE: "fd_exhausted",
    errno.ENFILE: "fd_exhausted",
}
_READONLY_DBMOVED: Final = 1032
_CANTOPEN: Final = 14

_MESSAGES: Final[Mapping[str, str]] = {
    "store_locked": "{path} is held by another program",
    "permission_denied": "{path} may not be read or written",
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
    if error.extended == _READONLY_DBMOVED:
        code = "file_moved"
    elif error.primary == _CANTOPEN and _descriptors_exhausted():
        code = "fd_exhausted"
    if migration and code == "store_failed":
        code, text = "migration_failed", f"the schema change {migration!r} failed on {path}; your data is unchanged"
    else:
        text = _MESSAGES[code].format(path=path)
    return StoreFailure(
        code,
        f"{text} ({error.name}: {error.message})",
        path=path,
        sqlite_name=error.name,
        raw_message=error.message,
        migration=migration,
    )


def classify_os(error: OSError, path: Path) -> StoreFailure:
    """The failure for an error of the file system on `path`."""
    name = error.__class__.__name__
    if isinstance(error, PermissionError):
        code = "permission_denied"
    elif error.errno in _CODE_BY_ERRNO:
        code = _CODE_BY_ERRNO[error.errno]
    else:
        code = "io_error"
    text = f"{path}: {error.strerror or name}"
    return StoreFailure(code, text, path=path, raw_message=str(error))


def _descriptors_exhausted() -> bool:
    try:
        os.close(os.dup(2))
    except OSError:
        return True
    return False
