"""The right to work on a home: a flock that the daemon holds for life, and a repair for as long as it takes.

The file is never unlinked. It names its holder: a pid, the socket that the holder listens on (empty for a repair), and
what it is. Where sockets stand depends on $XDG_RUNTIME_DIR, which a client in another login, in cron or in a container
need not share with the daemon.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shlex
import stat
import time
from pathlib import Path
from typing import Final, NamedTuple

from attn.errors import AttnError
from attn.paths import home_unusable

# A client that looks who holds the lock takes it for microseconds, and must not make a starting daemon fail.
TRIES: Final = 20
PAUSE_S: Final = 0.005
# A pid, a path that a unix socket can have, and a few words.
FILE_MAX_BYTES: Final = 256

DAEMON: Final = "a daemon"


class Holder(NamedTuple):
    """What the lock file says of who holds the lock. It proves nothing: a pid may be an old one."""

    pid: str
    socket: str
    what: str


class HomeLock:
    """The lock of a home, held from here to `release` or the end of the process."""

    def __init__(self, path: Path, listens: Path | None = None, what: str = DAEMON) -> None:
        """Take it. listens: our socket; what: who we are, for others to read.

        Raises AttnError `daemon_running` when somebody else holds it, `home_unwritable`, `disk_full`.
        """
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise _failed(path, error) from error
        try:
            self._take()
        except BlockingIOError as error:
            holder = _parsed(os.pread(self._fd, FILE_MAX_BYTES, 0))
            os.close(self._fd)
            raise AttnError(
                "daemon_running",
                f"{holder.what} runs already for {path.parent} (pid {holder.pid or 'unknown'})",
            ) from error
        named = b"%d\n%s\n%s\n" % (os.getpid(), os.fsencode(listens or ""), what.encode())
        try:
            os.pwrite(self._fd, named, 0)  # over what stands there: on a full disk there would be no room for it again
            os.ftruncate(self._fd, len(named))
        except OSError as error:
            os.close(self._fd)
            raise _failed(path, error) from error

    def _take(self) -> None:
        for tries_left in reversed(range(TRIES)):
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not tries_left:
                    raise
                time.sleep(PAUSE_S)
            else:
                return

    def release(self) -> None:
        os.close(self._fd)


def holder(path: Path) -> Holder | None:
    """What the lock file says while somebody holds the lock; None when nobody does, or when there is no such file.

    Changes nothing. Raises AttnError `home_unwritable` when it cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise home_unusable(path, error.strerror or str(error)) from error
    try:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise home_unusable(path, os.strerror(errno.EISDIR))
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _parsed(os.pread(descriptor, FILE_MAX_BYTES, 0))
    finally:
        os.close(descriptor)
    return None


def _failed(path: Path, error: OSError) -> AttnError:
    reason = error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return AttnError(
            "disk_full", f"{path} cannot be written: {reason}", f"run: df -h {shlex.quote(str(path.parent))}"
        )
    return home_unusable(path, reason)


def _parsed(data: bytes) -> Holder:
    pid, socket, what, *_ = [line.strip() for line in os.fsdecode(data).split("\n", 3)] + ["", "", ""]
    return Holder(pid, socket, what or DAEMON)
