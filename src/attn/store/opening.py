"""From a directory to a store that may be trusted, or a failure that says why not and left everything as it was.

In this order: what stands on the disk (before SQLite is asked), open and lock, check, compare history and schema,
back up, migrate, prove that it can be written. The sentinel tells a lost database from a first run.
"""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

import attn
from attn.paths import Home
from attn.store import backup, schema
from attn.store.backup import Backup
from attn.store.database import Database, library_version
from attn.store.failures import StoreFailure, classify_os
from attn.store.file import holders, probes
from attn.store.file.belonging import foreign_log, overwritten, with_log, written
from attn.store.file.durable import sync_file, write_durably
from attn.store.file.probes import Finding
from attn.store.file.sentinel import OTHERS, Sentinel, older
from attn.store.migrations import MIGRATIONS
from attn.store.planner import Plan, Refusal, plan, stands
from attn.store.preferences import Places, Settings
from attn.store.sessions import Sessions

# Free space that a migration needs: the copy, the log, and room for everybody else.
_SPARE_BYTES: Final = 64 << 20
# Up to this size every start reads everything (100 ms); above it only after a stop that was not clean.
_ALWAYS_THOROUGH_BYTES: Final = 16 << 20
# STRICT tables (sqlite.org/stricttables.html).
_SQLITE_MIN: Final = "3.37.0"
# A schema change that failed so often with one version of attn is not tried again until a person asks.
FAILURES_MAX: Final = 2


@dataclass
class Store:
    """An open store. Not for two threads at a time.

    plan: what this start did to the schema; warnings: what a person should know although the store works;
    interrupted: the last daemon did not close it (it was then checked thoroughly).
    """

    database: Database
    home: Home
    state: Literal["ok", "ephemeral"]
    plan: Plan = field(default_factory=Plan)
    warnings: list[Finding] = field(default_factory=list)
    interrupted: bool = False
    sentinel: Sentinel = field(default_factory=Sentinel)

    def __post_init__(self) -> None:
        # How much was written, as of the last look at it and of the last time when the log was brought in.
        self.seen, self.settled = -1, -1
        self.sessions = Sessions(self.database)
        self.places = Places(self.database)
        self.settings = Settings(self.database)

    def check(self) -> None:
        """Raises StoreFailure `file_moved` when the database file is no longer the one that is open."""
        self.database.check_file()

    def check_thoroughly(self) -> None:
        """Read everything. Raises StoreFailure `corrupt` or `index_corrupt`."""
        require_sound(self.database, thorough=True)

    def prove_writable(self) -> None:
        """Raises StoreFailure when the database cannot be written now."""
        self.database.check_file()
        self.database.prove_writable()

    def back_up(self, reason: str, now_ms: int) -> Backup | None:
        """Make a verified copy and drop the oldest ones; None when the store is in memory. Raises StoreFailure."""
        if self.state == "ephemeral":
            return None
        made = backup.make(self.database, self.home.backups, reason, now_ms)
        backup.rotate(self.home.backups)
        return made

    def rest(self) -> None:
        """As `check`; and when nothing was written since the last time, bring the log into the database: a log that
        somebody removes while no daemon runs takes with it what is only there. Raises StoreFailure."""
        self.database.check_file()
        changes = self.database.changes()
        if changes == self.seen != self.settled:
            self.settle()
            self.settled = changes
        self.seen = changes

    def settle(self) -> None:
        """Bring the log into the database. Raises StoreFailure."""
        self.database.settle()
        if self.state == "ok":
            self.sentinel = written(_real(self.home), self.sentinel)
            _write(self.home, self.sentinel)

    def rescue(self, now_ms: int) -> Backup | None:
        """The file was replaced: copy what is still open, then let go of it without touching what stands there now.
        Raises StoreFailure when no copy could be made; it is let go of all the same."""
        try:
            return self.back_up("rescued", now_ms)
        finally:
            self.database.abandon()
            if overwritten(_real(self.home), self.sentinel):
                _write(self.home, replace(self.sentinel, log_origin=OTHERS))

    def close(self) -> None:
        """Close for good. Raises StoreFailure when the last pages could not be written."""
        self.database.close()
        if self.state == "ok":
            try:
                clean = not any(probes.size_bytes(file) for file in probes.companions(_real(self.home)))
                replace(self.sentinel, clean=clean).write(self.home.sentinel)
            except OSError as error:
                raise classify_os(error, self.home.sentinel) from error


