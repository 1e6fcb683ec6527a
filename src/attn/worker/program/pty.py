"""A program in a new pseudo-terminal: started, sized, asked about; Linux facts with what macOS shares."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
import struct
import sys
import termios
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

# Python ignores SIGPIPE and an ignored signal stays ignored across exec, so all are reset. Plain integers, computed
# once: making enum members after the fork touches pages that all workers share.
_DEFAULT_SIGNALS: Final = tuple(
    int(number) for number in signal.valid_signals() if number not in (signal.SIGKILL, signal.SIGSTOP)
)
# Backspace in a line edited by the kernel then erases a character, not a byte (termios(3); Python names it from 3.14).
_IUTF8: Final = 0o40000
_SIZE: Final = struct.Struct("HHHH")
_NO_PATH: Final = b"/usr/local/bin:/usr/bin:/bin"
# The kernel should end the program before its worker and the daemon when memory runs out.
_OOM_SCORE: Final = b"300"
# read(2) on descriptor 0, as /proc/PID/syscall begins on x86-64 and on arm64.
_READS_INPUT: Final = (b"0 0x0 ", b"63 0x0 ")
# Processes in front that are looked at: a script and what it runs, not a whole build.
FOREGROUND_MAX: Final = 16

_CODES: Final = {
    errno.ENOENT: "agent_missing",
    errno.EACCES: "not_executable",
    errno.ENOEXEC: "not_executable",
    errno.EPERM: "not_executable",
    errno.EISDIR: "not_executable",
}


class LaunchError(Exception):
    """The program could not be started: a code that people see, and one sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Program(NamedTuple):
    """A running program: its pid, which is also its session and first process group, and the PTY's master."""

    pid: int
    master: int


def launch(argv: list[bytes], env: Mapping[bytes, bytes], cwd: bytes, umask: int, size: tuple[int, int]) -> Program:
    """Start `argv` in directory `cwd` on a PTY of `size` (rows, cols), as leader of its own session.

    `umask` is the program's: what it makes is for the person to share, what the worker makes is not.

    `argv[0]` is looked up in the PATH of `env`. Returns only after the exec succeeded; the master does not block.
    Raises LaunchError; then nothing runs and nothing is open.
    """
    _enter(cwd)
    try:
        path = find(argv[0], env.get(b"PATH", _NO_PATH))
        master, slave = os.openpty()
        try:
            set_size(master, *size)
            _erase_characters(slave)
            ours = os.umask(umask)
            try:
                pid = _spawn([path, *argv[1:]], env, os.ttyname(slave))
            finally:
                os.umask(ours)
        except OSError as error:
            os.close(master)
            raise _refused(path, error) from error
        finally:
            os.close(slave)
    except OSError as error:
        raise LaunchError("internal", f"no terminal could be made: {error.strerror}") from error
    finally:
        os.chdir("/")
    os.set_blocking(master, False)
    _raise_oom_score(pid)
    return Program(pid, master)


def find(name: bytes, path: bytes) -> bytes:
    """The absolute path of program `name`, by `path` (a PATH) unless it has a slash. Raises LaunchError."""
    shown = os.fsdecode(name)
    refused = False
    for candidate in _candidates(name, path):
        try:
            mode = os.stat(candidate).st_mode
        except OSError:
            continue
        if stat.S_ISREG(mode) and os.access(candidate, os.X_OK):
            return candidate
        refused = True
    if refused:
        raise LaunchError("not_executable", f"{shown} is not an executable file")
    where = "does not exist" if b"/" in name else f"is in no directory of PATH ({os.fsdecode(path)})"
    raise LaunchError("agent_missing", f"{shown or 'the empty name'} {where}")


def _candidates(name: bytes, path: bytes) -> Iterator[bytes]:
    here = os.getcwdb()
    if b"/" in name:
        yield os.path.join(here, name)
    elif name:
        for directory in path.split(b":"):
            yield os.path.join(here, directory, name)


