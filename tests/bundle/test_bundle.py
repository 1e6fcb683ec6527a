"""One session's directory."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from attn.bundle import identity
from attn.bundle.bundle import Bundle, BundleBusy, list_bundles
from attn.bundle.files import BundleDamaged, Directory
from attn.bundle.records import ExitRecord, Meta, WorkerRecord
from tests.bundle.test_records import SCREEN, SPEC

ID = "abcdefghij"
META = Meta(label="x", order=0)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    made = Bundle(tmp_path / ID)
    made.create(SPEC, META)
    return made


def test_a_new_bundle_says_what_the_session_is(tmp_path: Path) -> None:
    bundle = Bundle(tmp_path / ID)
    token = bundle.create(SPEC, META)
    assert (bundle.session_id, bundle.spec(), bundle.meta(), bundle.control()) == (ID, SPEC, META, token)
    assert len(token) == 64
    assert (bundle.worker(), bundle.exit(), bundle.screen(), bundle.lock_held()) == (None, None, None, False)
    assert bundle.path.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in bundle.path.iterdir()} == {0o600}


def test_an_existing_session_is_never_overwritten(bundle: Bundle) -> None:
    token = bundle.control()
    with pytest.raises(FileExistsError):
        bundle.create(SPEC, META)
    assert bundle.control() == token


def test_a_bundle_is_there_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[Bundle]] = []
    real = os.rename

    def spying(*args: object, **named: object) -> None:
        seen.append(list_bundles(tmp_path))
        real(*args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "rename", spying)
    Bundle(tmp_path / ID).create(SPEC, META)
    assert len(seen) == 4 and not any(seen)
    assert len(list_bundles(tmp_path)) == 1 and os.listdir(tmp_path) == [ID]


def test_a_bundle_that_cannot_be_made_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(directory: Directory) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Directory, "sync", full)
    with pytest.raises(OSError, match="No space"):
        Bundle(tmp_path / ID).create(SPEC, META)
    assert os.listdir(tmp_path) == []


def test_a_new_run_takes_the_end_of_the_last_one_away_or_leaves_everything(bundle: Bundle) -> None:
    worker, ended = WorkerRecord(1, 2, "boot", "/s", 1, 1, "0.1", "vt1", 3), ExitRecord(0, None, 5, 6)
    bundle.begin_run(worker)
    bundle.write_exit(ended)
    refused = bundle.path / "worker.json.tmp"
    refused.mkdir()
    with pytest.raises(OSError):
        bundle.begin_run(worker._replace(pid=7))
    assert (bundle.worker(), bundle.exit()) == (worker, ended)
    refused.rmdir()
    bundle.begin_run(worker._replace(pid=7))
    assert (bundle.worker(), bundle.exit()) == (worker._replace(pid=7), None)


def test_all_that_is_written_is_read_back(bundle: Bundle) -> None:
    worker = WorkerRecord(1, 2, "boot", "/s", 1, 1, "0.1", "vt1", 3)
    ended = ExitRecord(0, None, 5, 6)
    changed = Meta("y", 2, "killed", "kill", "0000-1", 30, 90)
    bundle.write_meta(changed)
    bundle.write_worker(worker)
    bundle.write_exit(ended)
    bundle.write_screen(SCREEN)
    assert (bundle.meta(), bundle.worker(), bundle.exit(), bundle.screen()) == (changed, worker, ended, SCREEN)


@pytest.mark.parametrize("name", ["spec.json", "meta.json", "worker.json", "exit.json", "screen"])
def test_damage_is_named_and_left_as_it_is(bundle: Bundle, name: str) -> None:
    (bundle.path / name).write_bytes(b"\0\0\0")
    reader = getattr(bundle, name.partition(".")[0])
    with pytest.raises(BundleDamaged, match=name):
        reader()
    assert (bundle.path / name).read_bytes() == b"\0\0\0"


@pytest.mark.parametrize("name", ["spec.json", "meta.json", "control"])
def test_what_every_session_has_cannot_be_missing(bundle: Bundle, name: str) -> None:
    (bundle.path / name).unlink()
    with pytest.raises(BundleDamaged, match="is missing"):
        getattr(bundle, name.partition(".")[0])()


def test_an_unreadable_bundle_is_not_a_damaged_one(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        Bundle(tmp_path / "gone").lock_held()


def test_a_program_that_was_left_behind_is_proved_by_its_start(bundle: Bundle) -> None:
    with subprocess.Popen(["sleep", "600"]) as program:
        started = identity.start_time(program.pid) or 0
        record = WorkerRecord(program.pid, 1, identity.boot_id(), "/s", 1, 1, "0", "f", program.pid, started)
        bundle.write_worker(record)
        assert bundle.program_left() == program.pid
        lock = bundle.acquire_lock()
        assert bundle.program_left() is None, "its worker lives"
        os.close(lock)
        for other in (record._replace(child_start_time=started + 1), record._replace(child_start_time=0)):
            bundle.write_worker(other)
            assert bundle.program_left() is None
        bundle.write_worker(record)
        program.kill()
        os.waitid(os.P_PID, program.pid, os.WEXITED | os.WNOWAIT)
        assert bundle.program_left() is None, "it ended, and nobody took note yet"


def test_a_copy_of_a_session_that_runs_is_known_by_its_worker(bundle: Bundle, tmp_path: Path) -> None:
    me, began = os.getpid(), identity.start_time(os.getpid()) or 0
    bundle.write_worker(WorkerRecord(me, began, identity.boot_id(), "/s", 1, 1, "0", "f", me, began))
    lock = bundle.acquire_lock()
    shutil.copytree(bundle.path, tmp_path / "copy")
    copy = Bundle(tmp_path / "copy")
    assert bundle.runs_elsewhere() is None and copy.runs_elsewhere() == me
    assert copy.program_left() is None, "its worker lives"
    os.close(lock)
    copy.write_worker(WorkerRecord(me, began + 1, identity.boot_id(), "/s", 1, 1, "0", "f", me, began))
    assert copy.runs_elsewhere() is None, "another process has its number now"
    assert Bundle(copy.path).program_left() == me


def test_without_its_file_the_lock_is_told_by_the_process(bundle: Bundle) -> None:
    me = os.getpid()
    record = WorkerRecord(me, identity.start_time(me) or 0, identity.boot_id(), "/s", 1, 1, "0", "f", 1)
    bundle.write_worker(record)
    assert bundle.lock_held()
    bundle.write_worker(record._replace(start_time=record.start_time - 1))
    assert not bundle.lock_held()
    (bundle.path / "worker.json").write_text("{")
    with pytest.raises(OSError, match="neither"):
        bundle.lock_held()


def test_the_lock_tells_whether_a_worker_lives(bundle: Bundle) -> None:
    lock = bundle.acquire_lock()
    assert not os.get_inheritable(lock)
    assert bundle.lock_held()
    with pytest.raises(BundleBusy):
        bundle.acquire_lock()
    with pytest.raises(BundleBusy):
        bundle.remove()
    os.close(lock)
    assert not bundle.lock_held()


def test_remove_takes_every_file_that_attn_writes(bundle: Bundle) -> None:
    os.close(bundle.acquire_lock())
    bundle.write_exit(ExitRecord(0, None, 5, 6))
    bundle.write_screen(SCREEN)
    for name in ("worker.err", "screen.tmp", "spec.json.tmp"):
        (bundle.path / name).touch()
    bundle.remove()
    assert not bundle.path.exists()


def test_remove_touches_no_stranger(bundle: Bundle, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_bytes(b"x")
    (bundle.path / "screen").symlink_to(precious)
    (bundle.path / "notes.txt").write_bytes(b"mine")
    with pytest.raises(BundleDamaged, match=r"notes\.txt"):
        bundle.remove()
    assert precious.read_bytes() == b"x"
    assert os.listdir(tmp_path / f"{ID}.removed") == ["notes.txt"]


def test_remove_does_not_follow_a_linked_bundle(bundle: Bundle, tmp_path: Path) -> None:
    link = Bundle(tmp_path / "zzzzzzzzzz")
    link.path.symlink_to(bundle.path)
    with pytest.raises(NotADirectoryError):
        link.remove()
    assert bundle.spec() == SPEC


def test_the_list_holds_bundles_only(bundle: Bundle, tmp_path: Path) -> None:
    for name in ("s", "UPPERCASE0", "abcdefghijk", "..x"):
        (tmp_path / name).mkdir()
    (tmp_path / "zzzzzzzzzz").symlink_to(bundle.path)
    (tmp_path / "yyyyyyyyyy").touch()
    second = tmp_path / "0000000000"
    second.mkdir()
    assert [found.session_id for found in list_bundles(tmp_path)] == ["0000000000", ID]
    assert list_bundles(tmp_path / "none") == []
