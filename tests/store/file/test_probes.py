"""What can be seen of the database's files without SQLite."""

from __future__ import annotations

import os
import resource
import sqlite3
from pathlib import Path

import pytest

from attn.store.file import probes


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "attn.db"
    database = sqlite3.connect(made)
    database.execute("CREATE TABLE t (a)")
    database.close()
    return made


def test_a_sound_file_has_nothing_to_be_said_about(path: Path) -> None:
    assert [look(path) for look in (probes.unusable, probes.link, probes.header, probes.remote)] == [None] * 4


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    found = probes.unusable(tmp_path / "gone" / "attn.db")
    assert found is not None and (found.code, found.path) == ("home_unwritable", tmp_path / "gone")


@pytest.mark.parametrize("start", [b"text", b"\0" * 200, b"SQLite format 3\0short"])
def test_what_does_not_begin_like_a_database(path: Path, start: bytes) -> None:
    path.write_bytes(start)
    found = probes.header(path)
    assert found is not None and found.code == "not_a_database" and repr(start[:16]) in found.text


def test_a_format_of_the_future(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[18] = 9
    path.write_bytes(data)
    found = probes.header(path)
    assert found is not None and found.code == "not_a_database" and "9" in found.text


def test_a_log_beside_a_database_that_has_none_is_foreign(path: Path) -> None:
    wal, _ = probes.companions(path)
    wal.write_bytes(b"pages of another")
    found = probes.header(path)
    assert found is not None and (found.code, found.path) == ("wal_mismatch", wal)


def test_links_that_lead_to_no_usable_file(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    for target in (tmp_path / "nowhere", tmp_path, link):
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        found = probes.link(link)
        assert found is not None and found.code == "symlink" and str(target) in found.text
    link.unlink()
    link.symlink_to(path)
    assert probes.link(link) is None


def test_a_second_name_of_the_file(path: Path, tmp_path: Path) -> None:
    os.link(path, tmp_path / "second.db")
    found = probes.link(path)
    assert found is not None and (found.code, found.path) == ("hard_link", path)


def test_all_states_of_one_log_have_one_origin_and_another_log_has_another(tmp_path: Path) -> None:
    origins = []
    for name in ("a.db", "b.db"):
        database = sqlite3.connect(tmp_path / name, isolation_level=None)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE t (a)")
        first = probes.log_origin(tmp_path / name)
        database.execute("PRAGMA wal_checkpoint(RESTART)")
        database.execute("INSERT INTO t VALUES (1)")
        assert first is not None and probes.log_origin(tmp_path / name) == first
        origins.append(first)
        database.close()
        assert probes.log_origin(tmp_path / name) is None
    assert origins[0] != origins[1]


MOUNTS = [
    "22 1 8:1 / / rw - ext4 /dev/sda1 rw",
    "40 22 0:50 / /home rw shared:1 - nfs4 server:/home rw",
    "41 40 0:51 / /home/x/My\\040Disk rw - ext4 /dev/sdb1 rw",
]


def test_the_file_system_is_that_of_the_deepest_mount() -> None:
    for directory, kind in (("/var", "ext4"), ("/home/x", "nfs4"), ("/home/x/My Disk/attn", "ext4")):
        assert probes._file_system(Path(directory), MOUNTS) == kind


def test_a_network_file_system_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "_mounts", lambda: ["40 22 0:50 / / rw - nfs4 server:/ rw"])
    found = probes.remote(path)
    assert found is not None and found.code == "network_fs" and "nfs4" in found.text


def test_a_synchronised_directory_is_told(tmp_path: Path) -> None:
    found = probes.remote(tmp_path / "Dropbox" / "attn.db")
    assert found is not None and found.code == "network_fs" and "Dropbox" in found.text


def test_no_descriptor_left() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert not probes.descriptors_exhausted()
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
        assert probes.descriptors_exhausted()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
