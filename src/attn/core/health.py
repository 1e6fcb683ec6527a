"""Everything that can be not well with a daemon, as rows: how bad, what it is called, what helps.

A condition is shown by every client until it is over. Its `detail` comes from whoever found it; title and commands
come from here. Commands are exact: `{db}`, `{home}`, `{path}`, `{backup}`, `{pid}` are filled in and quoted for a
shell, and a command whose value is not known is left out.
"""

from __future__ import annotations

import re
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
_RETRY: Final = "attn store retry"
_DOCTOR: Final = "attn doctor"
# Each works on a copy and keeps what was there; `--apply` is left out to see first what it would do.
_SCHEMA: Final = "attn repair schema --apply"
_SALVAGE: Final = "attn repair salvage --apply"
_RESET: Final = "attn repair reset --apply"
_RESTORE: Final = "attn restore {backup} --apply"
_DISK: Final = "df -h {home}"
# Breaks a hard link: a copy takes the name.
_SINGLE: Final = "cp -p {db} {db}.single && mv {db}.single {db}"

_ROWS: Final = (
    # The store. docs/recovery.md has a section for each code.
    Kind("ephemeral", "warning", "info", "Nothing is saved: attn was started with --ephemeral", (_RESTART,)),
    Kind("schema_newer", "error", "fatal", "The database was written by a newer attn",
         ("pip install --upgrade attn", _RESTORE)),
    Kind("foreign_schema", "error", "fatal", "The database belongs to another program", (_RESET,)),
    Kind("schema_conflict", "error", "fatal", "The database's schema does not match", (_SALVAGE, _RESTORE)),
    Kind("half_applied", "error", "fatal", "A change of the database's schema is half done", (_SCHEMA, _RESTORE)),
    Kind("schema_behind_ledger", "error", "fatal", "The database lacks a part of its schema", (_SCHEMA, _RESTORE)),
    Kind("duplicate_rows", "error", "fatal", "Rows of the database contradict each other", (_SALVAGE, _RESTORE)),
    Kind("ledger_mismatch", "error", "fatal", "The database's migration history was changed", (_SCHEMA, _RESTORE)),
    Kind("migration_failed", "error", "fatal", "A change of the database's schema failed; your data is unchanged",
         (_RETRY, _DOCTOR, "pip install --upgrade attn")),
    Kind("backup_failed", "error", "fatal", "No verified backup could be made, so nothing was changed",
         (_DISK, _RETRY)),
    Kind("not_a_database", "error", "fatal", "The database file is not readable as SQLite",
         (_RESTORE, _SALVAGE, _RESET)),
    Kind("corrupt", "error", "fatal", "The database is damaged", (_SALVAGE, _RESTORE)),
    Kind("index_corrupt", "error", "fatal", "An index of the database is damaged; its rows are not", (_SALVAGE,)),
    Kind("empty_file", "error", "fatal", "The database file is empty, but it held sessions before",
         (_RESTORE, _RESET)),
    Kind("missing_file", "error", "fatal", "The database file is gone", (_RESTORE, _RESET)),
    Kind("wal_mismatch", "error", "fatal", "A write-ahead log that is not this database's was found",
         (_SALVAGE, _RESTORE)),
    # The log alone has but the newest changes: a copy of the whole, perhaps the one that was rescued, has more.
    Kind("log_alone", "error", "fatal", "The database file is gone, only its write-ahead log is left",
         (_RESTORE, _SALVAGE)),
    Kind("symlink", "error", "fatal", "The database is a link that leads to no usable file",
         ("ls -l {db}", _RETRY, _RESTORE)),
    Kind("hard_link", "error", "fatal", "The database file has a second name, which can damage it",
         (f"{_SINGLE} && {_RETRY}",)),
    Kind("file_moved", "error", "fatal", "The database file was replaced while attn was using it",
         (_RESTORE, _RESTART)),
    Kind("repair_incomplete", "error", "fatal", "A repair of the database was interrupted",
         ("attn repair salvage --resume", "attn repair salvage --abort")),
    Kind("permission_denied", "error", "transient", "The database may not be read or written",
         ("chmod u+rwX {path}", _RETRY)),
    Kind("wrong_owner", "error", "transient", "The database belongs to another user",
         ('sudo chown "$(id -un)" {path}', _RETRY)),
    Kind("home_unwritable", "error", "transient", "attn cannot write to its home", ("chmod u+rwx {path}", _RETRY)),
    Kind("read_only_disk", "error", "transient", "attn's home is on a file system that is mounted read-only",
         ('sudo mount -o remount,rw "$(findmnt -no TARGET -T {path})"', _RETRY)),
    Kind("disk_full", "error", "transient", "The disk is full, changes are not being saved", (_DISK, _RETRY)),
    Kind("disk_low", "error", "transient", "Not enough disk is free to upgrade the database", (_DISK, _RETRY)),
    Kind("io_error", "error", "fatal", "The disk reported an error", (_RETRY, _DOCTOR)),
    Kind("store_locked", "error", "transient", "Another program holds the database", ("ps -fp {pid}", _RETRY)),
    Kind("fd_exhausted", "error", "transient", "Too many open files", (f"ulimit -n 4096 && {_RESTART}", _RETRY)),
    Kind("sqlite_version", "error", "fatal", "This SQLite is too old",
         (f"pip install --upgrade apsw && {_RESTART}",)),
    Kind("store_failed", "error", "fatal", "The database could not be used",
         (_RETRY, _SALVAGE, "attn logs")),
    Kind("network_fs", "warning", "info", "The database is on a file system whose locks may not protect it",
         ("df -T {home}",)),
    Kind("fk_violation", "warning", "info", "Rows of the database refer to rows that are not there", (_SALVAGE,)),
    Kind("binary_mismatch", "warning", "info", "A newer attn has used this database before",
         ("{path} -I -m attn daemon restart",)),
    Kind("log_missing", "warning", "info", "The database's write-ahead log is gone; the last changes may be missing",
         ("attn backups", _RESTORE)),
    Kind("backup_overdue", "warning", "transient", "No backup of the database could be made",
         (_DISK, "attn backup")),
    # The rest of the hub.
    Kind("emulator_unavailable", "error", "fatal",
         "No terminal emulator: sessions come back as raw output", ("pip install --force-reinstall pyghostty",)),
    Kind("login_environment", "warning", "transient",
         "Your login shell did not tell its environment in time", (_RESTART,)),
    Kind("spawner_gone", "warning", "transient", "Sessions start slower than they should", (_RESTART,)),
    Kind("interpreter_missing", "error", "fatal",
         "attn's Python is gone: no new session can start", ("pipx reinstall attn",)),
    Kind("session_unreachable", "warning", "transient", "A session's worker does not answer", ("attn doctor",)),
    Kind("sessions_lost", "warning", "info", "Programs ended with their workers: a reboot, or a kill",
         ("attn ls", "attn resume {session}")),
    Kind("session_foreign", "warning", "fatal", "A session of another daemon was found", ("ls -l {path}",)),
    Kind("bundle_quarantined", "warning", "fatal", "A session's files could not be read", ("ls -l {path}",)),
    Kind("scrollback_cut", "info", "info", "The oldest scrollback was dropped to bound memory"),
)  # fmt: skip

KINDS: Final[dict[str, Kind]] = {row.code: row for row in _ROWS}


def kind(code: str) -> Kind:
    """The row of a code. Raises KeyError for one that is not in the table: that is a fault of the caller."""
    return KINDS[code]


def commands(code: str, values: Mapping[str, str]) -> list[str]:
    """The commands that help against a condition, ready to be pasted into a shell.

    values: what is known of `db`, `home`, `path`, `backup`, `pid` and `session`; an empty one counts as not known.
    `attn_home`: for another home than the default one, which attn must be told in a shell that does not know it.
    """
    quoted = {name: shlex.quote(value) for name, value in values.items() if value}
    texts = [text for text in KINDS[code].commands if _names(text) <= quoted.keys()]
    if "attn_home" in quoted:
        texts = [_ATTN.sub(r"ATTN_HOME={attn_home} \g<0>", text) for text in texts]
    return [text.format(**quoted) for text in texts]


# Where a command begins that is attn itself.
_ATTN: Final = re.compile(r"(?:(?<=^)|(?<=&& ))(?:attn|\{path\} -I -m attn) ")


def _names(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}
