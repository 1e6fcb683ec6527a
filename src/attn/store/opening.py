"""From a directory to a store that may be trusted, or a failure that says why not and left everything as it was.

In this order: what stands on the disk (before SQLite is asked), open and lock, check, compare history and schema,
back up, migrate, leave the sentinel. The sentinel tells a lost database from a first run.
"""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import attn
from attn.paths import Home
from attn.store import backup, schema
from attn.store.backup import Backup, write_durably
from attn.store.database import Database
from attn.store.failures import StoreFailure, classify_os
from attn.store.migrations import MIGRATIONS
from attn.store.planner import Plan, Refusal, plan
from attn.store.preferences import Places, Settings
from attn.store.sessions import Sessions

_MAGIC: Final = b"SQLite format 3\0"
_SMALLEST_BYTES: Final = 100  # the header alone (sqlite.org/fileformat2.html)
# Free space that a migration needs: the copy, the log, and room for everybody else.
_SPARE_BYTES: Final = 64 << 20


@dataclass
class Store:
    """An open store. Not for two threads at a time.

    adopted, migrated: names of schema steps found done, and done, at this start; interrupted: the last daemon did not
    close it (it was then checked thoroughly).
    """

    database: Database
    home: Home
    state: Literal["ok", "ephemeral"]
    adopted: list[str] = field(default_factory=list)
    migrated: list[str] = field(default_factory=list)
    interrupted: bool = False

    def __post_init__(self) -> None:
        self.sessions = Sessions(self.database)
        self.places = Places(self.database)
        self.settings = Settings(self.database)

    def check(self) -> None:
        """Raises StoreFailure `file_moved` when the database file is no longer the one that is open."""
        self.database.check_file()

    def back_up(self, reason: str, now_ms: int) -> Backup | None:
        """Make a verified copy and drop the oldest ones; None when the store is in memory. Raises StoreFailure."""
        if self.state == "ephemeral":
            return None
        made = backup.make(self.database, self.home.backups, reason, now_ms)
        backup.rotate(self.home.backups)
        return made

    def last_good_backup(self) -> Backup | None:
        """The newest verified copy."""
        return next(iter(backup.listed(self.home.backups)), None)

    def close(self) -> None:
        """Close for good. Raises StoreFailure when the last pages could not be written."""
        self.database.close()
        if self.state == "ok":
            _write_sentinel(self.home, clean=True)


def open_store(home: Home, *, ephemeral: bool = False, now_ms: int) -> Store:
    """The store of a home; the caller holds the daemon's lock, its umask is 077 and the home exists.

    ephemeral: keep everything in memory, asked for by name only. Raises StoreFailure: then nothing on the disk was
    changed but perhaps a verified backup added.
    """
    if ephemeral:
        memory = Database.in_memory()
        schema.apply(memory, Plan(run=MIGRATIONS), now_ms)
        return Store(memory, home, "ephemeral")
    sentinel = _read_sentinel(home)
    try:
        if not _stands(home, sentinel is not None):
            _create(home, now_ms)
        elif stat.S_IMODE(home.database.stat().st_mode) & 0o077:
            home.database.chmod(0o600)
    except OSError as error:
        raise classify_os(error, home.database) from error
    clean = sentinel is None or bool(sentinel.get("clean"))
    database = Database.open(home.database)
    try:
        todo = _check(database, home, thorough=not clean, had_rows=sentinel is not None)
        database.accept()
        if todo.run or todo.adopt:
            _make_room(home)
            backup.make(database, home.backups, "migration", now_ms)
            backup.rotate(home.backups)
            schema.apply(database, todo, now_ms)
        _write_sentinel(home, clean=False)
    except BaseException:
        database.close()
        raise
    names = [step.name for step in todo.adopt], [step.name for step in todo.run]
    return Store(database, home, "ok", *names, interrupted=not clean)


