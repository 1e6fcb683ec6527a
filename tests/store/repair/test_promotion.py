"""The new database takes the old one's place, and whatever ends it half-way, one of the two can be had."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest

from attn.errors import AttnError
from attn.paths import Home
from attn.store import StoreFailure, open_store
from attn.store.repair import intent, promotion, proposals
from attn.store.repair.proposals import Proposal
from tests.store.repair.conftest import NOW_MS
from tests.store.repair.faults import Faults, Killed

Tree = dict[str, str]


def quiet(done: int, total: int) -> None:
    assert 0 < done <= total


def tree(home: Home) -> Tree:
    """The bytes of what stands in a home, but for what a repair keeps."""
    files = [path for path in home.root.iterdir() if path.is_file() and not path.name.endswith(".unfinished")]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def with_log(home: Home) -> Tree:
    """As a daemon that was killed left it: a database, its log, and a sentinel."""
    home.database.with_name("attn.db-wal").write_bytes(b"the log of the old one")
    home.sentinel.write_text('{"clean": false, "newest_version": "1.2.3", "log_origin": 7}')
    return tree(home)


def small(home: Home) -> Proposal:
    """A database without rows in the place of one with some."""
    backup = home.root.with_name("backup.db")
    if not backup.exists():
        backup.write_bytes(proposals.reset(home, NOW_MS).image)
    return proposals.restore(home, backup)


def is_new(home: Home, proposal: Proposal) -> bool:
    found = tree(home)
    new = hashlib.sha256(proposal.image).hexdigest()
    return found.get("attn.db") == new and set(found) == {"attn.db", "attn.db.meta"}


def test_the_old_set_is_kept_and_the_new_one_opens(full: Home) -> None:
    before = with_log(full)
    proposal = small(full)
    folder = promotion.put_in_place(full, proposal, NOW_MS, quiet)
    kept = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    assert {name: kept[name] for name in before} == before
    assert {path.stat().st_mode & 0o777 for path in (full.database, full.sentinel, folder / "report.json")} == {0o600}
    assert {folder.stat().st_mode & 0o777, full.aside.stat().st_mode & 0o777} == {0o700}
    assert is_new(full, proposal) and "1.2.3" in full.sentinel.read_text()
    store = open_store(full, now_ms=NOW_MS)
    assert store.sessions.list() == []
    store.close()


@pytest.mark.parametrize("kind", ["kill", "torn", "EIO", "ENOSPC"])
@pytest.mark.parametrize("lasting", [False, True])
def test_every_operation_can_be_the_last(
    full: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, lasting: bool
) -> None:
    before = with_log(full)
    shutil.copytree(full.root, tmp_path / "kept")
    proposal = small(full)
    faults = Faults(monkeypatch)
    seen = set()
    for at in range(1, 500):
        shutil.rmtree(full.root)
        shutil.copytree(tmp_path / "kept", full.root)
        faults.fail(at, kind, lasting=lasting)
        try:
            promotion.put_in_place(full, proposal, NOW_MS, quiet)
            failed = False
        except (Killed, AttnError):
            failed = True
        done = not faults.reached
        faults.fail(0, "")
        seen.add(judge(full, proposal, before, failed=failed, where=f"{kind} at operation {at}"))
        if done:
            break
    assert done and seen >= ({"old", "incomplete", "new"} if kind == "kill" else {"old", "new"})


def judge(home: Home, proposal: Proposal, before: Tree, *, failed: bool, where: str) -> str:
    """Old or new without an intent, or an intent from which both can be reached; never reported done when not."""
    if not home.intent.exists():
        state = "new" if is_new(home, proposal) else "old"
        assert state == "new" or tree(home) == before, where
        assert failed or state == "new", where
        return state
    assert failed, where
    with pytest.raises(StoreFailure) as raised:
        intent.refuse_unfinished(home)
    assert raised.value.code == "repair_incomplete"
    spare = home.root.with_name("spare")
    shutil.copytree(home.root, spare)
    promotion.resume(home, (), NOW_MS, quiet)
    assert is_new(home, proposal) and not home.intent.exists(), where
    shutil.rmtree(home.root)
    spare.rename(home.root)
    promotion.abort(home, promotion.unfinished(home))
    assert tree(home) == before and not home.intent.exists(), where
    return "incomplete"


@pytest.mark.parametrize("way", ["resume", "abort"])
def test_going_on_and_going_back_can_be_killed_too(
    full: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    before = with_log(full)
    proposal = small(full)
    faults = Faults(monkeypatch)
    faults.fail(next_rename_of(full, proposal, faults, tmp_path), "kill")
    with pytest.raises(Killed):
        promotion.put_in_place(full, proposal, NOW_MS, quiet)
    faults.fail(0, "")
    shutil.copytree(full.root, tmp_path / "half")
    for at in range(1, 500):
        shutil.rmtree(full.root)
        shutil.copytree(tmp_path / "half", full.root)
        faults.fail(at, "kill")
        try:
            if way == "resume":
                promotion.resume(full, (), NOW_MS, quiet)
            else:
                promotion.abort(full, promotion.unfinished(full))
        except Killed:
            pass
        done = not faults.reached
        faults.fail(0, "")
        if done:
            break
        judge(full, proposal, before, failed=True, where=f"{way}, operation {at}")
    assert done


def next_rename_of(home: Home, proposal: Proposal, faults: Faults, tmp_path: Path) -> int:
    """The first operation after which the home has no database by its name."""
    shutil.copytree(home.root, tmp_path / "first")
    for at in range(1, 500):
        faults.fail(at, "kill")
        try:
            promotion.put_in_place(home, proposal, NOW_MS, quiet)
        except Killed:
            pass
        faults.fail(0, "")
        gone = not home.database.exists()
        shutil.rmtree(home.root)
        shutil.copytree(tmp_path / "first", home.root)
        if gone:
            return at
    raise AssertionError("the database was never on its way")


def test_what_stands_there_tells_how_to_go_back_when_the_intent_does_not(
    full: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = with_log(full)
    proposal = small(full)
    faults = Faults(monkeypatch)
    shutil.copytree(full.root, tmp_path / "kept")
    for at in range(1, 500):
        shutil.rmtree(full.root)
        shutil.copytree(tmp_path / "kept", full.root)
        faults.fail(at, "kill")
        try:
            promotion.put_in_place(full, proposal, NOW_MS, quiet)
        except Killed:
            assert not full.intent.exists() or faults.reached
        done = not faults.reached
        faults.fail(0, "")
        if done:
            break
        if not full.intent.exists():
            continue
        full.intent.write_text("damaged")
        promotion.abort_unknown(full)
        assert tree(full) == before or is_new(full, proposal), f"operation {at}"
        assert not full.intent.exists() and not list(full.root.glob("aside/*/new.db"))
    assert done


def test_a_full_disk_is_known_before(full: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    before = with_log(full)
    proposal = small(full)
    real = os.statvfs(full.root)
    monkeypatch.setattr(os, "statvfs", lambda path: os.statvfs_result((*real[:3], 1, 1, *real[5:])))
    with pytest.raises(StoreFailure, match="disk_low"):
        promotion.put_in_place(full, proposal, NOW_MS, quiet)
    assert tree(full) == before and not full.aside.exists()


def test_a_person_who_interrupts_it_finds_everything_as_it_was(full: Home) -> None:
    before = with_log(full)

    def interrupted(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        promotion.put_in_place(full, small(full), NOW_MS, interrupted)
    assert tree(full) == before and not full.intent.exists() and not list(full.aside.iterdir())


def test_a_link_is_put_aside_and_its_target_left_alone(full: Home, tmp_path: Path) -> None:
    real = tmp_path / "elsewhere.db"
    full.database.rename(real)
    full.database.symlink_to(real)
    data = real.read_bytes()
    folder = promotion.put_in_place(full, small(full), NOW_MS, quiet)
    assert real.read_bytes() == data and (folder / "attn.db").readlink() == real
    assert not full.database.is_symlink()


def test_the_oldest_folders_go(full: Home) -> None:
    for number in range(promotion.KEPT_FOLDERS + 2):
        promotion.put_in_place(full, small(full), NOW_MS + number, quiet)
    kept = sorted(path.name for path in full.aside.iterdir())
    assert len(kept) == promotion.KEPT_FOLDERS and kept[-1].endswith("006-restore")


def test_nothing_is_overwritten(full: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    proposal = small(full)
    (full.aside / "20231114T221320000-restore").mkdir(parents=True)
    (full.aside / "20231114T221320000-restore" / "attn.db").write_text("somebody's")
    with pytest.raises(StoreFailure, match=r"repair_incomplete.*both"):
        promotion.put_in_place(full, proposal, NOW_MS, quiet)
    assert (full.aside / "20231114T221320000-restore" / "attn.db").read_text() == "somebody's"
    with pytest.raises(StoreFailure, match="repair_incomplete"):
        promotion.put_in_place(full, proposal, NOW_MS + 1, quiet)


def test_there_must_be_something_to_go_on_with(full: Home) -> None:
    with pytest.raises(AttnError, match="usage"):
        promotion.resume(full, (), NOW_MS, quiet)


@pytest.mark.parametrize(
    ("facts", "told"),
    [({}, ""), ({"lost_count": 2, "uncertain": True}, "at least 2 rows are lost"),
     ({"doubtful": 1}, "1 row contradicts itself: see report.json"),
     ({"left_out_rows": 3}, "3 rows are left out, and kept in report.json")],
)  # fmt: skip
def test_what_a_repair_cost_is_in_its_report(tmp_path: Path, facts: dict[str, object], told: str) -> None:
    (tmp_path / "report.json").write_text(json.dumps({"lost_count": 0, "uncertain": False, **facts}))
    assert promotion.cost(tmp_path) == told
