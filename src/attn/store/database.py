"""The one connection to the database, and the only module that knows its driver.

One process, one connection, in EXCLUSIVE mode from the first access on: no shared-memory file, no second writer, and
none of SQLite's bugs that need two connections. The daemon's flock is taken before this module is used. Never open
the file by other means while it is open here: closing any descriptor of it drops SQLite's lock (howtocorrupt.html).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import apsw

from attn.store.failures import SqliteError, StoreFailure, classify, classify_os
from attn.store.file.probes import companions, remote, size_bytes

Value = str | int | float | bytes | None
Row = tuple[Value, ...]

MEMORY: Final = Path(":memory:")
# How long another holder of the lock is waited for; the daemon tries again later by itself.
BUSY_MS: Final = 1000

# Marks our files in the header ("attn"), see file(1) and sqlite.org/fileformat2.html.
APPLICATION_ID: Final = 0x6174746E


_INDEXES: Final = """
    SELECT list.name, tables.name FROM sqlite_schema AS tables, pragma_index_list(tables.name) AS list
    WHERE tables.type = 'table' AND NOT list.partial"""


class Database:
    """An open database. Not for two threads at a time. Every failure is a StoreFailure, nothing is swallowed."""

    def __init__(self, connection: apsw.Connection, path: Path) -> None:
        self._connection = connection
        self.path = path
        self.is_open = True
        self._identity = None if path == MEMORY else self._stat()[:2]
        # How this connection left the file, once it is the only one that writes it; where that can be relied on.
        self._left: tuple[int, int] | None = None

    @classmethod
    def open(cls, path: Path, *, vfs: str | None = None) -> Database:
        """Open a file that exists and take its lock. Until `accept` its bytes do not change. Raises StoreFailure."""
        try:
            connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE, vfs=vfs)
        except apsw.Error as error:
            raise classify(_sqlite_error(error), path) from error
        try:
            connection.set_busy_timeout(BUSY_MS)
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, int(_has_log(path)))
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")  # before the first access, or WAL makes a -shm file
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()  # takes the lock, now
            return cls(connection, path)
        except apsw.SQLError as error:
            # The statements above are right, so it is the schema in the file that SQLite cannot read.
            wrong = _sqlite_error(error, connection)
            connection.close()
            raise StoreFailure("corrupt", f"the schema of {path} cannot be read ({wrong})", path=path,
                               sqlite_name=wrong.name, raw_message=wrong.message) from error  # fmt: skip
        except apsw.Error as error:
            failure = classify(_sqlite_error(error, connection), path)
            connection.close()
            raise failure from error
        except StoreFailure:
            connection.close()
            raise

    def prove_writable(self) -> None:
        """Commit something that changes nothing, so that a database that opened can also be written. StoreFailure."""
        with self.transaction():
            self.rows(f"PRAGMA user_version = {int(str(self.one('PRAGMA user_version')))}")

    def settle(self) -> None:
        """Bring everything from the log into the database and to the disk. Raises StoreFailure."""
        try:
            self.rows("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            self._remember()

    def accept(self) -> None:
        """This is a database to work with: keep a write-ahead log, and clear it on closing. Raises StoreFailure."""
        mode = self.one("PRAGMA journal_mode = WAL")
        if mode != "wal":
            raise StoreFailure("store_failed", f"{self.path} stays in journal mode {mode!r}", path=self.path)
        try:
            self._connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)
        except apsw.Error as error:
            raise self._failure(error) from error
        if remote(self.path) is None:  # elsewhere the time of a file may change after it was written
            self._left = self._stat()[2:]

    @classmethod
    def open_copy(cls, path: Path) -> Database:
        """A finished copy, only to be read. Raises StoreFailure."""
        try:
            return cls(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY), path)
        except apsw.Error as error:
            raise classify(_sqlite_error(error), path) from error

    @classmethod
    def in_memory(cls) -> Database:
        """A database that is gone with the process: for `--ephemeral` and to know what a schema should be."""
        connection = apsw.Connection(":memory:")
        connection.execute("PRAGMA foreign_keys = ON")
        return cls(connection, MEMORY)

    @classmethod
    def of_image(cls, image: bytes, stands_for: Path = MEMORY) -> Database:
        """A database in memory that is a copy of these bytes; its failures name the file that it `stands_for`.

        Raises StoreFailure when memory does not suffice.
        """
        database = cls.in_memory()
        database.path = stands_for
        try:
            database._connection.deserialize("main", image)
        except apsw.Error as error:
            raise classify(_sqlite_error(error), stands_for) from error
        return database

    def image(self) -> bytes:
        """All bytes of the database as its file would be, with its log worked in. Raises StoreFailure."""
        try:
            return self._connection.serialize("main")
        except apsw.Error as error:
            raise self._failure(error) from error

    def rows(self, sql: str, values: Sequence[Value] = ()) -> list[Row]:
        """Run one statement outside or inside of a transaction; all of its rows. Raises StoreFailure."""
        try:
            return self._connection.execute(sql, tuple(values)).fetchall()
        except apsw.Error as error:
            raise self._failure(error) from error
        except UnicodeDecodeError as error:
            text = f"{self.path} is damaged: a text in it is none ({error})"
            raise StoreFailure("corrupt", text, path=self.path) from error

    def each(self, sql: str, values: Sequence[Value] = ()) -> Iterator[Row]:
        """As `rows`, one by one: those before a damaged place are delivered. Raises StoreFailure at that place."""
        try:
            yield from self._connection.execute(sql, tuple(values))
        except apsw.Error as error:
            raise classify(_sqlite_error(error), self.path) from error

    def one(self, sql: str, values: Sequence[Value] = ()) -> Value:
        """The first value of the first row, None without one."""
        found = self.rows(sql, values)
        return found[0][0] if found else None

    @contextmanager
    def transaction(self, *, migration: str = "") -> Iterator[None]:
        """BEGIN IMMEDIATE to COMMIT; whatever goes wrong inside, nothing of it has happened.

        Raises StoreFailure when it cannot be committed. An I/O error in COMMIT leaves the outcome unknown: the
        connection is closed, and opening it again shows what happened.
        """
        self.check_file()  # before anything is read for it from a file of others: what is open can still be rescued
        self._run("BEGIN IMMEDIATE", migration)
        try:
            yield
            self.check_file()
        except BaseException:
            self._roll_back()
            raise
        try:
            self._connection.execute("COMMIT")
        except apsw.Error as error:
            failure = self._failure(error, migration)
            if failure.code == "io_error":
                self.close()
            else:
                self._roll_back()
            raise failure from error
        finally:
            self._remember()  # a COMMIT may bring the log into the file

    def run(self, statements: Sequence[str], *, migration: str = "") -> None:
        """Statements of a migration, inside a transaction. Raises StoreFailure."""
        for statement in statements:
            self._run(statement, migration)

    def check_file(self) -> None:
        """Raises StoreFailure `file_moved` when the path leads to another file now, or somebody else wrote into the
        file: writes would be lost silently, or mixed with theirs."""
        if self._identity is None:
            return
        found = self._stat()
        if found[:2] != self._identity:
            what = "replaced or removed"
        elif self._left not in (None, found[2:]):
            what = "overwritten by another program"
        else:
            return
        raise StoreFailure("file_moved", f"{self.path} was {what} while attn was using it", path=self.path)

    def changes(self) -> int:
        """How many rows this connection has changed since it was opened."""
        return int(self._connection.total_changes())

    def damage(self, *, thorough: bool) -> list[str]:
        """What `integrity_check` (thorough) or `quick_check` says, empty when all is well.

        Thorough is also to read every text, which SQLite's check does not look into.
        """
        pragma = "integrity_check" if thorough else "quick_check"
        lines = [str(row[0]) for row in self.rows(f"PRAGMA {pragma}(20)")]
        if lines != ["ok"]:
            return lines
        return self._illegible() if thorough else []

    def _illegible(self) -> list[str]:
        names = [str(name) for (name,) in self.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        found = []
        for name in names:
            safe = name.replace('"', '""')
            try:
                for _ in self._connection.execute(f'SELECT * FROM "{safe}"'):
                    pass
            except UnicodeDecodeError as error:
                found.append(f"a text in {name} is none ({error})")
            except apsw.Error as error:
                raise self._failure(error) from error
        return found

    def only_indexes_damaged(self) -> bool:
        """Whether rebuilding the indexes, tried on a copy in memory, heals everything, and no row is missing that an
        index still knows. Nothing is changed."""
        try:
            data = bytearray(self.image())
            data[18:20] = b"\x01\x01"  # a copy in memory has no write-ahead log (sqlite.org/c3ref/deserialize.html)
            copy = Database.of_image(bytes(data))
        except StoreFailure:
            return False
        try:
            for index, table in [map(str, names) for names in copy.rows(_INDEXES)]:
                known = copy.one(f'SELECT count(*) FROM "{table}" INDEXED BY "{index}"')
                there = copy.one(f'SELECT count(*) FROM "{table}" NOT INDEXED')
                if int(str(known)) > int(str(there)):
                    return False
            copy.rows("REINDEX")
            return copy.damage(thorough=True) == []
        except StoreFailure:
            return False
        finally:
            copy.close()

    def copy_to(self, path: Path) -> None:
        """A consistent copy as a new file, not yet on the disk for good: the caller syncs it. Raises StoreFailure."""
        self.rows("VACUUM INTO ?", (str(path),))

    def close(self) -> None:
        """Close, checkpointing what is in the log. Does nothing the second time."""
        self.is_open = False
        try:
            self._connection.close()
        except apsw.Error as error:
            raise self._failure(error) from error

    def abandon(self) -> None:
        """Close without touching the disk: what stands at this path, and its log, are another database now."""
        if not self.is_open:
            return
        self.is_open = False
        try:
            self._connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            self._connection.close()
        except apsw.Error as error:
            raise self._failure(error) from error

    def _failure(self, error: apsw.Error, migration: str = "") -> StoreFailure:
        return classify(_sqlite_error(error, self._connection), self.path, migration=migration)

    def _run(self, statement: str, migration: str) -> None:
        try:
            self._connection.execute(statement).fetchall()
        except apsw.Error as error:
            raise self._failure(error, migration) from error

    def _roll_back(self) -> None:
        # After SQLITE_FULL or an I/O error SQLite may have rolled back by itself (lang_transaction.html).
        if self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except apsw.Error:
                self.close()  # whoever opens it next rolls back what this connection could not

    def _remember(self) -> None:
        if self._left is not None:
            self._left = self._stat()[2:]

    def _stat(self) -> tuple[int, int, int, int]:
        """Device and inode, size in bytes and time of the last change in ns; zeros when there is no file."""
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            return (0, 0, 0, 0)
        except OSError as error:
            raise classify_os(error, self.path) from error
        return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def library_version() -> str:
    """The version of SQLite that is used, as `3.54.1`."""
    return str(apsw.sqlite_lib_version())


def _has_log(path: Path) -> bool:
    return size_bytes(companions(path.resolve())[0]) > 0


def _sqlite_error(error: apsw.Error, connection: apsw.Connection | None = None) -> SqliteError:
    extended = getattr(error, "extendedresult", 0) or getattr(error, "result", 0) or 0
    names = (apsw.mapping_extended_result_codes, apsw.mapping_result_codes)
    name = next((str(table[extended]) for table in names if extended in table), type(error).__name__)
    return SqliteError(name, extended, str(error), _errno(connection))


def _errno(connection: apsw.Connection | None) -> int:
    try:
        return 0 if connection is None else connection.system_errno
    except apsw.ConnectionClosedError:
        return 0
