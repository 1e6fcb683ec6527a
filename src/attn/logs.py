"""The daemon's log: one bounded, rotated file whose lines say which daemon and which session they are about.

What passes through a terminal is never logged; control characters that get in with a name or an error are escaped.
"""

from __future__ import annotations

import logging
import os
import re
from datetime import UTC, datetime
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, Final

# At most this much disk: the file itself and its older versions.
MAX_FILE_BYTES: Final = 2 << 20
KEPT_FILES: Final = 4
# A line that grows with its input would let one bad message push all others out.
MAX_LINE_CHARS: Final = 8000

_ROOT: Final = "attn"
_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def setup(path: Path, *, daemon_id: str = "-", level: str = "info") -> logging.Handler:
    """Log everything under the name `attn` to `path` (0600, its directory must stand); returns the handler.

    level: as `log_level` in config.toml. A second call replaces the first, for instance once the daemon id is known.
    Raises OSError when the file cannot be opened.
    """
    handler = _PrivateFile(path, maxBytes=MAX_FILE_BYTES, backupCount=KEPT_FILES, encoding="utf-8")
    handler.setFormatter(_Line(daemon_id))
    root = logging.getLogger(_ROOT)
    for old in [old for old in root.handlers if isinstance(old, _PrivateFile)]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(level.upper())
    root.propagate = False
    return handler


def get(name: str, session_id: str = "-") -> logging.LoggerAdapter[logging.Logger]:
    """The log of one part (`daemon`, `store`, …), with the session its lines are about."""
    return logging.LoggerAdapter(logging.getLogger(f"{_ROOT}.{name}"), {"session": session_id})


class _PrivateFile(RotatingFileHandler):
    """A rotating file that nobody else can read, whatever the umask is."""

    def _open(self) -> TextIOWrapper:  # type: ignore[type-arg, unused-ignore]  # generic only in typeshed
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self.baseFilename, flags, 0o600)
        return open(descriptor, "a", encoding=self.encoding, errors="backslashreplace")


class _Line(logging.Formatter):
    """`2026-01-02T03:04:05.678Z INFO attn.store d=… s=… message`, with a traceback below where there is one."""

    def __init__(self, daemon_id: str) -> None:
        super().__init__(
            "%(asctime)s %(levelname)s %(name)s d=%(daemon)s s=%(session)s %(message)s",
            defaults={"daemon": daemon_id, "session": "-"},
        )

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        record.message = record.message.replace("\n", "\\n")  # nothing logged can look like another line
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        line = _CONTROL.sub(_escaped, super().format(record))
        return line if len(line) <= MAX_LINE_CHARS else f"{line[:MAX_LINE_CHARS]}… ({len(line)} characters)"


def _escaped(match: re.Match[str]) -> str:
    return match.group().encode("unicode_escape").decode() if match.group() < "\ud800" else "\\ufffd"


def tail(path: Path, lines: int) -> list[str]:
    """The last lines of a log, for `attn logs` and for what is printed when a daemon does not start.

    Reads at most 256 KiB. Returns an empty list when there is no log.
    """
    try:
        with path.open("rb") as file:
            size: Any = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - (256 << 10)))
            return file.read().decode(errors="replace").splitlines()[-lines:]
    except FileNotFoundError:
        return []
