"""A database that was lost, damaged or put there by hand is refused with its own code, and left as it is."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from attn.core import health
from attn.paths import Home
from attn.store import StoreFailure, open_store
from attn.store.file import probes
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


def test_a_file_of_another_user_is_refused_with_how_to_take_it() -> None:
    owner = os.getuid()
    if owner == 0:
        assert _as_nobody(lambda home: os.chown(home.database, 0, 0)) == "wrong_owner"
    else:
        found = probes.unusable(Path("/etc/shadow"))
        assert found is not None and found.code == "wrong_owner"


def test_no_descriptor_left_is_told_as_such(home: Home) -> None:
    reopened(home).close()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken: list[int] = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.dup(2))
        with pytest.raises(StoreFailure) as raised:
            open_store(home, now_ms=NOW_MS)
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert raised.value.code == "fd_exhausted" and raised.value.transient
    reopened(home).close()


@pytest.mark.parametrize("seed", range(6))
def test_a_flipped_byte_on_any_page_is_refused_or_harmless(home: Home, seed: int) -> None:
    """Never another exception, never an empty database, never fewer rows than there were."""
    store = open_store(home, now_ms=NOW_MS)
    store.sessions.upsert(*(replace(ROW, id=f"row{n:07d}", cwd="/x" * 200) for n in range(60)))
    store.close()
    whole, meta, chance = home.database.read_bytes(), home.sentinel.read_bytes(), random.Random(seed)
    for page in range(0, len(whole), 4096):
        data = bytearray(whole)
        data[page + chance.randrange(4096)] ^= 1 << chance.randrange(8)
        home.database.write_bytes(data)
        try:
            store = open_store(home, now_ms=NOW_MS)
        except StoreFailure as failure:
            assert failure.code in health.KINDS and failure.code not in ("store_failed", "io_error", "empty_file")
            assert home.database.read_bytes() == bytes(data)
        else:
            assert store.database.one("SELECT count(*) FROM sessions") == 60
            store.close()
        home.database.write_bytes(whole)
        home.sentinel.write_bytes(meta)


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
