"""A small file is whole or not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from attn.store.file.durable import sync_file, write_durably


def test_a_file_is_replaced_as_a_whole_and_private(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("before")
    write_durably(path, b"after")
    sync_file(path)
    assert path.read_bytes() == b"after" and path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("before")
    (tmp_path / "file.unfinished").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError):
        write_durably(path, b"after")
    assert path.read_text() == "before" and not (tmp_path / "elsewhere").exists()
