"""Ways in which a file of a bundle can be unusable, each done to a real file."""

from __future__ import annotations

import ctypes
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from attn.bundle.bundle import CONTROL, EXIT, LOCK, META, SCREEN, SPEC, WORKER
from attn.bundle.files import READ_MAX_BYTES

FILES: Final = (SPEC, META, CONTROL, WORKER, LOCK, EXIT, SCREEN)

_PR_CAPBSET_DROP: Final = 24
_CAP_DAC_OVERRIDE: Final = 1
_CAP_DAC_READ_SEARCH: Final = 2


def obey_permissions() -> None:
    """Between fork and exec: what follows may read no file that its mode forbids, although we are root."""
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH) if os.geteuid() == 0 else ():
        if libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "PR_CAPBSET_DROP")


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _cut(path: Path) -> None:
    content = path.read_bytes() if path.exists() else b""
    path.write_bytes(content[: len(content) // 2] or b'{"half')


def _wrong_types(path: Path) -> None:
    try:
        fields = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        path.write_bytes(b"[\xff\xfe]\n")
        return
    path.write_text(json.dumps({name: {"not": value} for name, value in fields.items()}))


def _unreadable(path: Path) -> None:
    path.touch()
    path.chmod(0)


def _symlink(path: Path) -> None:
    """A link to what would be right: it may be anybody's file, and is not followed."""
    aside = path.with_name(f"{path.name}.aside")
    path.touch()
    path.rename(aside)
    path.symlink_to(aside)


def _huge(path: Path) -> None:
    path.touch()
    os.truncate(path, READ_MAX_BYTES + 1)


def _directory(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


def _missing(path: Path) -> None:
    path.unlink(missing_ok=True)


KINDS: Final[dict[str, Callable[[Path], None]]] = {
    "empty": _empty,
    "cut": _cut,
    "wrong types": _wrong_types,
    "unreadable": _unreadable,
    "symlink": _symlink,
    "huge": _huge,
    "directory": _directory,
    "missing": _missing,
}


def facts(path: Path) -> tuple[int, int, int]:
    """What tells a file from its replacement: inode, mode, size."""
    found = path.lstat()
    return found.st_ino, found.st_mode, found.st_size
