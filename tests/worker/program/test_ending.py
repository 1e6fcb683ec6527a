"""Ending a session's programs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from attn.bundle.identity import name_process
from attn.worker.program.ending import LADDER, POLL_MS, SWEEP_MS, Ladder, Process, processes, tree_below
from tests.waiting import wait_until

HUP, TERM, KILL, CONT = (int(s) for s in (signal.SIGHUP, signal.SIGTERM, signal.SIGKILL, signal.SIGCONT))


class Tree:
    """Processes that die of the signals they are said to die of."""

    def __init__(self, mortal: dict[int, set[int]]) -> None:
        self.mortal = dict(mortal)
        self.sent: list[tuple[int, int]] = []

    def pids(self) -> list[int]:
        return list(self.mortal)

    def kill(self, pid: int, number: int) -> None:
        if pid not in self.mortal:
            raise ProcessLookupError
        self.sent.append((pid, number))
        if number in self.mortal[pid]:
            del self.mortal[pid]


def climb(tree: Tree) -> tuple[list[tuple[int, int]], int]:
    """What was sent, and how long it took."""
    ladder, now = Ladder(tree.pids, lambda: True, tree.kill), 0
    while (delay := ladder.step(now)) is not None:
        now += delay
    return tree.sent, now


def test_a_polite_tree_is_only_hung_up_on() -> None:
    sent, took = climb(Tree({10: {HUP}, 11: {HUP}}))
    assert sent == [(10, HUP), (11, HUP)]
    assert took == POLL_MS


def test_every_rung_is_climbed_for_those_that_are_left() -> None:
    sent, took = climb(Tree({10: {HUP}, 11: {TERM}, 12: {KILL}}))
    without_cont = [entry for entry in sent if entry[1] != CONT]
    assert without_cont == [(10, HUP), (11, HUP), (12, HUP), (11, TERM), (12, TERM), (12, KILL)]
    assert LADDER[0][1] + LADDER[1][1] <= took <= LADDER[0][1] + LADDER[1][1] + 3 * POLL_MS


def test_stopped_processes_are_continued_so_that_they_can_act() -> None:
    assert (11, CONT) in climb(Tree({11: {TERM}}))[0]


def test_what_cannot_be_killed_is_given_up_after_a_bound() -> None:
    sent, took = climb(Tree({13: set()}))
    assert took <= sum(grace for _, grace in LADDER) + 3 * POLL_MS
    assert sent.count((13, KILL)) > 10


def test_an_empty_tree_needs_nothing() -> None:
    assert climb(Tree({})) == ([], 0)


def test_a_look_that_met_nothing_is_not_the_end_while_there_are_children() -> None:
    looks = iter([[], [10], []])
    alone = iter([False, True])
    ladder = Ladder(lambda: next(looks), lambda: next(alone), lambda _pid, _number: None)
    assert [ladder.step(0) for _ in range(3)] == [SWEEP_MS, POLL_MS, None]


def test_the_last_rung_kills_what_it_meets_before_it_looks_on() -> None:
    done: list[str] = []

    def meet() -> Iterator[int]:
        for pid in (10, 11):
            done.append(f"met {pid}")
            yield pid

    ladder = Ladder(meet, lambda: False, lambda pid, number: done.append(f"{number} to {pid}"))
    now = 0
    for _, grace_ms in LADDER[:-1]:
        ladder.step(now)
        now += grace_ms
    ladder.step(now)
    done.clear()
    assert ladder.step(now + 1) == SWEEP_MS
    assert done == ["met 10", f"{KILL} to 10", "met 11", f"{KILL} to 11"]


def test_a_process_of_somebody_else_stops_nobody() -> None:
    tree = Tree({10: {HUP}, 11: {HUP}})

    def kill(pid: int, number: int) -> None:
        if pid == 10:
            raise PermissionError
        tree.kill(pid, number)

    Ladder(tree.pids, lambda: True, kill).step(0)
    assert (11, HUP) in tree.sent


def test_the_tree_holds_descendants_and_spares_what_is_ours() -> None:
    table = [
        Process(1, 0, "init"),
        Process(5, 1, "attn-worker"),
        Process(10, 5, "bash"),
        Process(11, 10, "codex"),
        Process(12, 11, "attn"),
        Process(20, 5, "python3"),  # a daemon that `attn` started in the session and that was orphaned
        Process(21, 20, "attn-spawner"),
        Process(22, 21, "attn-worker"),
        Process(23, 22, "claude"),
        Process(30, 5, "attn-daemon"),
        Process(31, 30, "git"),
        Process(40, 1, "sshd"),
    ]
    assert tree_below(5, table) == [10, 11, 12]


def test_a_lost_spawner_below_the_worker_does_not_spare_the_session() -> None:
    table = [Process(5, 1, "attn-worker"), Process(6, 5, "attn-spawner"), Process(10, 5, "bash")]
    assert tree_below(5, table) == [10]


def test_the_real_table_knows_our_child_by_its_name() -> None:
    code = "from attn.bundle.identity import name_process; name_process('a) R (b'); print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert Process(child.pid, os.getpid(), "a) R (b") in processes()
        child.kill()
        child.wait()
        assert child.pid not in [process.pid for process in processes()]


def test_a_zombie_is_no_process(tmp_path: Path) -> None:
    pid = os.posix_spawn("/bin/true", ["true"], {})
    stat = Path(f"/proc/{pid}/stat")
    wait_until(lambda: b") Z " in stat.read_bytes(), 10, "the zombie")
    assert pid not in [process.pid for process in processes()]
    os.waitpid(pid, 0)


def test_a_name_is_what_ps_shows() -> None:
    before = Path("/proc/self/comm").read_text(encoding="utf-8").strip()
    name_process("attn-test")
    try:
        assert Path("/proc/self/comm").read_text(encoding="utf-8") == "attn-test\n"
    finally:
        name_process(before)
