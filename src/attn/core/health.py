"""Everything that can be not well with a daemon, as rows: how bad, what it is called, what helps.

A condition is shown by every client until it is over. Its `detail` comes from whoever found it; title and commands
come from here. Commands are exact: `{db}`, `{home}`, `{path}`, `{backup}` are filled in and quoted for a shell, and a
command whose value is not known is left out.
"""

from __future__ import annotations

import shlex
import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Severity = Literal["info", "warning", "error"]
Course = Literal["transient", "fatal", "info"]
"""`transient`: ends by itself once its cause is gone, and is tried again; `fatal`: needs a person; `info`: neither."""

MAX_TITLE_CHARS: Final = 80


@dataclass(frozen=True)
class Kind:
    """One kind of condition."""

    code: str
    severity: Severity
    course: Course
    title: str
    commands: tuple[str, ...] = ()


_RESTART: Final = "attn daemon restart"
# Sessions live in their bundles, so a new database finds them again; nothing is deleted, the old set stays in aside/.
_ASIDE: Final = "attn daemon stop; mkdir -p {home}/aside && mv {db}* {home}/aside/"
_FRESH: Final = f"{_ASIDE} && attn daemon start"
_FROM_BACKUP: Final = f"{_ASIDE} && cp {{backup}} {{db}} && attn daemon start"
_REPLACED: Final = (_FROM_BACKUP, _FRESH)

_ROWS: Final = (
    # The store. The codes of attn.store, see the failure table of docs/recovery.md.
    Kind("ephemeral", "warning", "info", "Nothing is saved: attn was started with --ephemeral", (_RESTART,)),
    Kind("schema_newer", "error", "fatal", "The database was written by a newer attn", ("pip install --upgrade attn",)),
    Kind("foreign_schema", "error", "fatal", "The database belongs to another program", (_FRESH,)),
    Kind("schema_conflict", "error", "fatal", "The database's schema does not match", _REPLACED),
    Kind("half_applied", "error", "fatal", "A change of the database's schema is half done", _REPLACED),
    Kind("schema_behind_ledger", "error", "fatal", "The database lacks a part of its schema", _REPLACED),
    Kind("duplicate_rows", "error", "fatal", "Rows of the database contradict each other", _REPLACED),
    Kind("ledger_mismatch", "error", "fatal", "The database's migration history was changed", _REPLACED),
    Kind("migration_failed", "error", "fatal", "A change of the database's schema failed", ("attn logs", _RESTART)),
    Kind("backup_failed", "error", "fatal", "No verified backup could be made, so nothing was changed", (_RESTART,)),
    Kind("not_a_database", "error", "fatal", "The database file is not readable as SQLite", _REPLACED),
    Kind("corrupt", "error", "fatal", "The database is damaged", _REPLACED),
    Kind("empty_file", "error", "fatal", "The database file is empty, but it held sessions before", _REPLACED),
    Kind("missing_file", "error", "fatal", "The database file is gone", _REPLACED),
    Kind("wal_mismatch", "error", "fatal", "A write-ahead log without its database was found", _REPLACED),
    Kind("symlink", "error", "fatal", "The database is a link that leads to no usable file", ("ls -l {db}",)),
    Kind("file_moved", "error", "fatal", "The database file was replaced while attn was using it", (_RESTART,)),
    Kind("permission_denied", "error", "transient", "The database may not be read or written",
         ("chmod u+rw {path}", _RESTART)),
    Kind("home_unwritable", "error", "transient", "attn cannot write to its home", ("ls -ld {path}", _RESTART)),
    Kind("disk_full", "error", "transient", "The disk is full, changes are not being saved", ("df -h {home}",)),
    Kind("disk_low", "error", "transient", "Not enough disk is free to upgrade the database",
         ("df -h {home}", _RESTART)),
    Kind("io_error", "error", "fatal", "The disk reported an error", (_RESTART,)),
    Kind("store_locked", "error", "transient", "Another program holds the database", ("lsof {db}", _RESTART)),
    Kind("fd_exhausted", "error", "transient", "Too many open files", ("ulimit -n 4096", _RESTART)),
    Kind("sqlite_version", "error", "fatal", "This SQLite is too old", ("pip install --upgrade apsw",)),
    Kind("store_failed", "error", "fatal", "The database could not be used", ("attn logs", _RESTART)),
    # The rest of the hub.
    Kind("emulator_unavailable", "error", "fatal",
         "No terminal emulator: sessions come back as raw output", ("pip install --force-reinstall pyghostty",)),
    Kind("login_environment", "warning", "transient",
         "Your login shell did not tell its environment in time", (_RESTART,)),
    Kind("spawner_gone", "warning", "transient", "Sessions start slower than they should", (_RESTART,)),
    Kind("interpreter_missing", "error", "fatal",
         "attn's Python is gone: no new session can start", ("pipx reinstall attn",)),
    Kind("session_unreachable", "warning", "transient", "A session's worker does not answer", ("attn ls",)),
    Kind("bundle_quarantined", "warning", "fatal", "A session's files could not be read", ("ls -l {path}",)),
    Kind("scrollback_cut", "info", "info", "The oldest scrollback was dropped to bound memory"),
)  # fmt: skip

KINDS: Final[dict[str, Kind]] = {row.code: row for row in _ROWS}


def kind(code: str) -> Kind:
    """The row of a code. Raises KeyError for one that is not in the table: that is a fault of the caller."""
    return KINDS[code]


def commands(code: str, values: Mapping[str, str]) -> list[str]:
    """The commands that help against a condition, ready to be pasted into a shell.

    values: what is known of `db`, `home`, `path` and `backup`; an empty one counts as not known.
    """
    quoted = {name: shlex.quote(value) for name, value in values.items() if value}
    return [text.format(**quoted) for text in KINDS[code].commands if _names(text) <= quoted.keys()]


def _names(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}
