"""The directory and the program that a wish for a session names, checked before any file exists."""

from __future__ import annotations

import errno
import os
import resource
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from attn.bundle import processes
from attn.bundle.bundle import Bundle
from attn.bundle.files import BundleDamaged
from attn.bundle.records import Spec
from attn.core.environment import MAX_ENTRY_BYTES
from attn.core.session import printable
from attn.errors import AttnError, refused_by_system

# What attaching to, ending and removing the sessions that there are takes, all at once.
RESERVED_DESCRIPTORS: Final = 16


def check_descriptors() -> None:
    """Whether one more session leaves enough files to be opened to look after all others.

    Raises AttnError `fd_exhausted`.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(os.listdir("/dev/fd"))
    if limit != resource.RLIM_INFINITY and used + RESERVED_DESCRIPTORS > limit:
        raise refused_by_system(
            f"no further session can be looked after with {used} of {limit} files open",
            OSError(errno.EMFILE, os.strerror(errno.EMFILE)),
        )


def directory(wanted: str | None, login: dict[str, str], remedy: str = "give another --cwd") -> str:
    """The absolute directory to start in, the home directory when none was named; `remedy`: if it will not do."""
    text = wanted or login.get("HOME") or os.path.expanduser("~")
    path = Path(text).expanduser()
    if "\0" in text or not path.is_absolute():
        raise AttnError(
            "directory_missing", f"{printable(text)[:200]!r} is not an absolute path", "give one with --cwd"
        )
    shown = printable(str(path))
    try:
        if not path.exists():
            raise AttnError("directory_missing", f"there is no directory {shown}", f"make it, or {remedy}")
        if not path.is_dir():
            raise AttnError("not_a_directory", f"{shown} is not a directory", remedy)
    except OSError as error:
        raise AttnError("directory_missing", f"{shown} cannot be used: {error.strerror}", remedy) from error
    if not os.access(path, os.X_OK):
        raise AttnError("permission_denied", f"{shown} may not be entered by you", remedy)
    return str(path)


def finder(search_path: str, cwd: str) -> Callable[[str], str | None]:
    """`shutil.which` over the session's own PATH; relative names with a slash count from its directory."""

    def which(name: str) -> str | None:
        if not name or "\0" in name:
            return None
        if "/" in name:
            name = os.path.normpath(os.path.join(cwd, os.path.expanduser(name)))
        return shutil.which(name, path=search_path)

    return which


def program(name: str, which: Callable[[str], str | None], cwd: str) -> str:
    """The absolute path of what a person typed after `--`."""
    if path := which(name):
        return os.path.abspath(path)
    shown = printable(name)[:200]
    path = os.path.join(cwd, os.path.expanduser(name))
    if "/" in name and os.path.isdir(path):
        raise AttnError("not_executable", f"{shown} is a directory", f"to work there: attn new --cwd {shown}")
    if "/" in name and os.path.exists(path):
        raise AttnError("not_executable", f"{shown} is not an executable file", f"chmod +x {shown}")
    raise AttnError("agent_missing", f"there is no program {shown!r} on the PATH of your login shell", "check the name")


def repeatable(spec: Spec) -> bool:
    """Can the program of a session be started again: are its file and its directory still there?"""
    return os.path.isdir(spec.cwd) and runs(spec.argv[0])


def runs(path: str) -> bool:
    """Is there a program at `path`, as far as its file tells?"""
    return os.path.isfile(path) and os.access(path, os.X_OK)


def check_arguments(argv: list[str]) -> None:
    """What execve(2) would refuse."""
    for word in argv:
        if "\0" in word or len(os.fsencode(word)) > MAX_ENTRY_BYTES:
            raise AttnError("usage", "an argument holds a NUL byte or is over 128 KiB", "pass long texts in a file")


def running_elsewhere(bundle: Bundle) -> int | None:
    """The pid of the worker of the session that this one is a copy of; None when nothing proves that there is one."""
    try:
        return bundle.runs_elsewhere()
    except (BundleDamaged, OSError):
        return None


def left_running(bundle: Bundle) -> int | None:
    """The pid of a session's program that its worker left behind; None when nothing proves that there is one."""
    try:
        return bundle.program_left()
    except (BundleDamaged, OSError):
        return None


def serving_removed(bundle: Bundle) -> int | None:
    """The pid of the worker of a session whose whole directory was removed; None when nothing proves that it lives."""
    return None if bundle.path.exists() else processes.serving_removed(bundle.path)
