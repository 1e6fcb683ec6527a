"""Errors that people see: a code, a message, a remedy and the exit status that goes with the code."""

from __future__ import annotations

import errno
from typing import Final

# Exit statuses follow sysexits(3) where it has one; docs/cli.md repeats them and a test compares the two.
EXIT_GENERIC: Final = 1
EXIT_NOT_CONFIRMED: Final = 3
EXIT_TIMEOUT: Final = 4
EXIT_USAGE: Final = 64
EXIT_UNREACHABLE: Final = 69
EXIT_HOME: Final = 73
EXIT_STORE: Final = 74
EXIT_BUSY: Final = 75
EXIT_NEWER: Final = 76
EXIT_PERMISSION: Final = 77
EXIT_DEGRADED: Final = 78

EXIT_BY_CODE: Final[dict[str, int]] = {
    "output_failed": EXIT_GENERIC,
    "usage": EXIT_USAGE,
    "bad_message": EXIT_USAGE,
    "unknown_message": EXIT_USAGE,
    "message_too_large": EXIT_USAGE,
    "unknown_agent": EXIT_USAGE,
    "unknown_session": EXIT_USAGE,
    "ambiguous_session": EXIT_USAGE,
    "invalid_size": EXIT_USAGE,
    "invalid_label": EXIT_USAGE,
    "invalid_env": EXIT_USAGE,
    "directory_missing": EXIT_USAGE,
    "not_a_directory": EXIT_USAGE,
    "unknown_handle": EXIT_USAGE,
    "nested_attach": EXIT_USAGE,
    "not_a_terminal": EXIT_USAGE,
    "invalid_config": EXIT_USAGE,
    "daemon_unreachable": EXIT_UNREACHABLE,
    "daemon_not_startable": EXIT_UNREACHABLE,
    "daemon_recovering": EXIT_UNREACHABLE,
    "log_missing": EXIT_UNREACHABLE,
    "no_backup": EXIT_UNREACHABLE,
    "port_taken": EXIT_UNREACHABLE,
    "agent_missing": EXIT_UNREACHABLE,
    "interpreter_missing": EXIT_UNREACHABLE,
    "worker_unreachable": EXIT_UNREACHABLE,
    "session_ended": EXIT_UNREACHABLE,
    "screen_unavailable": EXIT_UNREACHABLE,
    "emulator_unavailable": EXIT_UNREACHABLE,
    "home_unwritable": EXIT_HOME,
    "read_only_disk": EXIT_HOME,
    "home_invalid": EXIT_HOME,
    "socket_path_too_long": EXIT_HOME,
    "test_fence": EXIT_HOME,
    "persistence_unavailable": EXIT_STORE,
    "disk_full": EXIT_STORE,
    "disk_low": EXIT_STORE,
    "io_error": EXIT_STORE,
    "backup_failed": EXIT_STORE,
    "store_failed": EXIT_STORE,
    "store_locked": EXIT_BUSY,
    "fd_exhausted": EXIT_BUSY,
    "schema_newer": EXIT_NEWER,
    "foreign_schema": EXIT_DEGRADED,
    "schema_conflict": EXIT_DEGRADED,
    "schema_behind_ledger": EXIT_DEGRADED,
    "half_applied": EXIT_DEGRADED,
    "duplicate_rows": EXIT_DEGRADED,
    "ledger_mismatch": EXIT_DEGRADED,
    "migration_failed": EXIT_DEGRADED,
    "not_a_database": EXIT_DEGRADED,
    "corrupt": EXIT_DEGRADED,
    "empty_file": EXIT_DEGRADED,
    "missing_file": EXIT_DEGRADED,
    "index_corrupt": EXIT_DEGRADED,
    "wal_mismatch": EXIT_DEGRADED,
    "log_alone": EXIT_DEGRADED,
    "symlink": EXIT_DEGRADED,
    "hard_link": EXIT_DEGRADED,
    "repair_incomplete": EXIT_DEGRADED,
    "file_moved": EXIT_DEGRADED,
    "sqlite_version": EXIT_DEGRADED,
    "daemon_running": EXIT_BUSY,
    "session_running": EXIT_BUSY,
    "not_ready": EXIT_BUSY,
    "too_many_requests": EXIT_BUSY,
    "protocol_mismatch": EXIT_NEWER,
    "permission_denied": EXIT_PERMISSION,
    "wrong_owner": EXIT_PERMISSION,
    "unauthorized": EXIT_PERMISSION,
    "read_only": EXIT_PERMISSION,
    "not_executable": EXIT_PERMISSION,
    "not_confirmed": EXIT_NOT_CONFIRMED,
    "timeout": EXIT_TIMEOUT,
}


class AttnError(Exception):
    """A failure that a person or a script is told about.

    code: a stable word from `docs/cli.md`; message: one sentence, what went wrong, with the exact name or path;
    remedy: what to type or change next, empty when there is nothing to do.
    """

    def __init__(self, code: str, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.remedy = remedy

    @property
    def exit_status(self) -> int:
        """The exit status of a command that ends with this error."""
        return EXIT_BY_CODE.get(self.code, EXIT_GENERIC)

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


_SCARCE: Final = {
    errno.ENOSPC: ("disk_full", "free some space on that disk"),
    errno.EDQUOT: ("disk_full", "free some of your quota on that disk"),
    errno.EMFILE: ("fd_exhausted", "run: ulimit -n 4096; then: attn daemon restart"),
    errno.ENFILE: ("fd_exhausted", "end some programs: the whole system has too many files open"),
}


def refused_by_system(what: str, error: OSError) -> AttnError:
    """The error of something that the system let nobody do: `disk_full`, `fd_exhausted`, else `internal`.

    what: the first half of a sentence, as in "the session cannot be made".
    """
    code, remedy = _SCARCE.get(error.errno or 0, ("internal", "see `attn logs`"))
    return AttnError(code, f"{what}: {error.strerror or error}", remedy)
