"""Verified copies of the database: made, checked, written down, found again, bounded."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import attn
from attn.errors import AttnError
from attn.store.database import Database
from attn.store.failures import StoreFailure, classify_os
from attn.store.file.durable import sync_file, write_durably

# The newest that are kept; all of them were verified, so the newest good one is never among those that go.
KEPT: Final = 5
KEPT_DAYS: Final = 7
KEPT_MIGRATIONS: Final = 3
_DAY_MS: Final = 24 * 3600 * 1000
_SUFFIX: Final = ".db"
_UNFINISHED: Final = ".unfinished"


@dataclass(frozen=True)
class Backup:
    """One verified copy. rows: how many, by table."""

    path: str
    at_ms: int
    reason: str
    schema: int
    app_version: str
    rows: dict[str, int]
    sha256: str


def make(database: Database, directory: Path, reason: str, now_ms: int) -> Backup:
    """Copy, check the copy, bring it to the disk, and only then give it its name. Not inside a transaction.

    reason: a word for the file name. When nothing changed since the newest copy, that one is returned. Raises
    StoreFailure `backup_failed`, or the failure of the disk; no unfinished copy stays behind.
    """
    schema = int(str(database.one("PRAGMA user_version") or 0))
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(now_ms / 1000)) + f"{now_ms % 1000:03d}"
    path = directory / f"attn-{stamp}-s{schema}-{reason}{_SUFFIX}"
    unfinished = path.with_suffix(_UNFINISHED)
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        _clear(directory)  # a copy that was killed while it was made
        os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        try:
            database.copy_to(unfinished)
            rows = _verified(unfinished, _counts(database))
            backup = Backup(str(path), now_ms, reason, schema, attn.__version__, rows, _digest(unfinished))
            newest = newest_intact(directory)
            if newest is not None and newest.sha256 == backup.sha256:
                return newest  # a start that fails again and again must not push the older copies out
            sync_file(unfinished)
            unfinished.rename(path)
        finally:
            _clear(directory)
        write_durably(_record(path), json.dumps(asdict(backup), indent=1).encode())
    except OSError as error:
        raise classify_os(error, directory) from error
    return backup


def make_for_person(database: Database, directory: Path, to: Path | None, now_ms: int) -> Backup:
    """A copy that a person asked for: in `directory`, or at `to`, which is another directory or a new file's name.

    A copy elsewhere is not one of ours: it is neither offered nor rotated. Raises StoreFailure, AttnError `usage`.
    """
    if to is None or to.is_dir():
        made = make(database, to or directory, "manual", now_ms)
        if to is None:
            rotate(directory)
        return made
    if not to.parent.is_dir():
        raise AttnError("directory_missing", f"{to.parent} is no directory", "make it first")
    for path in (to, _record(to)):
        if os.path.lexists(path):
            raise AttnError("usage", f"{path} is there already", "give the name of a new file, or of a directory")
    try:
        with tempfile.TemporaryDirectory(dir=to.parent, prefix=".attn-") as folder:
            made = make(database, Path(folder), "manual", now_ms)
            Path(made.path).rename(to)
        moved = replace(made, path=str(to))
        write_durably(_record(to), json.dumps(asdict(moved), indent=1).encode())
    except OSError as error:
        raise classify_os(error, to) from error
    return moved


def listed(directory: Path) -> list[Backup]:
    """The copies that were verified when they were made, newest first; a record that cannot be read is left out.

    Raises StoreFailure when the directory cannot be read.
    """
    found: list[Backup] = []
    for path in _copies(directory):
        try:
            backup = Backup(**json.loads(_record(path).read_bytes()))
        except (OSError, ValueError, TypeError):
            continue  # a copy without its record was never verified to the end, so it is not offered
        found.append(backup)
    return sorted(found, key=lambda backup: backup.at_ms, reverse=True)


def newest_intact(directory: Path) -> Backup | None:
    """The newest copy that is, byte for byte, still the one that was verified; None without one.

    Raises StoreFailure when the directory cannot be read.
    """
    for backup in listed(directory):
        try:
            if _digest(directory / Path(backup.path).name) == backup.sha256:
                return backup
        except OSError:
            continue  # gone, or not to be read: an older one is better
    return None


def kept(copies: Sequence[Backup]) -> set[str]:
    """Paths of the copies that stay, of all of them, newest first: the newest KEPT, the newest of each of the last
    KEPT_DAYS that have one, of each schema, and of those before a schema change the newest KEPT_MIGRATIONS. Pure."""
    days: dict[int, str] = {}
    schemas: dict[int, str] = {}
    for copy in copies:
        days.setdefault(copy.at_ms // _DAY_MS, copy.path)
        schemas.setdefault(copy.schema, copy.path)
    before = [copy.path for copy in copies if copy.reason == "migration"]
    newest = [copy.path for copy in copies[:KEPT]]
    return {*newest, *list(days.values())[:KEPT_DAYS], *list(schemas.values())[:KEPT], *before[:KEPT_MIGRATIONS]}


def _copies(directory: Path) -> list[Path]:
    try:
        names = os.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise classify_os(error, directory) from error
    return [directory / name for name in names if name.startswith("attn-") and name.endswith(_SUFFIX)]


def rotate(directory: Path) -> None:
    """Remove the copies that `kept` does not name. Raises StoreFailure."""
    copies = listed(directory)
    staying = kept(copies)
    for backup in (copy for copy in copies if copy.path not in staying):
        path = directory / Path(backup.path).name
        try:
            path.unlink(missing_ok=True)
            _record(path).unlink(missing_ok=True)
        except OSError as error:
            raise classify_os(error, path) from error


def _clear(directory: Path) -> None:
    for path in directory.glob(f"attn-*{_UNFINISHED}*"):
        path.unlink(missing_ok=True)


def _record(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def _verified(copy: Path, wanted: dict[str, int]) -> dict[str, int]:
    database = Database.open_copy(copy)
    try:
        damage, rows = database.damage(thorough=True), _counts(database)
    finally:
        database.close()
    if damage or rows != wanted:
        what = damage[0] if damage else f"it holds {rows}, the database {wanted}"
        raise StoreFailure("backup_failed", f"the copy {copy} is not good: {what}", path=copy)
    return rows


def _counts(database: Database) -> dict[str, int]:
    names = database.rows("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    quoted = [(str(name), str(name).replace('"', '""')) for (name,) in names]
    return {name: int(str(database.one(f'SELECT count(*) FROM "{safe}"'))) for name, safe in quoted}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