def open_store(home: Home, *, ephemeral: bool = False, retry: bool = False, now_ms: int) -> Store:
    """The store of a home; the caller holds the daemon's lock, its umask is 077 and the home exists.

    ephemeral: keep everything in memory, asked for by name only; retry: a person asked, so also try what failed
    before. Raises StoreFailure: then nothing on the disk was changed but perhaps a verified backup added.
    """
    if older(library_version(), _SQLITE_MIN):
        text = f"attn needs SQLite {_SQLITE_MIN} or newer, this is {library_version()}"
        raise StoreFailure("sqlite_version", text, path=home.database)
    if ephemeral:
        memory = Database.in_memory()
        schema.apply(memory, Plan(run=MIGRATIONS), now_ms)
        return Store(memory, home, "ephemeral")
    if os.path.lexists(home.intent):
        raise StoreFailure("repair_incomplete", f"{home.intent} says that a repair is not done", path=home.intent)
    before = _left(home)
    try:
        if not _stands(home, known=before is not None):
            _create(home, now_ms)
        elif stat.S_IMODE(home.database.stat().st_mode) & 0o077:
            home.database.chmod(0o600)
        _refuse_foreign_log(home, before)
        gone = probes.log_gone(_real(home)) if before is not None and before.left_a_log else None
    except OSError as error:
        raise classify_os(error, home.database) from error
    store = _opened(home, before, now_ms, retry=retry)
    store.warnings += [gone] if gone else []
    return store


def _opened(home: Home, before: Sentinel | None, now_ms: int, *, retry: bool) -> Store:
    try:
        return _open(home, before, now_ms, retry=retry)
    except StoreFailure as failure:
        if failure.code != "io_error" or not failure.migration:
            raise
        # Whether that COMMIT happened is not known: a new connection reads it from the file.
        return _open(home, Sentinel() if before is None else replace(before, clean=False), now_ms, retry=retry)


def _open(home: Home, before: Sentinel | None, now_ms: int, *, retry: bool) -> Store:
    clean = before is None or before.clean
    thorough = not clean or probes.size_bytes(_real(home)) <= _ALWAYS_THOROUGH_BYTES
    database = Database.open(home.database)
    sentinel = (before or Sentinel()).opened(attn.__version__, sys.executable, len(MIGRATIONS))
    kept = home.sentinel.read_bytes() if before is not None and home.sentinel.exists() else None
    tried = Plan()
    try:
        todo = examine(database, thorough=thorough, had_rows=before is not None)
        _refuse_repetition(home, before, todo, retry=retry)
        _write(home, sentinel)  # before the first change: from now on a log of this database may stand there
        tried = todo
        if not todo.empty:
            _migrate(database, home, todo, now_ms)
        database.accept()
        database.prove_writable()
        sentinel = with_log(_real(home), sentinel).recovered()
        _write(home, sentinel)
    except BaseException as error:
        if isinstance(error, StoreFailure) and error.code == "migration_failed" and tried.run:
            failed = (before or Sentinel(clean=clean)).failed(tried.run[0].name, attn.__version__)
            kept = failed.encoded()
        _give_up(database, home, kept, error, clean=clean)
        raise
    warnings = _warnings(database, home, before, thorough=thorough or todo.ahead)
    return Store(database, home, "ok", todo, warnings, interrupted=not clean, sentinel=sentinel)