def _stands(home: Home, known: bool) -> bool:
    """Whether there is a database to open; False on a true first run. Raises StoreFailure for everything unclear."""
    path = home.database
    try:
        found = path.lstat()
    except FileNotFoundError:
        _refuse_stray_log(path)
        if known:
            raise StoreFailure("missing_file", f"{path} is gone, but it was there before", path=path) from None
        _require_writable(path.parent)
        return False
    if stat.S_ISLNK(found.st_mode):
        if not path.exists():
            raise StoreFailure("symlink", f"{path} is a link to {os.readlink(path)}, which is not there", path=path)
        found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise StoreFailure("not_a_database", f"{path} is not a file", path=path)
    if not os.access(path, os.R_OK | os.W_OK):
        raise StoreFailure("permission_denied", f"{path} may not be read or written (mode "
                           f"{stat.S_IMODE(found.st_mode):04o}, owner {found.st_uid})", path=path)  # fmt: skip
    _require_writable(path.parent)
    if found.st_size == 0:
        _refuse_stray_log(path)
        if known or backup.listed(home.backups):
            raise StoreFailure("empty_file", f"{path} is empty, but it held a database before", path=path)
        return False
    with path.open("rb") as file:  # closed before SQLite opens it: closing a descriptor later would drop its lock
        start = file.read(len(_MAGIC))
    if start != _MAGIC or found.st_size < _SMALLEST_BYTES:
        text = f"{path} does not begin like an SQLite database but with {start!r} ({found.st_size} bytes)"
        raise StoreFailure("not_a_database", text, path=path)
    return True


def _refuse_stray_log(path: Path) -> None:
    """A log next to no database: put beside a new one, SQLite would replay old pages over it."""
    for suffix in ("-wal", "-journal"):
        log = path.with_name(path.name + suffix)
        if log.exists() and log.stat().st_size:
            raise StoreFailure("wal_mismatch", f"{log} stands there without its database", path=path)


def _require_writable(directory: Path) -> None:
    if not os.access(directory, os.W_OK | os.X_OK) or os.statvfs(directory).f_flag & os.ST_RDONLY:
        raise StoreFailure("home_unwritable", f"{directory} may not be written", path=directory)


def _create(home: Home, now_ms: int) -> None:
    """A new database, complete before it gets its name: a file called attn.db is never half made."""
    unfinished = home.database.with_name(home.database.name + ".new")
    for suffix in ("", "-wal", "-journal", "-shm"):
        unfinished.with_name(unfinished.name + suffix).unlink(missing_ok=True)
    os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    database = Database.open(unfinished)
    try:
        database.accept()
        schema.apply(database, Plan(run=MIGRATIONS), now_ms)
    finally:
        database.close()
    backup.sync_file(unfinished)
    unfinished.rename(home.database)
    backup.sync_file(home.root)


def _check(database: Database, home: Home, *, thorough: bool, had_rows: bool) -> Plan:
    path = home.database
    damage = database.damage(thorough=thorough)
    if damage:
        raise StoreFailure(
            "corrupt", f"{path} is damaged: {'; '.join(damage[:3])}", path=path, raw_message="\n".join(damage)
        )
    found = schema.inspect(database)
    if not found.tables and had_rows:
        raise StoreFailure("empty_file", f"{path} holds no tables, but it held a database before", path=path)
    decided = plan(found, schema.read_ledger(database, found), MIGRATIONS)
    if isinstance(decided, Refusal):
        raise StoreFailure(decided.code, f"{path}: {decided.message}", path=path, migration=decided.migration)
    wrong = schema.differences(found, schema.canonical()) if decided.empty and not decided.ahead else []
    if wrong:
        text = f"{path} does not have the schema that its history says: {', '.join(wrong[:5])}"
        raise StoreFailure("schema_conflict", text, path=path)
    return decided


def _make_room(home: Home) -> None:
    log = home.database.with_name(home.database.name + "-wal")
    size = home.database.stat().st_size + (log.stat().st_size if log.exists() else 0)
    disk = os.statvfs(home.root)
    free, needed = disk.f_bavail * disk.f_frsize, 2 * size + _SPARE_BYTES
    if free < needed:
        text = f"changing the schema needs {needed >> 20} MB on the disk of {home.root}, {free >> 20} MB are free"
        raise StoreFailure("disk_low", text, path=home.database)


def _read_sentinel(home: Home) -> dict[str, Any] | None:
    """What the last daemon left, None on a first run. One that cannot be read still says that there was a database."""
    try:
        value = json.loads(home.sentinel.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError:
        return {}
    except OSError as error:
        raise classify_os(error, home.sentinel) from error
    return value if isinstance(value, dict) else {}


def _write_sentinel(home: Home, *, clean: bool) -> None:
    """clean: the database was closed; otherwise the next start checks it thoroughly."""
    value = {"schema": len(MIGRATIONS), "app_version": attn.__version__, "clean": clean}
    try:
        write_durably(home.sentinel, json.dumps(value).encode())
    except OSError as error:
        raise classify_os(error, home.sentinel) from error
