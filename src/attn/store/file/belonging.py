"""Whether the log beside a database is its own: SQLite works any log that stands there into it, and mixes the two."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from attn.store.file import probes
from attn.store.file.probes import Finding
from attn.store.file.sentinel import Sentinel


def foreign_log(path: Path, before: Sentinel | None) -> Finding | None:
    """The log beside the database at `path`, which is no link, when it is not the one that the last daemon left there.

    Raises OSError. Before SQLite opens the database, which makes a log.
    """
    if before is None:
        return None
    for log in probes.companions(path):
        if before.clean and probes.size_bytes(log):
            return Finding("wal_mismatch", f"{log} was put there after {path.name} was closed without one", log)
    log = probes.companions(path)[0]
    origin = probes.log_origin(path)
    if None not in (origin, before.log_origin) and origin != before.log_origin:
        return Finding("wal_mismatch", f"{log} is not the log that {path.name} was used with", log)
    # In a home that was copied, the log is another one too.
    if origin is not None and before.log_inode == _inode(log) and _another(path, before):
        return Finding("wal_mismatch", f"{log} is of the file that {path.name} was before it was replaced", log)
    return None


def with_log(path: Path, sentinel: Sentinel) -> Sentinel:
    """What is left for the next start about the open database at `path` and its log. Raises OSError."""
    log = probes.companions(path)[0]
    known = replace(sentinel, log_origin=probes.log_origin(path))
    return written(path, replace(known, database_inode=_inode(path), log_inode=_inode(log)))


def written(path: Path, sentinel: Sentinel) -> Sentinel:
    """The same after the log was brought into the database. Raises OSError."""
    return replace(sentinel, database_mtime_ns=path.stat().st_mtime_ns)


def overwritten(path: Path, sentinel: Sentinel) -> bool:
    """Whether others wrote into the file of the open database, which was not replaced by another: then its log is no
    longer of what stands there, and only we can say so. Raises OSError."""
    return _inode(path) == sentinel.database_inode


def _another(path: Path, before: Sentinel) -> bool:
    """Whether the database was replaced, and not by a faithful copy of itself."""
    if before.database_inode in (None, _inode(path)):
        return False
    return path.stat().st_mtime_ns != before.database_mtime_ns


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None
