"""An end is put on disk, however long the disk takes nothing."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from attn.bundle.bundle import Bundle
from attn.bundle.records import ExitRecord
from attn.worker.program import recording
from attn.worker.program.recording import RETRY_MS, Recording
from tests.worker.inside import attached, inside, turn_until

HOUR_MS = 3_600_000


class Disk:
    """Takes nothing until `errors` is empty."""

    def __init__(self, *errors: OSError) -> None:
        self.errors = list(errors)
        self.writes = 0

    def write(self) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.writes += 1


def full() -> OSError:
    return OSError(errno.ENOSPC, "No space left on device")


def test_a_disk_that_works_is_written_once() -> None:
    disk = Disk()
    assert Recording(disk.write, print, HOUR_MS, 0).due(0, visited=False) is None
    assert disk.writes == 1


def test_a_full_disk_is_tried_until_it_is_free_and_noted_once() -> None:
    disk, notes, now = Disk(*[full() for _ in range(100)]), list[str](), 0
    record = Recording(disk.write, notes.append, HOUR_MS, 0)
    while (delay := record.due(now, visited=False)) is not None:
        now += delay
    assert (disk.writes, now, len(notes)) == (1, 100 * RETRY_MS, 1)


def test_a_worker_that_nobody_comes_to_ends_but_not_one_that_is_visited() -> None:
    disk, notes = Disk(*[full() for _ in range(9)]), list[str]()
    record = Recording(disk.write, notes.append, 12 * HOUR_MS, 0)
    assert record.due(12 * HOUR_MS - 1, visited=False) == RETRY_MS
    assert record.due(13 * HOUR_MS, visited=True) == RETRY_MS
    assert record.due(25 * HOUR_MS - 1, visited=False) == RETRY_MS
    assert record.due(25 * HOUR_MS, visited=False) is None
    assert disk.writes == 0 and "no daemon came" in notes[-1]


def test_without_a_bound_it_waits_for_ever() -> None:
    record = Recording(Disk(*[full() for _ in range(9)]).write, print, 0, 0)
    assert record.due(10_000 * HOUR_MS, visited=False) == RETRY_MS


def test_a_session_whose_directory_is_gone_is_let_be() -> None:
    notes: list[str] = []
    assert Recording(Disk(FileNotFoundError()).write, notes.append, HOUR_MS, 0).due(0, visited=True) is None
    assert "directory is gone" in notes[0]


def test_the_exit_is_told_while_the_disk_is_full_and_written_when_it_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, blocked = Bundle.write_exit, [True]

    def write(bundle: Bundle, ended: ExitRecord) -> None:
        if blocked[0]:
            raise full()
        real(bundle, ended)

    monkeypatch.setattr(Bundle, "write_exit", write)
    monkeypatch.setattr(recording, "RETRY_MS", 10)
    with inside(tmp_path, "sh", "-c", "exit 5") as worker, attached(worker) as client:
        worker.loop.after("reap", 0, worker._reap)
        os.waitid(os.P_PID, worker.program.pid, os.WEXITED | os.WNOWAIT)
        worker._reap()
        client.until(lambda: [event for event in client.events if event["event"] == "exit"])
        assert client.call("info")["exit"]["code"] == 5 and not worker._leaving
        blocked[0] = False
        turn_until(worker, lambda: worker._leaving, "the exit on disk")
        ended = worker.bundle.exit()
        assert ended is not None and ended.code == 5
        client.until(lambda: [event for event in client.events if event["event"] == "goodbye"])
        assert len([event for event in client.events if event["event"] == "exit"]) == 1


def test_a_worker_that_is_told_to_go_goes_without_its_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(bundle: Bundle, ended: ExitRecord) -> None:
        raise full()

    monkeypatch.setattr(Bundle, "write_exit", write)
    with inside(tmp_path, "true") as worker, attached(worker) as client:
        os.waitid(os.P_PID, worker.program.pid, os.WEXITED | os.WNOWAIT)
        worker._reap()
        client.until(lambda: client.events)
        client.call("remove")
        turn_until(worker, lambda: worker._leaving, "its leaving")
