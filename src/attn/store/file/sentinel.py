"""`attn.db.meta`: what a daemon leaves beside its database, so that the next one knows what must be there.

It tells a lost database from a first run, a log of this database from a foreign one, a clean stop from a crash, and a
schema change that failed twice from one that may be tried.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Final, Self

from attn.store.file.durable import read_quietly, write_durably

# No log has it (see probes.log_origin): the log that was left is not of the database that stands beside it.
OTHERS: Final = -1


@dataclass(frozen=True)
class Sentinel:
    """clean: the last daemon closed the database; log_origin: see probes.log_origin, of the log it then had, and OTHERS
    when that belongs to no database that stands there; database_inode, log_inode: of the two;
    database_mtime_ns: when this attn wrote the database last, as far as is known;
    newest_version, newest_python: of the newest attn that used this database; failed_*: the schema change that failed
    last, how often, and with which version of attn.
    """

    clean: bool = False
    schema: int = 0
    app_version: str = ""
    log_origin: int | None = None
    newest_version: str = ""
    newest_python: str = ""
    failed_migration: str = ""
    failed_version: str = ""
    failed_times: int = 0
    database_inode: int | None = None
    log_inode: int | None = None
    database_mtime_ns: int | None = None

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """What stands there, None on a first run. One that makes no sense still says that there was a database.

        Raises OSError.
        """
        try:
            found = json.loads(read_quietly(path))
        except FileNotFoundError:
            return None
        except ValueError:
            return cls()
        known = found if isinstance(found, dict) else {}
        right = {
            field.name: known[field.name]
            for field in fields(cls)
            if field.name in known and _fits(known[field.name], field.default)
        }
        return cls(**right)

    @property
    def left_a_log(self) -> bool:
        """Whether the last daemon was killed while it had one."""
        return not self.clean and self.log_origin is not None

    def write(self, path: Path) -> None:
        """Raises OSError."""
        write_durably(path, self.encoded())

    def encoded(self) -> bytes:
        """As it stands in the file."""
        return json.dumps(asdict(self)).encode()

    def opened(self, version: str, python: str, schema: int) -> Self:
        """The same for a database that is open from now on."""
        now = replace(self.without_log(), clean=False, schema=schema, app_version=version)
        if older(version, self.newest_version):
            return now
        return replace(now, newest_version=version, newest_python=python)

    def without_log(self) -> Self:
        """The same when no log is known."""
        return replace(self, log_origin=None, database_inode=None, log_inode=None, database_mtime_ns=None)

    def failed(self, migration: str, version: str) -> Self:
        """The same after a schema change failed."""
        same = (self.failed_migration, self.failed_version) == (migration, version)
        times = self.failed_times + 1 if same else 1
        return replace(self, failed_migration=migration, failed_version=version, failed_times=times)

    def recovered(self) -> Self:
        """The same when no schema change is outstanding."""
        return replace(self, failed_migration="", failed_version="", failed_times=0)


def older(version: str, than: str) -> bool:
    """Whether a version such as `0.9.1` comes before another; an empty one comes before all."""
    return _numbers(version) < _numbers(than)


def _fits(value: object, default: object) -> bool:
    if default is None:
        return value is None or (isinstance(value, int) and not isinstance(value, bool))
    return type(value) is type(default)


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)[:3]]
