"""A disk that is full, or becomes full at any point: a repair is done or not, and says which."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from attn.errors import AttnError
from attn.paths import Home
from attn.store import backup, open_store
from attn.store.repair import promotion, proposals
from attn.store.repair.intent import Kind
from tests.durability import repairing
from tests.durability.repairing import CASES, Case, Kept
from tests.store.repair.conftest import NOW_MS
from tests.system.small_disk import FILLER, SmallDisk, small_disk

PAGE_BYTES = 4096


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    with small_disk(folder, 3) as found:
        yield found


def leave(disk: SmallDisk, pages: int) -> None:
    """Fill the disk but for so many pages."""
    disk.fill()
    filler = disk.folder / FILLER
    with filler.open("r+b") as file:
        file.truncate(filler.stat().st_size - pages * PAGE_BYTES)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_full_disk_is_said_and_nothing_is_touched(case: Case, disk: SmallDisk, tmp_path: Path) -> None:
    home = repairing.home_at(disk.folder / "h")
    case.prepare(home)
    assert repairing.run(home.root, ("doctor",)).returncode in (0, 1, 2)  # makes nothing, but the lock is there then
    before = repairing.tree(home)
    disk.fill()
    for _ in range(2):
        done = repairing.run(home.root, case.words)
        assert done.returncode == 74 and done.stderr.startswith(("disk_low: ", "disk_full: ")), done
        assert repairing.tree(home) == before and not home.intent.exists()
    looked = repairing.run(home.root, ("doctor",))
    assert "MB are free" in looked.stdout and looked.returncode in (1, 2)
    disk.free()
    done = repairing.run(home.root, case.words)
    assert done.returncode == 0 and repairing.openable(home), done


@pytest.mark.parametrize("kind", ["salvage", "restore", "reset"])
def test_a_disk_that_becomes_full_on_the_way(
    kind: Kind, disk: SmallDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = repairing.home_at(tmp_path / "h")
    next(case for case in CASES if case.name == kind).prepare(home)
    kept = Kept(home)
    root = disk.folder / "h"
    monkeypatch.setattr(promotion, "_make_room", lambda home, size: None)  # as if the space went afterwards
    proposal = proposals.propose(home, kind, "", (), NOW_MS)
    needed = len(proposal.image) // PAGE_BYTES + 12
    seen = set()
    for pages in range(needed + 4):
        there = repairing.home_at(root)
        Kept.copy(home, there)
        leave(disk, pages)
        try:
            promotion.put_in_place(there, proposal, NOW_MS, lambda done, total: None)
            told = ""
        except AttnError as error:
            told = error.code
        seen.add(judge(there, kept, proposal, told, pages))
        disk.free()
        Kept.remove(there)
    assert seen == {"old", "new"}


def judge(home: Home, kept: Kept, proposal: proposals.Proposal, told: str, pages: int) -> str:
    if home.intent.exists():
        assert told == "repair_incomplete", pages
        (home.root.parent / FILLER).unlink()
        promotion.resume(home, (), NOW_MS, lambda done, total: None)
        assert home.database.read_bytes() == proposal.image
        return "both"
    if repairing.tree(home) == kept.before:
        assert told == "disk_full", (pages, told)
        return "old"
    assert not told and home.database.read_bytes() == proposal.image, (pages, told)
    return "new"


def test_a_backup_on_a_disk_that_becomes_full(disk: SmallDisk) -> None:
    home = repairing.home_at(disk.folder / "h")
    CASES[-1].prepare(home)
    store = open_store(home, now_ms=NOW_MS)
    seen = set()
    for pages in range(40):
        leave(disk, pages)
        try:
            made = store.back_up("manual", NOW_MS + 10 + pages)
            assert made is not None and proposals.restore(home, Path(made.path)).needed
            seen.add("made")
        except AttnError as error:
            assert error.code in ("disk_full", "backup_failed"), error
            seen.add("not made")
        disk.free()
        assert not [path for path in home.backups.iterdir() if "unfinished" in path.name]
        for listed in backup.listed(home.backups):
            assert proposals.restore(home, Path(listed.path)).needed
    store.close()
    assert seen == {"made", "not made"}
