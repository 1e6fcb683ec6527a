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
    Complete,
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
    ("running, alive with an exit: draining", RUNNING, replace(ALIVE, exit="read", runs=False), Drain(ID, False)),
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
    ("can be started again", RUNNING, replace(DEAD, repeatable=True),
     Conclude(ID, False, "recoverable", "worker_died")),
    ("can be started again by its row", Stored(ID, "running", True), None,
     Conclude(ID, False, "recoverable", "bundle_missing")),
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
    ("resumed, the exit is of the run before", EXITED, replace(ALIVE, exit="read"), Adopt(ID, False, conflict=True)),
    ("ended, and its disk takes no exit", RUNNING, replace(ALIVE, runs=False), Adopt(ID, False)),
    ("draining, and it does not answer", RUNNING, replace(SILENT, exit="read"), Drain(ID, False)),
    ("of another daemon, alive", None, replace(SILENT, foreign=True), Quarantine(ID, in_place=True)),
    ("of another daemon, lock unknown", RUNNING, replace(DEAD, foreign=True, lock_held=None), Quarantine(ID, True)),
    ("of another daemon, ended", None, replace(ENDED_WELL, foreign=True), Conclude(ID, True, "exited", None)),
    ("a kill that was begun", RUNNING, replace(ALIVE, intent="kill"), Adopt(ID, False, then="kill")),
    ("a reload between two programs", RUNNING, replace(ENDED_WELL, intent="reload"),
     Conclude(ID, False, "exited", None, "reload")),
    ("a reload whose end was told", EXITED, replace(ENDED_WELL, intent="reload"), Complete(ID, "reload")),
    ("a removal that was begun", EXITED, replace(ENDED_WELL, intent="remove"), Complete(ID, "remove")),
    ("a removal of a lost one", Stored(ID, "lost"), replace(DEAD, intent="remove"), Complete(ID, "remove")),
    ("linked already", replace(RUNNING, tended=True), ALIVE, None),
    ("probed already", Stored(ID, "unreachable", tended=True), SILENT, None),
    ("seen out already", replace(EXITED, tended=True), replace(ALIVE, runs=False, exit="read"), None),
]  # fmt: skip


@pytest.mark.parametrize(("row", "bundle", "action"), [line[1:] for line in TABLE], ids=[line[0] for line in TABLE])
def test_the_truth_table(row: Stored | None, bundle: Seen | None, action: Action | None) -> None:
    planned = plan_recovery([row] if row else [], [bundle] if bundle else [])
    assert planned == ([action] if action else [])


IDS = st.sampled_from(["a", "b", "c", "d"])
STATES = st.sampled_from(["starting", "running", "unreachable", "exited", "recoverable", "lost"])
ROWS = st.lists(st.builds(Stored, IDS, STATES, st.booleans()), unique_by=lambda row: row.id)
INTENTS = st.sampled_from(["none", "kill", "remove", "reload"])
BUNDLES = st.lists(
    st.builds(
        Seen, IDS, st.sampled_from([True, False, None]), st.sampled_from(["yes", "no", "unknown"]),
        st.sampled_from(["none", "read", "unreadable"]), st.booleans(), st.booleans(), st.booleans(), st.booleans(),
        st.booleans(), st.booleans(), INTENTS,
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
        other = isinstance(action, Quarantine | Complete)
        recreated = not isinstance(action, Quarantine | Complete) and action.recreate
        assert recreated == (action.session_id not in known and not other)
        assert not recreated or action.session_id in found


@given(ROWS, BUNDLES)
def test_what_is_not_proved_dead_is_not_ended(rows: list[Stored], bundles: list[Seen]) -> None:
    seen = {bundle.id: bundle for bundle in bundles}
    for action in plan_recovery(rows, bundles):
        bundle = seen.get(action.session_id)
        set_aside = isinstance(action, Quarantine) and not action.in_place
        if bundle is not None and (isinstance(action, Conclude) or set_aside):
            assert bundle.lock_held is False and bundle.answers != "yes"


@given(ROWS, BUNDLES)
def test_a_worker_of_another_daemon_is_never_adopted_nor_ended(rows: list[Stored], bundles: list[Seen]) -> None:
    foreign = {bundle.id for bundle in bundles if bundle.foreign and bundle.lock_held is not False}
    for action in plan_recovery(rows, bundles):
        assert (action.session_id in foreign) == (isinstance(action, Quarantine) and action.in_place)


@given(ROWS, BUNDLES)
def test_what_was_begun_is_in_the_plan_unless_nobody_can_tell(rows: list[Stored], bundles: list[Seen]) -> None:
    actions = {action.session_id: action for action in plan_recovery(rows, bundles)}
    for bundle in bundles:
        action = actions.get(bundle.id)
        if bundle.intent != "none" and not isinstance(action, Watch | Quarantine):
            assert action is not None and action.then == bundle.intent


def carried_out(rows: list[Stored], bundles: list[Seen], actions: list[Action]) -> tuple[list[Stored], list[Seen]]:
    """Rows and bundles once the actions are done and what they say is to be completed is left undone."""
    states, found = {row.id: row for row in rows}, {bundle.id: bundle for bundle in bundles}
    for action in actions:
        known, state = states.get(action.session_id), state_after(action)
        if isinstance(action, Quarantine):
            del found[action.session_id]  # set apart: nobody looks at it any more
            states.pop(action.session_id, None)
            continue
        if state is not None:
            states[action.session_id] = Stored(action.session_id, state, bool(known and known.repeatable), tended=True)
        if action.session_id in found:
            found[action.session_id] = replace(found[action.session_id], intent="none")
    return list(states.values()), list(found.values())


@given(ROWS, BUNDLES)
def test_a_plan_that_was_carried_out_leaves_nothing_to_plan(rows: list[Stored], bundles: list[Seen]) -> None:
    actions = plan_recovery(rows, bundles)
    after = carried_out(rows, bundles, actions)
    assert plan_recovery(*after) == []
    assert all(row.state in ENDED or row.id in {bundle.id for bundle in after[1]} for row in after[0])


@given(ROWS, BUNDLES)
def test_a_daemon_that_starts_again_plans_the_same_states(rows: list[Stored], bundles: list[Seen]) -> None:
    stored, seen = carried_out(rows, bundles, plan_recovery(rows, bundles))
    forgetful = [replace(row, tended=False) for row in stored]
    states = {row.id: row.state for row in stored}
    for action in plan_recovery(forgetful, seen):
        assert isinstance(action, Adopt | Drain | Watch)
        assert state_after(action) == states[action.session_id] and not action.recreate
