"""Since when nothing is saved, kept beside the database: a daemon that starts again with the same says the same.

Best effort: on a disk that takes nothing, not even this, it is since the start of the daemon.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

log = logging.getLogger(__name__)


def begin(path: Path, at_ms: int) -> int:
    """Nothing is saved from `at_ms` on, or from when an earlier daemon said so: the earlier of the two."""
    earlier = _read(path)
    if earlier is not None and 0 < earlier <= at_ms:
        return earlier
    flags = os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with open(os.open(path, flags, 0o600), "wb") as file:
            file.write(b"%d\n" % at_ms)
    except OSError as error:
        log.info("since when nothing is saved is not kept: %s", error)
    return at_ms


def over(path: Path) -> None:
    """Everything is saved again."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("%s says that nothing is saved, which is over: %s", path, error)


def _read(path: Path) -> int | None:
    try:
        return int(path.read_bytes()[:32])
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        log.info("%s says nothing: %s", path, error)
        return None
