"""A repair, a restore or a backup that is killed, at any system call and at any time: old, or new, or both at hand."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from attn.store import backup, open_store
from attn.store.repair import intent, promotion, proposals
from attn.store.repair.intent import Kind
from tests.durability import repairing
from tests.durability.repairing import CASES, Case, Kept
from tests.store.repair.conftest import NOW_MS
from tests.system import slices

BY_NAME = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])


class Trial:
    """One case, its home before, and what it leaves when nothing ends it."""

    def __init__(self, case: Case, folder: Path) -> None:
        self.case = case
        self.home = repairing.home_at(folder / "h")
        case.prepare(self.home)
        self.kept = Kept(self.home)
        done = repairing.run(self.home.root, case.words)
        assert done.returncode == 0, done
        self.wanted = repairing.rows(self.home)
        self.kept.put_back()

    def judge(self, where: str) -> str:
        """What the home is after a kill: `old`, `new`, or `both`, and then each way of ending it leads there."""
        if self.case.name == "backup":
            return self._judge_backup(where)
        if not self.home.intent.exists():
            old = repairing.tree(self.home) == self.kept.before
            assert old or repairing.rows(self.home) == self.wanted, where
            return "old" if old else "new"
        spare = self.home.root.with_name("spare")
        shutil.copytree(self.home.root, spare, symlinks=True)
        promotion.resume(self.home, (), NOW_MS, lambda done, total: None)
        assert repairing.rows(self.home) == self.wanted and not self.home.intent.exists(), where
        shutil.rmtree(self.home.root)
        spare.rename(self.home.root)
        promotion.abort(self.home, promotion.unfinished(self.home))
        assert repairing.tree(self.home) == self.kept.before and intent.read(self.home) is None, where
        return "both"

    def _judge_backup(self, where: str) -> str:
        """The database is what it was, and every backup that is listed is good; the next one is made."""
        assert repairing.rows(self.home) == self.wanted, where
        listed = backup.listed(self.home.backups)
        for made in listed:
            assert proposals.restore(self.home, Path(made.path)).needed, where
        store = open_store(self.home, now_ms=NOW_MS)
        store.back_up("manual", NOW_MS + 5)
        store.close()
        left = [path.name for path in self.home.backups.iterdir() if "unfinished" in path.name]
        assert not left and len(backup.listed(self.home.backups)) == 2, (where, left)
        return "new" if len(listed) == 2 else "old"


@BY_NAME
def test_a_kill_at_any_system_call_loses_nothing(case: Case, tmp_path: Path) -> None:
    assert shutil.which("strace"), "missing: strace; install: sudo apt-get install strace"
    trial = Trial(case, tmp_path)
    everything = repairing.calls(trial.home.root, case.words, tmp_path / "log")
    seen = set()
    for call in slices.sample(f"system calls of {case.name} at which it is killed", everything, 50):
        trial.kept.put_back()
        status = repairing.killed_at(trial.home.root, case.words, call)
        if status == 0:
            continue  # memory lay differently, so that this run had fewer calls of that name
        seen.add(trial.judge(f"{case.name}, {call}"))
    assert len(seen) > 1


@BY_NAME
def test_a_kill_at_any_time_loses_nothing(case: Case, tmp_path: Path) -> None:
    trial, dice = Trial(case, tmp_path), slices.dice(case.name)
    longest = 1.0
    for number in range(slices.count(f"kills of {case.name} at random times", 8, 200)):
        trial.kept.put_back()
        delay_s = dice.uniform(0.05, longest)
        if not repairing.killed_after(trial.home.root, case.words, delay_s):
            longest = delay_s  # it was done by then
        trial.judge(f"{case.name}, kill {number}")


@pytest.mark.parametrize("kind", ["schema", "salvage", "reset", "restore"])
def test_the_home_of_a_case_needs_its_repair(kind: Kind, tmp_path: Path) -> None:
    home = repairing.home_at(tmp_path / "h")
    next(case for case in CASES if case.name == kind).prepare(home)
    assert proposals.propose(home, kind, "", (), NOW_MS).needed
