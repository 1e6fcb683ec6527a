"""A database that was lost, damaged or put there by hand is refused with its own code, and left as it is."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from attn.paths import Home
from attn.store import StoreFailure, open_store
from tests.store.conftest import NOW_MS, ROW, refused, reopened
from tests.store.losses import EDITS, LOSSES


@pytest.mark.parametrize(("damage", "code"), [*LOSSES, *EDITS], ids=lambda value: getattr(value, "__name__", ""))
def test_a_database_that_was_lost_is_never_replaced_by_an_empty_one(
    home: Home, damage: Callable[[Home], None], code: str
) -> None:
    store = open_store(home, now_ms=NOW_MS)
    store.sessions.upsert(ROW)
    store.close()
    damage(home)
    failure = refused(home, code)
    assert str(home.root) in failure.message and failure.remedy


def test_a_file_that_may_not_be_written_is_refused(tmp_path: Path) -> None:
    assert _as_nobody(lambda home: home.database.chmod(0o400)) == "permission_denied"


def test_a_directory_that_may_not_be_written_is_refused() -> None:
    assert _as_nobody(lambda home: home.root.chmod(0o500)) == "home_unwritable"


def _as_nobody(change: Callable[[Home], None]) -> str:
    """What opening says to a user who is not root (root may write everything), in a process of its own."""
    root = Path(tempfile.mkdtemp(prefix="attn-nobody-"))
    home = Home(root, root / "s", is_default=False)
    reopened(home).close()
    for path in (root, *root.iterdir()):
        if os.getuid() == 0:
            os.chown(path, 65534, 65534)
    change(home)
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        if os.getuid() == 0:
            os.setuid(65534)
        try:
            open_store(home, now_ms=NOW_MS).close()
            os.write(theirs, b"opened")
        except StoreFailure as failure:
            os.write(theirs, failure.code.encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(theirs)
    with open(ours, "rb") as answer:
        code = answer.read().decode()
    root.chmod(0o700)
    shutil.rmtree(root)
    return code