def _enter(cwd: bytes) -> None:
    try:
        os.chdir(cwd)
    except FileNotFoundError:
        raise LaunchError("directory_missing", f"{os.fsdecode(cwd)} does not exist") from None
    except NotADirectoryError:
        raise LaunchError("not_a_directory", f"{os.fsdecode(cwd)} is not a directory") from None
    except OSError as error:
        raise LaunchError("permission_denied", f"{os.fsdecode(cwd)}: {error.strerror}") from error


def _spawn(argv: list[bytes], env: Mapping[bytes, bytes], terminal: str) -> int:
    # In a new session the first terminal that is opened becomes the controlling one (tty(4)).
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, terminal, os.O_RDWR, 0),
        (os.POSIX_SPAWN_DUP2, 0, 1),
        (os.POSIX_SPAWN_DUP2, 0, 2),
    ]
    return os.posix_spawn(
        argv[0], argv, env, file_actions=actions, setsid=True, setsigdef=_DEFAULT_SIGNALS, setsigmask=()
    )


def _refused(path: bytes, error: OSError) -> LaunchError:
    code = _CODES.get(error.errno or 0, "internal")
    return LaunchError(code, f"{os.fsdecode(path)} cannot be executed: {error.strerror}")


def _erase_characters(slave: int) -> None:
    attributes = termios.tcgetattr(slave)
    attributes[0] |= _IUTF8
    termios.tcsetattr(slave, termios.TCSANOW, attributes)


def _raise_oom_score(pid: int) -> None:
    if sys.platform != "linux":
        return
    try:
        file = os.open(f"/proc/{pid}/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return  # the program is over already, or /proc is not mounted: a hint to the kernel, no more
    try:
        os.write(file, _OOM_SCORE)
    except OSError:
        return  # it is higher already, and lowering it needs a privilege
    finally:
        os.close(file)


def read(master: int, buffer: memoryview) -> tuple[bytes, bool]:
    """What the terminal has now, as much as `buffer` takes, and whether no process has its other side open.

    Raises OSError only for what cannot happen to a PTY.
    """
    used, hung_up = 0, False
    while used < len(buffer) and not hung_up:
        try:
            count = os.readv(master, [buffer[used:]])
        except BlockingIOError:
            break
        except OSError as error:
            if error.errno != errno.EIO:  # Linux; macOS ends with no bytes
                raise
            count = 0
        used += count
        hung_up = count == 0
    return bytes(buffer[:used]), hung_up


def set_size(master: int, rows: int, cols: int, width_px: int = 0, height_px: int = 0) -> None:
    """Tell kernel and program the size in cells and pixels; SIGWINCH follows when it differs."""
    fcntl.ioctl(master, termios.TIOCSWINSZ, _SIZE.pack(rows, cols, width_px, height_px))


def canonical(master: int) -> bool:
    """Does the kernel collect lines for the program (ICANON), as before a TUI starts? False when the PTY is closed."""
    try:
        return bool(termios.tcgetattr(master)[3] & termios.ICANON)
    except termios.error:
        return False


def foreground(master: int) -> int | None:
    """The process group that the terminal's keys go to."""
    try:
        group = os.tcgetpgrp(master)
    except OSError:
        return None
    return group if group > 0 else None


def waits_for_input(master: int) -> bool:
    """Is the foreground program known to wait in a read of its terminal? False also where the system does not tell.

    The program is whatever runs in front: a script's own process may only wait for the command that reads.
    """
    group = foreground(master)
    if group is None or sys.platform != "linux":
        return False
    waiting = [group]
    for seen in range(FOREGROUND_MAX):
        if seen >= len(waiting):
            return False
        if _reads_input(waiting[seen]):
            return True
        waiting += _children(waiting[seen])
    return False


def _reads_input(pid: int) -> bool:
    return _proc(f"/proc/{pid}/syscall").startswith(_READS_INPUT)


def _children(pid: int) -> list[int]:
    return [int(child) for child in _proc(f"/proc/{pid}/task/{pid}/children").split()]


def _proc(path: str) -> bytes:
    """The beginning of a file of the kernel's, empty when the process is gone or not ours to ask."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(file, 4096)
    except OSError:
        return b""
    finally:
        os.close(file)
