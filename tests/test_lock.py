"""The lock of a home excludes, and names its holder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from attn.errors import AttnError
from attn.lock import Holder, HomeLock, holder


def test_the_lock_excludes_and_says_who(tmp_path: Path) -> None:
    path = tmp_path / "daemon.lock"
    first = HomeLock(path, tmp_path / "s", "attn repair salvage")
    with pytest.raises(AttnError, match=rf"attn repair salvage runs already .*pid {os.getpid()}") as raised:
        HomeLock(path)
    assert raised.value.exit_status == 75
    assert holder(path) == Holder(str(os.getpid()), str(tmp_path / "s"), "attn repair salvage")
    first.release()
    assert path.exists() and holder(path) is None
    HomeLock(path).release()


def test_looking_changes_nothing(tmp_path: Path) -> None:
    assert holder(tmp_path / "daemon.lock") is None and not list(tmp_path.iterdir())
    lock = HomeLock(tmp_path / "daemon.lock")
    (tmp_path / "daemon.lock").chmod(0o400)
    assert holder(tmp_path / "daemon.lock") == Holder(str(os.getpid()), "", "a daemon")
    lock.release()


def test_the_file_of_an_older_attn_is_understood(tmp_path: Path) -> None:
    lock = HomeLock(tmp_path / "daemon.lock")
    (tmp_path / "daemon.lock").write_text("17\n/run/s\n")
    assert holder(tmp_path / "daemon.lock") == Holder("17", "/run/s", "a daemon")
    lock.release()


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").touch()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("link", "missing/daemon.lock"):
        with pytest.raises(AttnError, match="home_unwritable"):
            HomeLock(tmp_path / name)
    with pytest.raises(AttnError, match="home_unwritable"):
        holder(tmp_path / "link")
    with pytest.raises(AttnError, match="Is a directory"):
        holder(tmp_path)
