"""The history of the schema as rows: pure data. A new step goes to the end; a released one is never changed.

`leaves` are facts that hold exactly when the step was done, however it was done: they let a database in which a step
already stands (another build did it) be adopted instead of failing with "duplicate column", and one in which half of
it stands be refused. Rows of data are rewritten so that doing it twice changes nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Column:
    """A table has this column, exactly so. `default` is SQL text as in the CREATE statement."""

    table: str
    name: str
    type: str
    not_null: bool = False
    default: str | None = None
    key: bool = False


@dataclass(frozen=True)
class Index:
    """A table has this index over exactly these columns."""

    table: str
    name: str
    columns: tuple[str, ...]
    unique: bool = False


Fact = Column | Index


@dataclass(frozen=True)
class Conflict:
    """A query that finds rows which make a step impossible; `text` says what they are, `{0}`… its first columns.

    table, needs: the column that the query cannot do without, so that it can be asked before the step's turn.
    """

    sql: str
    text: str
    table: str
    needs: str


@dataclass(frozen=True)
class Migration:
    """One step. `min_reader`: the fewest steps that an attn must know to use a database in which this one is done."""

    name: str
    statements: tuple[str, ...]
    leaves: tuple[Fact, ...]
    min_reader: int
    conflicts: tuple[Conflict, ...] = ()

    @property
    def checksum(self) -> str:
        """Of the statements; in the ledger it shows whether a step of this name was another one."""
        return hashlib.sha256("\n;\n".join(self.statements).encode()).hexdigest()[:32]


def _added(table: str, name: str, type_: str, default: str | None = None) -> tuple[str, Column]:
    """A statement that adds a column, and the fact it leaves; not null when it has a default."""
    extra = f" NOT NULL DEFAULT {default}" if default is not None else ""
    statement = f'ALTER TABLE {table} ADD COLUMN "{name}" {type_}{extra}'
    return statement, Column(table, name, type_, default is not None, default)


_LAUNCH_COLUMNS: Final = (
    _added("sessions", "argv", "TEXT", "'[]'"),
    _added("sessions", "rows", "INTEGER", "40"),
    _added("sessions", "cols", "INTEGER", "120"),
    _added("sessions", "position", "INTEGER", "0"),
    _added("sessions", "last_output_at_ms", "INTEGER"),
    _added("sessions", "exit_code", "INTEGER"),
    _added("sessions", "exit_signal", "INTEGER"),
    _added("sessions", "exit_at_ms", "INTEGER"),
    _added("sessions", "cause", "TEXT"),
    _added("sessions", "parent", "TEXT"),
    _added("sessions", "resume", "TEXT"),
    _added("sessions", "worker_build", "TEXT", "''"),
)

MIGRATIONS: Final[tuple[Migration, ...]] = (
    Migration(
        name="baseline",
        statements=(
            "CREATE TABLE sessions (id TEXT NOT NULL PRIMARY KEY, label TEXT NOT NULL, agent TEXT NOT NULL,"
            " cwd TEXT NOT NULL, state TEXT NOT NULL, created_at_ms INTEGER NOT NULL) STRICT",
            "CREATE TABLE prs (id TEXT NOT NULL PRIMARY KEY, repo TEXT NOT NULL, number INTEGER NOT NULL,"
            " title TEXT NOT NULL, url TEXT NOT NULL, role TEXT NOT NULL, state TEXT NOT NULL,"
            " updated_at_ms INTEGER NOT NULL) STRICT",
            "CREATE TABLE settings (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) STRICT",
            "CREATE TABLE recent_locations (path TEXT NOT NULL PRIMARY KEY, used_at_ms INTEGER NOT NULL,"
            " use_count INTEGER NOT NULL DEFAULT 1) STRICT",
        ),
        leaves=(
            Column("sessions", "id", "TEXT", True, key=True),
            Column("sessions", "label", "TEXT", True),
            Column("sessions", "agent", "TEXT", True),
            Column("sessions", "cwd", "TEXT", True),
            Column("sessions", "state", "TEXT", True),
            Column("sessions", "created_at_ms", "INTEGER", True),
            Column("prs", "id", "TEXT", True, key=True),
            Column("prs", "repo", "TEXT", True),
            Column("prs", "number", "INTEGER", True),
            Column("prs", "title", "TEXT", True),
            Column("prs", "url", "TEXT", True),
            Column("prs", "role", "TEXT", True),
            Column("prs", "state", "TEXT", True),
            Column("prs", "updated_at_ms", "INTEGER", True),
            Column("settings", "key", "TEXT", True, key=True),
            Column("settings", "value", "TEXT", True),
            Column("recent_locations", "path", "TEXT", True, key=True),
            Column("recent_locations", "used_at_ms", "INTEGER", True),
            Column("recent_locations", "use_count", "INTEGER", True, "1"),
        ),
        min_reader=1,
    ),
    Migration(
        name="prs-host",
        statements=(_added("prs", "host", "TEXT", "'github.com'")[0],),
        leaves=(_added("prs", "host", "TEXT", "'github.com'")[1],),
        min_reader=1,
    ),
    # Apart from the column: a database that has the column alone is a known case, not a half-done step.
    Migration(
        name="prs-id-with-host",
        statements=(
            "UPDATE prs SET id = host || ':' || repo || '#' || number WHERE id <> host || ':' || repo || '#' || number",
            "CREATE UNIQUE INDEX prs_host_repo_number ON prs (host, repo, number)",
        ),
        leaves=(Index("prs", "prs_host_repo_number", ("host", "repo", "number"), unique=True),),
        min_reader=3,
        conflicts=(
            Conflict(
                "SELECT host, repo, number, count(*) FROM prs GROUP BY host, repo, number HAVING count(*) > 1",
                "{3} rows of prs are {0}:{1}#{2}",
                "prs",
                "host",
            ),
        ),
    ),
    Migration(
        name="sessions-launch",
        statements=tuple(statement for statement, _ in _LAUNCH_COLUMNS),
        leaves=tuple(fact for _, fact in _LAUNCH_COLUMNS),
        min_reader=3,
    ),
)

LEDGER_TABLES: Final = frozenset({"migrations", "file_facts"})
# The ledger and the facts about the file itself; made before the first step, in its transaction.
LEDGER: Final = (
    "CREATE TABLE IF NOT EXISTS migrations (name TEXT NOT NULL PRIMARY KEY, checksum TEXT NOT NULL,"
    " app_version TEXT NOT NULL, applied_at_ms INTEGER NOT NULL, applied_by TEXT NOT NULL) STRICT",
    "CREATE TABLE IF NOT EXISTS file_facts (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) STRICT",
)
