"""Finding the daemon, starting it on demand, and stopping it."""

from __future__ import annotations

import os
import signal
import stat
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from attn.cli.link import ANSWER_TIMEOUT_S, Link, LinkLost
from attn.cli.render import tell_conditions
from attn.errors import EXIT_BUSY, EXIT_BY_CODE, AttnError
from attn.lock import DAEMON, holder
from attn.paths import Home, home_from_env, home_unusable
from attn.wire.client_events import StopResult
from attn.wire.client_requests import StopDaemon

if TYPE_CHECKING:
    import subprocess

# DESIGN §2: every starter waits this long at most.
START_TIMEOUT_S: Final = 10.0
# Longer than the daemon's own bound for putting its database away.
STOP_TIMEOUT_S: Final = 15.0
RECOVERY_TIMEOUT_S: Final = 10.0
# How often a path that is expected to appear or vanish is looked at; a start takes 100 to 300 ms.
LOOK_EVERY_S: Final = 0.01
# How often a lock that does not match its holder is looked at again.
HOLDER_LOOKS: Final = 20
# Of the log, for people whose daemon did not start.
LAST_WORDS_LINES: Final = 5
LAST_WORDS_BYTES: Final = 16 << 10

DAEMON_RUN: Final = ("-I", "-m", "attn", "daemon", "run")


@contextmanager
def daemon_link() -> Iterator[Link]:
    """The link of an ordinary command: daemon started on demand, sessions whole, conditions told on stderr."""
    with connect(found_home()) as link:
        tell_conditions(link)
        yield link


def found_home() -> Home:
    """The home that the environment names. Raises AttnError `home_unwritable` when none can be there."""
    home = home_from_env(os.environ)
    try:
        if not stat.S_ISDIR(home.root.stat().st_mode):
            raise home_unusable(home.root, "it is not a directory")
    except FileNotFoundError:
        return home  # a first start makes it
    except OSError as error:
        raise home_unusable(home.root, error.strerror or str(error)) from error
    return home


def connect(home: Home, *, start: bool = True, recovered: bool = True) -> Link:
    """A greeted link to the daemon of `home`.

    start: start it if nobody listens; recovered: return only when its list of sessions is whole.
    Raises AttnError `daemon_unreachable`, `daemon_not_startable`, `daemon_recovering`, `protocol_mismatch`,
    `permission_denied`, `home_unwritable`.
    """
    link = open_link(home)
    if link is None:
        if not start:
            message = f"no daemon runs for {home.root}"
            raise AttnError("daemon_unreachable", message, "run: attn daemon start")
        link = start_daemon(home)
    if recovered:
        try:
            link.wait_recovered(RECOVERY_TIMEOUT_S)
        except BaseException:
            link.close()
            raise
    return link


def open_link(home: Home, timeout_s: float = ANSWER_TIMEOUT_S) -> Link | None:
    """A link if a daemon listens, else None. Raises AttnError when one listens that cannot be talked to."""
    link = _open(home.daemon_socket, timeout_s)
    elsewhere = _elsewhere(home) if link is None else None
    return _open(elsewhere, timeout_s) if elsewhere else link


def _elsewhere(home: Home) -> Path | None:
    """Where a daemon listens that has another $XDG_RUNTIME_DIR than we have, so that we would not look there."""
    try:
        found = holder(home.lock)
    except AttnError:
        return None  # then nothing can be started here either, which says why
    listens = found.socket if found else ""
    return Path(listens) if listens and listens != os.fspath(home.daemon_socket) else None


def _open(path: Path, timeout_s: float) -> Link | None:
    try:
        return Link.open(path, timeout_s)
    except (FileNotFoundError, ConnectionRefusedError):
        return None  # no socket, or one that a dead daemon left: only a refusal proves that (zmx 0.4.2 did not know)
    except PermissionError as error:
        message = f"{path} may not be opened: {error.strerror}"
        raise AttnError("permission_denied", message, "run: attn doctor") from error
    except NotADirectoryError as error:
        raise home_unusable(path.parent, error.strerror or str(error)) from error
    except OSError as error:
        raise LinkLost(f"{path} cannot be connected: {error.strerror}") from error


def start_daemon(home: Home, options: Sequence[str] = ()) -> Link:
    """Start a daemon that outlives this process and wait for its socket.

    When another one is starting at the same time ours ends with EXIT_BUSY and the other one is used.
    Raises AttnError `home_unwritable` before anything is made in a home that is not ours; what the daemon told when
    it ended; else `daemon_not_startable` with the last lines of the log.
    """
    deadline = time.monotonic() + START_TIMEOUT_S
    launched = launch_daemon(home, options)
    while True:
        link = open_link(home)
        if link is not None:
            return link
        if not check_started(home, launched) and holder(home.lock) is None:
            launched = launch_daemon(home, options)  # who held the lock was no other starter, but one that was ending
        if time.monotonic() > deadline:
            pid = launched.daemon.pid
            message = f"the daemon (pid {pid}) did not open {home.daemon_socket} in {START_TIMEOUT_S:.0f} s"
            raise _not_startable(home, message, launched.log_end)
        time.sleep(LOOK_EVERY_S)


class Launched(NamedTuple):
    """A daemon that is starting, and where the log ended before it."""

    daemon: subprocess.Popen[bytes]
    log_end: int


def launch_daemon(home: Home, options: Sequence[str] = ()) -> Launched:
    """Begin what `start_daemon` does. Raises AttnError `home_unwritable`, `daemon_running` (a repair is at work)."""
    _check_owner(home)
    _refuse_repair(home)
    log_end = _make_log(home)
    return Launched(_launch(home, options), log_end)