def _give_up(database: Database, home: Home, kept: bytes | None, error: BaseException, *, clean: bool) -> None:
    """Close, and put the sentinel back as it was, so that a refusal leaves no trace."""
    try:
        database.close()
        if not clean or not any(probes.size_bytes(file) for file in probes.companions(_real(home))):
            if kept is None:
                home.sentinel.unlink(missing_ok=True)
            elif home.sentinel.read_bytes() != kept:
                write_durably(home.sentinel, kept)
    except (StoreFailure, OSError) as second:
        error.add_note(f"then: {second}")


def _migrate(database: Database, home: Home, todo: Plan, now_ms: int) -> None:
    _make_room(home)
    try:
        backup.make(database, home.backups, "migration", now_ms)
        backup.rotate(home.backups)
    except StoreFailure as failure:
        if failure.transient:
            raise
        text = f"no verified backup could be made, so {home.database} was not changed: {failure.message}"
        raise StoreFailure("backup_failed", text, path=failure.path, raw_message=failure.raw_message) from failure
    schema.apply(database, todo, now_ms)
    require_sound(database, thorough=True)


def _refuse_repetition(home: Home, before: Sentinel | None, todo: Plan, *, retry: bool) -> None:
    """A start that fails again and again must not copy the database each time."""
    if before is None or retry or not todo.run or before.failed_times < FAILURES_MAX:
        return
    name = todo.run[0].name
    if (before.failed_migration, before.failed_version) == (name, attn.__version__):
        text = f"the schema change {name!r} failed {before.failed_times} times; {home.database} is unchanged"
        raise StoreFailure("migration_failed", text, path=home.database, migration=name)


def _stands(home: Home, *, known: bool) -> bool:
    """Whether there is a database to open; False on a true first run. Raises StoreFailure for everything unclear."""
    path = home.database
    _refuse(probes.link(path))
    real = _real(home)
    _refuse(probes.unusable(real))
    try:
        found = path.stat()
    except FileNotFoundError:
        _refuse_stray_log(real)
        if known or backup.listed(home.backups):
            raise StoreFailure("missing_file", f"{path} is gone, but it was there before", path=path) from None
        return False
    if not stat.S_ISREG(found.st_mode):
        raise StoreFailure("not_a_database", f"{path} is not a file", path=path)
    if found.st_size == 0:
        _refuse_stray_log(real)
        if known or backup.listed(home.backups):
            raise StoreFailure("empty_file", f"{path} is empty, but it held a database before", path=path)
        return False
    _refuse(probes.header(real))
    return True


def look(home: Home) -> bool:
    """Whether a database stands there that SQLite may be asked about. Changes nothing. Raises StoreFailure."""
    before = _left(home)
    try:
        found = _stands(home, known=before is not None)
        _refuse_foreign_log(home, before)
    except OSError as error:
        raise classify_os(error, home.database) from error
    return found


def _refuse(finding: Finding | None) -> None:
    if finding is not None:
        raise StoreFailure.found(finding)


def _refuse_stray_log(path: Path) -> None:
    """A log next to no database: put beside a new one, SQLite would replay old pages over it."""
    for log in probes.companions(path):
        if probes.size_bytes(log):
            raise StoreFailure("log_alone", f"{log} stands there without its database", path=log)


def _refuse_foreign_log(home: Home, before: Sentinel | None) -> None:
    """A log that the last daemon did not leave there."""
    real = _real(home)
    found = foreign_log(real, before)
    other = holders.holder(real) if found and before and before.clean else None
    if other is not None:  # whoever works on it clears its log away when it ends
        text = f"{home.database} is in use by {other}"
        raise StoreFailure("store_locked", text, path=home.database, pid=str(other.pid))
    _refuse(found)


def _real(home: Home) -> Path:
    """Where the file stands, and its log with it, when attn.db is a link."""
    return home.database.resolve()


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
    sync_file(unfinished)
    unfinished.rename(home.database)
    sync_file(home.root)


