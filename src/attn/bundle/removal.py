"""Taking a session's files away, in steps that the next start completes: renamed first, then erased, then forgotten.

The name `<id>.removed` is the decision: from that rename on the session does not exist. It stays, empty, until its row
is gone from the database as well; a row alone would bring the session back as one whose files were lost.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from attn.bundle.bundle import KNOWN, UNBORN, Bundle, BundleBusy, rename
from attn.bundle.files import BundleDamaged, Directory
from attn.core.session import valid_session_id

REMOVED: Final = ".removed"


class Removal:
    """A session that was removed and is not forgotten yet."""

    def __init__(self, session_id: str, folder: str) -> None:
        self.session_id = session_id
        self._folder = folder

    def erase(self) -> None:
        """Delete its files: only names that attn writes, links themselves, never their targets.

        Raises BundleDamaged when other files are there; then those stay. OSError otherwise.
        """
        with Directory(self._folder) as directory:
            for name in KNOWN:
                try:
                    directory.unlink(name)
                except IsADirectoryError:
                    continue  # told below; what attn wrote beside it holds secrets, and goes
            rest = os.listdir(directory.descriptor)
        if rest:
            raise BundleDamaged(f"{self._folder} holds {min(rest)}, which attn did not write")

    def forget(self) -> None:
        """Nothing else remembers the session: take the empty directory away. Raises OSError when it is not empty."""
        os.rmdir(self._folder)


def retire(bundle: Bundle) -> Removal:
    """Decide that the session is no more. Raises BundleBusy while a worker lives, OSError."""
    if bundle.lock_held():
        raise BundleBusy(f"session {bundle.session_id} has a living worker")
    folder = os.fspath(bundle.path)
    rename(folder, folder + REMOVED)
    return Removal(bundle.session_id, folder + REMOVED)


def drop_socket(bundle: Bundle, path: Path) -> None:
    """Take away the socket that a killed worker left at `path`, the name that the home gives it, never one it says.

    The session's lock is held meanwhile, so that no new worker can be listening there; while one lives nothing is
    done. Raises OSError.
    """
    if not os.path.lexists(path) or bundle.lock_held():
        return
    try:
        lock = bundle.acquire_lock()
    except BundleBusy:
        return  # a worker came in this very moment
    try:
        path.unlink(missing_ok=True)
    finally:
        os.close(lock)


def list_removals(run_dir: Path) -> list[Removal]:
    """The removals under `run_dir` that are not complete. Raises OSError."""
    return [Removal(name, os.path.join(run_dir, name + REMOVED)) for name in _staged(run_dir, REMOVED)]


def drop_unborn(run_dir: Path) -> list[str]:
    """Take away bundles whose making was cut off before they were sessions; their ids.

    Only the holder of the daemon's lock may ask for this: nobody else makes bundles. Raises BundleDamaged, OSError.
    """
    names = _staged(run_dir, UNBORN)
    for name in names:
        unborn = Removal(name, os.path.join(run_dir, name + UNBORN))
        unborn.erase()
        unborn.forget()
    return names


def _staged(run_dir: Path, suffix: str) -> list[str]:
    """The session ids of the plain directories whose name ends so."""
    try:
        with os.scandir(run_dir) as entries:
            found = [entry.name.removesuffix(suffix) for entry in entries if _is_staged(entry, suffix)]
    except FileNotFoundError:
        return []
    return sorted(name for name in found if valid_session_id(name))


def _is_staged(entry: os.DirEntry[str], suffix: str) -> bool:
    return entry.name.endswith(suffix) and entry.is_dir(follow_symlinks=False)
