"""The adoption truth table, and what holds for every combination of rows and bundles."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attn.core.recovery import (
    Action,
    Adopt,
    Conclude,
    Drain,
    Quarantine,
    Seen,
    Stored,
    Watch,
    plan_recovery,
    state_after,
)
from attn.core.session import ENDED

ID = "s"
RUNNING = Stored(ID, "running")
EXITED = Stored(ID, "exited")
ALIVE = Seen(ID, lock_held=True, answers="yes", exit="none")
SILENT = Seen(ID, lock_held=True, answers="unknown", exit="none")
DEAD = Seen(ID, lock_held=False, answers="no", exit="none")
ENDED_WELL = Seen(ID, lock_held=False, answers="no", exit="read")

TABLE: list[tuple[str, Stored | None, Seen | None, Action | None]] = [
    ("running, alive", RUNNING, ALIVE, Adopt(ID, False)),
    ("running, alive with an exit: draining", RUNNING, replace(ALIVE, exit="read"), Drain(ID, False)),
    ("running, gone with an exit", RUNNING, ENDED_WELL, Conclude(ID, False, "exited", None)),
    ("running, gone without a word", RUNNING, DEAD, Conclude(ID, False, "lost", "worker_died")),
    ("running, no bundle", RUNNING, None, Conclude(ID, False, "lost", "bundle_missing")),
    ("no row, alive", None, ALIVE, Adopt(ID, True)),
    ("no row, gone with an exit", None, ENDED_WELL, Conclude(ID, True, "exited", None)),
    ("no row, gone without a word", None, DEAD, Conclude(ID, True, "lost", "worker_died")),
    ("exited, alive: trust the worker", EXITED, ALIVE, Adopt(ID, False, conflict=True)),
    ("lost, alive after all", Stored(ID, "lost"), ALIVE, Adopt(ID, False, conflict=True)),
    ("exited, gone: as it should be", EXITED, ENDED_WELL, None),
    ("exited, bundle cleaned away", EXITED, None, None),
    ("lost, and now an exit is known", Stored(ID, "lost"), ENDED_WELL, Conclude(ID, False, "exited", None)),
    ("another boot, no exit", RUNNING, replace(DEAD, same_boot=False), Conclude(ID, False, "lost", "reboot")),
    ("another boot, an exit", RUNNING, replace(ENDED_WELL, same_boot=False), Conclude(ID, False, "exited", None)),
    ("resumable agent", RUNNING, replace(DEAD, resumable=True), Conclude(ID, False, "recoverable", "worker_died")),
    ("resumable by its row", Stored(ID, "running", True), None, Conclude(ID, False, "recoverable", "bundle_missing")),
    ("stopped worker: no answer is no death", RUNNING, SILENT, Watch(ID, False)),
    ("nobody listens but the lock is held", RUNNING, replace(SILENT, answers="no"), Watch(ID, False)),
    ("the lock cannot be looked at", RUNNING, replace(DEAD, lock_held=None), Watch(ID, False)),
    ("neither, but it ended", RUNNING, replace(ENDED_WELL, lock_held=None), Drain(ID, False)),
    ("no row, a stopped worker", None, SILENT, Watch(ID, True)),
    ("a worker on its way", Stored(ID, "starting"), replace(DEAD, young=True), Watch(ID, False)),
    ("a damaged exit file", RUNNING, replace(DEAD, exit="unreadable"), Conclude(ID, False, "lost", "exit_unreadable")),
    ("a damaged bundle that nobody holds", None, replace(DEAD, spec_readable=False), Quarantine(ID)),
    ("a damaged bundle of a live worker", None, replace(ALIVE, spec_readable=False), Adopt(ID, True)),
    ("a damaged bundle, lock unknown", None, replace(DEAD, spec_readable=False, lock_held=None), Watch(ID, True)),
]  # fmt: skip


@pytest.mark.parametrize(("row", "bundle", "action"), [line[1:] for line in TABLE], ids=[line[0] for line in TABLE])
def test_the_truth_table(row: Stored | None, bundle: Seen | None, action: Action | None) -> None:
    planned = plan_recovery([row] if row else [], [bundle] if bundle else [])
    assert planned == ([action] if action else [])


IDS = st.sampled_from(["a", "b", "c", "d"])
STATES = st.sampled_from(["starting", "running", "unreachable", "exited", "recoverable", "lost"])
ROWS = st.lists(st.builds(Stored, IDS, STATES, st.booleans()), unique_by=lambda row: row.id)
BUNDLES = st.lists(
    st.builds(
        Seen, IDS, st.sampled_from([True, False, None]), st.sampled_from(["yes", "no", "unknown"]),
        st.sampled_from(["none", "read", "unreadable"]), st.booleans(), st.booleans(), st.booleans(), st.booleans(),
    ),
    unique_by=lambda bundle: bundle.id,
)  # fmt: skip


@given(ROWS, BUNDLES, st.randoms(use_true_random=False))
def test_order_does_not_matter_and_nothing_is_done_twice(
    rows: list[Stored], bundles: list[Seen], rng: random.Random
) -> None:
    planned = plan_recovery(rows, bundles)
    assert planned == plan_recovery(rng.sample(rows, len(rows)), rng.sample(bundles, len(bundles)))
    ids = [action.session_id for action in planned]
    assert len(ids) == len(set(ids)) and set(ids) <= {row.id for row in rows} | {bundle.id for bundle in bundles}


@given(ROWS, BUNDLES)
def test_no_session_is_made_up(rows: list[Stored], bundles: list[Seen]) -> None:
    known, found = {row.id for row in rows}, {bundle.id for bundle in bundles}
    for action in plan_recovery(rows, bundles):
        recreated = not isinstance(action, Quarantine) and action.recreate
        assert recreated == (action.session_id not in known and not isinstance(action, Quarantine))
        assert not recreated or action.session_id in found


@given(ROWS, BUNDLES)
def test_what_is_not_proved_dead_is_not_ended(rows: list[Stored], bundles: list[Seen]) -> None:
    seen = {bundle.id: bundle for bundle in bundles}
    for action in plan_recovery(rows, bundles):
        bundle = seen.get(action.session_id)
        if bundle is not None and isinstance(action, Conclude | Quarantine):
            assert bundle.lock_held is False and bundle.answers != "yes"


@given(ROWS, BUNDLES)
def test_a_second_plan_finds_the_first_one_done(rows: list[Stored], bundles: list[Seen]) -> None:
    states = {row.id: row for row in rows}
    for action in plan_recovery(rows, bundles):
        after = state_after(action)
        if after is not None:
            old = states.get(action.session_id)
            states[action.session_id] = Stored(action.session_id, after, old.resumable if old else False)
    left = [bundle for bundle in bundles if bundle.id in states]
    for action in plan_recovery(states.values(), left):
        assert state_after(action) == states[action.session_id].state
        assert isinstance(action, Adopt | Drain | Watch)
    assert all(row.state in ENDED or row.id in {b.id for b in bundles} for row in states.values())