def examine(database: Database, *, thorough: bool, had_rows: bool) -> Plan:
    """What a start finds in an open database, or in its image, and what it will do. Nothing is changed.

    had_rows: a daemon has used it before. Raises StoreFailure for everything that a start refuses.
    """
    path = database.path
    require_sound(database, thorough=thorough)
    found = schema.inspect(database)
    if not found.tables and had_rows:
        raise StoreFailure("empty_file", f"{path} holds no tables, but it held a database before", path=path)
    decided = decide(database, path)
    if not decided.empty and not thorough:
        require_sound(database, thorough=True)
    if decided.empty:
        Sessions(database).list()  # no check of SQLite's knows what a row means
    return decided


def decide(database: Database, path: Path) -> Plan:
    """What brings the database up to date. path: what it is called. Raises StoreFailure when attn may not use it."""
    found = schema.inspect(database)
    steps = stands(found, MIGRATIONS)
    sound = steps == MIGRATIONS[: len(steps)] and not schema.differences(
        schema.with_ledger(found), schema.canonical(steps)
    )
    decided = plan(found, schema.read_ledger(database, found), MIGRATIONS, sound=sound)
    if isinstance(decided, Refusal):
        raise StoreFailure(decided.code, f"{path}: {decided.message}", path=path, migration=decided.migration)
    if not (sound or decided.restore or decided.run or decided.ahead):
        wrong = schema.differences(found, schema.canonical())
        text = f"{path} does not have the schema that its history says: {', '.join(wrong[:5])}"
        raise StoreFailure("schema_conflict", text, path=path)
    schema.foresee_conflicts(database, found, decided, path)
    return decided


def require_sound(database: Database, *, thorough: bool) -> None:
    """Raises StoreFailure `corrupt`, `index_corrupt` when no row is damaged, or why nothing can be read."""
    path = database.path
    try:
        lines = database.damage(thorough=thorough)
    except StoreFailure as failure:
        if failure.code != "store_failed":
            raise
        # The check's statement is right, so it is the schema in the file that SQLite cannot read.
        text = f"the schema of {path} cannot be read ({failure.sqlite_name}: {failure.raw_message})"
        raise StoreFailure("corrupt", text, path=path, sqlite_name=failure.sqlite_name,
                           raw_message=failure.raw_message) from failure  # fmt: skip
    if lines:
        only = database.only_indexes_damaged()
        code, what = ("index_corrupt", "has an index that is damaged") if only else ("corrupt", "is damaged")
        text = f"{path} {what}: {'; '.join(lines[:3])}"
        raise StoreFailure(code, text, path=path, raw_message="\n".join(lines))


def _warnings(database: Database, home: Home, before: Sentinel | None, *, thorough: bool) -> list[Finding]:
    path = home.database
    found = [probes.remote(path)]
    if before is not None and older(attn.__version__, before.newest_version):
        text = f"{path} was used by attn {before.newest_version}; this is attn {attn.__version__} ({sys.executable})"
        found.append(Finding("binary_mismatch", text, Path(before.newest_python)))
    if thorough:
        dangling = database.rows("PRAGMA foreign_key_check")
        tables = ", ".join(sorted({str(row[0]) for row in dangling}))
        if dangling:
            found.append(Finding("fk_violation", f"{len(dangling)} rows of {tables} refer to missing rows", path))
    return [each for each in found if each is not None]


def _make_room(home: Home) -> None:
    real = _real(home)
    size = sum(probes.size_bytes(file) for file in (real, *probes.companions(real)))
    disk = os.statvfs(real.parent)
    free, needed = disk.f_bavail * disk.f_frsize, 2 * size + _SPARE_BYTES
    if free < needed:
        text = f"changing the schema needs {needed >> 20} MB on the disk of {home.root}, {free >> 20} MB are free"
        raise StoreFailure("disk_low", text, path=home.database)


def _left(home: Home) -> Sentinel | None:
    try:
        return Sentinel.read(home.sentinel)
    except OSError as error:
        raise classify_os(error, home.sentinel) from error


def _write(home: Home, sentinel: Sentinel) -> None:
    try:
        sentinel.write(home.sentinel)
    except OSError as error:
        raise classify_os(error, home.sentinel) from error
