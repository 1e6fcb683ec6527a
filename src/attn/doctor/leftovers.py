"""What should be gone: files that were never finished, sockets without an owner, directories without content."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from attn.bundle import processes
from attn.bundle.bundle import KNOWN, UNBORN
from attn.bundle.removal import REMOVED
from attn.core.session import valid_session_id
from attn.doctor.scene import Finding, Scene, ok, quoted, warn
from attn.doctor.sessions import DAMAGED

# How every file that is written whole is called until it is.
UNFINISHED: Final = (".tmp", ".unfinished", ".new")
# The sockets may stand in run/s.
_SOCKETS: Final = "s"


def files(scene: Scene) -> Iterator[Finding]:
    """Everything that is left over, each with how it is removed; nothing of it does harm."""
    if not scene.home.root.is_dir():
        return
    found = [*_unfinished(scene), *_sockets(scene), *_directories(scene)]
    yield from found
    if not found:
        yield ok("leftovers", "nothing is left behind", scene.home.root)


def _unfinished(scene: Scene) -> Iterator[Finding]:
    home = scene.home
    folders = [home.root, home.backups, home.run, home.aside]
    folders += [path for folder in (home.run, home.aside) for path in _entries(folder) if path.is_dir()]
    for path in (path for folder in folders for path in _entries(folder)):
        if _unfinished_name(path.name) and _settled(path, scene.now_ms):
            yield warn("leftovers", "a file that was never finished", path, f"rm {quoted(path)}")


def _unfinished_name(name: str) -> bool:
    return name.startswith(".probe-") or name.removesuffix("-wal").removesuffix("-journal").endswith(UNFINISHED)


def _settled(path: Path, now_ms: int) -> bool:
    """Whether nobody can be about to finish it."""
    try:
        return path.is_file() and now_ms - path.lstat().st_mtime * 1000 > 10_000
    except FileNotFoundError:
        return False


def _sockets(scene: Scene) -> Iterator[Finding]:
    """Those of this home; in the directory that all homes share, everything unknown is taken for the usual one's."""
    if not processes.visible():
        return
    home, owned = scene.home, processes.listening()
    all_ours = home.is_default or home.sockets.is_relative_to(home.root)
    ids = [path.name.partition(".")[0] for path in _entries(home.run)]
    names = {home.daemon_socket, *(home.worker_socket(session_id) for session_id in ids)}
    for path in _entries(home.sockets):
        known = (all_ours or path in names) and stat.S_ISSOCK(path.lstat().st_mode)
        if known and str(path) not in owned and _refuses(path):
            yield warn("leftovers", "a socket on which nobody listens", path, f"rm {quoted(path)}")


def _refuses(path: Path) -> bool:
    """Whether it is certain that nobody listens: the process table has the name that a socket was made with, and one of
    a home that was moved, or of another network namespace, is alive under another name or none."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return True
        except OSError:
            return False  # it has no time for us, or cannot be asked
    return False


def _directories(scene: Scene) -> Iterator[Finding]:
    for folder in (scene.home.run, scene.home.aside):
        for path in _entries(folder):
            if path.name == _SOCKETS or path.is_symlink() or not path.is_dir():
                continue
            if DAMAGED in path.name:
                continue  # told with the sessions
            if path.name.endswith((UNBORN, REMOVED)):
                others = [entry for entry in _entries(path) if entry.name not in KNOWN or entry.is_dir()]
                if others:
                    text = "a removed session's directory cannot go: attn did not write what is in it"
                    yield warn("leftovers", text, others[0], f"ls -l {quoted(path)}")
                elif scene.answer is not None:
                    text = "a session whose making or removal was cut off; the next start completes it"
                    yield warn("leftovers", text, path, "attn daemon restart")
            elif not _entries(path):
                yield warn("leftovers", "an empty directory", path, f"rmdir {quoted(path)}")
            elif folder == scene.home.run and not valid_session_id(path.name):
                yield warn("leftovers", "a directory that is no session's", path, f"ls -l {quoted(path)}")


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(Path(entry.path) for entry in os.scandir(folder))
    except OSError:
        return []  # not there, or what cannot be read is told by the check of the home
