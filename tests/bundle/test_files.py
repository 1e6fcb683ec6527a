"""Files that are whole or old."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from attn.bundle import files
from attn.bundle.files import Directory


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Directory]:
    with Directory(str(tmp_path)) as opened:
        yield opened


def test_what_is_written_is_read_back_and_nothing_else_is_left(tmp_path: Path, directory: Directory) -> None:
    directory.write("x", b"one")
    directory.write("x", b"two" * 100_000)
    assert directory.read("x") == b"two" * 100_000
    assert os.listdir(tmp_path) == ["x"]
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o600


def test_the_bytes_are_on_disk_before_the_name_points_at_them(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    for name in ("fsync", "rename"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, real=real, name=name, **k: (calls.append(name), real(*a, **k))[1])
    directory.write("x", b"data")
    assert calls == ["fsync", "rename", "fsync"]
    calls.clear()
    directory.replace("x", b"other data")
    directory.replace("y", b"data")
    directory.sync()
    assert calls == ["fsync", "rename", "fsync", "rename", "fsync"]
    assert (directory.read("x"), directory.read("y")) == (b"other data", b"data")


def test_a_full_disk_leaves_the_old_content_and_no_temporary_file(
    tmp_path: Path, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory.write("x", b"old")

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        directory.write("x", b"new")
    assert (tmp_path / "x").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["x"]


def test_a_leftover_of_a_killed_writer_is_in_nobodys_way(tmp_path: Path, directory: Directory) -> None:
    (tmp_path / "x.tmp").write_bytes(b"half of a much longer text")
    directory.write("x", b"new")
    assert directory.read("x") == b"new"


def test_links_are_not_followed(tmp_path: Path, directory: Directory) -> None:
    (tmp_path / "target").write_bytes(b"precious")
    for name in ("x", "x.tmp"):
        (tmp_path / name).symlink_to(tmp_path / "target")
    with pytest.raises(OSError, match="symbolic"):
        directory.read("x")
    with pytest.raises(OSError, match="symbolic"):
        directory.write("x", b"new")
    assert (tmp_path / "target").read_bytes() == b"precious"
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(NotADirectoryError):
        Directory(str(tmp_path / "link"))


def test_reading_is_bounded_and_knows_absence(
    tmp_path: Path, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert directory.read("none") is None
    monkeypatch.setattr(files, "READ_MAX_BYTES", 10)
    (tmp_path / "x").write_bytes(b"0123456789")
    assert directory.read("x") == b"0123456789"
    (tmp_path / "x").write_bytes(b"01234567890")
    with pytest.raises(files.BundleDamaged, match="over 10 bytes"):
        directory.read("x")