def check_started(home: Home, launched: Launched) -> bool:
    """Whether it runs; else another one does, or did a moment ago.

    Raises AttnError: what the daemon told when it ended, else `daemon_not_startable` with the last lines of the log.
    """
    status = launched.daemon.poll()
    if status is None:
        return True
    told = told_error(new_lines(home.daemon_log, launched.log_end), status)
    if told is not None and told.code != "daemon_running":
        raise told
    if status != EXIT_BUSY:
        raise _not_startable(home, f"the daemon ended with status {status}", launched.log_end)
    return False


def _check_owner(home: Home) -> None:
    """A directory of somebody else may be writable to us and still hold what they want us to read or run."""
    try:
        owner = home.root.stat().st_uid
    except FileNotFoundError:
        return
    if owner != os.getuid():
        raise home_unusable(home.root, f"it belongs to uid {owner}, not to you")


def _make_log(home: Home) -> int:
    """Make the directories and the log 0600, give back where the log ends now."""
    try:
        previous = os.umask(0o077)
        try:
            home.logs.mkdir(parents=True, exist_ok=True)
        finally:
            os.umask(previous)
        descriptor = os.open(home.daemon_log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise home_unusable(Path(error.filename or home.logs), error.strerror or str(error)) from error
    with os.fdopen(descriptor, "ab") as log:
        return log.tell()


def _launch(home: Home, options: Sequence[str]) -> subprocess.Popen[bytes]:
    import subprocess  # 4 ms that a command pays only when it starts the daemon

    with home.daemon_log.open("ab") as log:
        # Its own session and no terminal: neither Ctrl-C here nor the end of this login reaches it.
        return subprocess.Popen(
            [sys.executable, *DAEMON_RUN, *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
        )


def _not_startable(home: Home, message: str, log_end: int) -> AttnError:
    words = [f"  {line}" for line in new_lines(home.daemon_log, log_end)[-LAST_WORDS_LINES:]]
    return AttnError("daemon_not_startable", "\n".join([message, *words]), f"read {home.daemon_log}, or run: attn logs")


def told_error(lines: Sequence[str], status: int) -> AttnError | None:
    """The error that a daemon told last, if it ended with the exit status of that error."""
    for at in reversed(range(len(lines))):
        code, _, message = lines[at].partition(": ")
        if EXIT_BY_CODE.get(code) == status:
            return AttnError(code, message, "\n".join(lines[at + 1 :]))
    return None


def new_lines(log: Path, since_offset: int) -> list[str]:
    """The lines that a log got after `since_offset`, the last LAST_WORDS_BYTES at most."""
    with log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(since_offset if since_offset <= size else 0, size - LAST_WORDS_BYTES))
        return file.read().decode(errors="replace").splitlines()


def stop_daemon(home: Home) -> int | None:
    """End the daemon; programs run on. Returns how many do, None when no daemon ran, -1 when it could not say.

    A daemon that does not answer, or whose socket is gone, gets SIGTERM once its identity is proved.
    Raises AttnError `timeout` when it does not end in STOP_TIMEOUT_S, `daemon_running` while a repair is at work.
    """
    _refuse_repair(home)
    pid = lock_holder(home)
    running = _ask_to_stop(home)
    if running is None:
        if pid is None:
            return None
        os.kill(pid, signal.SIGTERM)
    if not wait_until(lambda: lock_holder(home) is None, STOP_TIMEOUT_S):
        message = f"the daemon (pid {pid}) did not end in {STOP_TIMEOUT_S:.0f} s"
        raise AttnError("timeout", message, f"read {home.daemon_log}; as a last means: kill -9 {pid} (programs run on)")
    return -1 if running is None else running


def _refuse_repair(home: Home) -> None:
    """Who has the lock is not always a daemon. Raises AttnError `daemon_running` while a repair is at work."""
    found = holder(home.lock)
    if found is not None and found.what != DAEMON:
        message = f"{found.what} is at work in {home.root} (pid {found.pid})"
        raise AttnError("daemon_running", message, "wait until it is done, then try again")


def _ask_to_stop(home: Home) -> int | None:
    """How many programs run on, None when nobody there understood the request."""
    try:
        link = open_link(home)
        if link is None:
            return None
        with link:
            return link.request(StopDaemon(id=0), StopResult).sessions_running
    except AttnError as error:
        # A daemon of another protocol or one that hangs: the caller has SIGTERM for it.
        if error.code in ("protocol_mismatch", "daemon_unreachable"):
            return None
        raise


def lock_holder(home: Home) -> int | None:
    """The pid of the daemon that holds the lock of `home`; None when nobody holds it.

    The pid in the file alone proves nothing (it may be an old one): the lock must be held, and where /proc tells,
    that process must have the lock file open.
    """
    text = ""
    for _ in range(HOLDER_LOOKS):  # a daemon that ends, or has just begun, does not look right for a moment
        found = holder(home.lock)
        if found is None:
            return None
        text = found.pid
        if text.isdecimal() and _has_open(int(text), home.lock):
            return int(text)
        time.sleep(LOOK_EVERY_S)
    message = f"{home.lock} is held, but not by the process {text or '?'} that it names"
    raise AttnError("daemon_unreachable", message, f"find the holder with: fuser {home.lock}")


def _has_open(pid: int, path: Path) -> bool:
    if not Path("/proc/self/fd").is_dir():
        return True  # no /proc (macOS): the lock and the pid that its holder wrote are all there is
    try:
        return any(path.samefile(entry) for entry in Path(f"/proc/{pid}/fd").iterdir() if entry.exists())
    except OSError:
        return False  # it ended meanwhile, or belongs to somebody else


def wait_until(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Whether `condition` came true in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK_EVERY_S)
    return True
