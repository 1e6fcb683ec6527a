"""Whose size counts, and when."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attn.core.sizing import MOST_MS, QUIET_MS, ResizeCoalescer, SizeVote, decide

NOW = (40, 120)
PAGE = SizeVote("page", 50, 150, visible=True, interactive=True, read_only=False, used_at_ms=10)
CLI = SizeVote("cli", 24, 80, visible=True, interactive=True, read_only=False, used_at_ms=20)


def test_the_client_used_last_decides_whatever_the_order() -> None:
    assert decide([PAGE, CLI], None, NOW) == decide([CLI, PAGE], None, NOW) == (24, 80)


@pytest.mark.parametrize(
    "change",
    [{"visible": False}, {"interactive": False}, {"read_only": True}, {"rows": 4}, {"cols": 19}, {"cols": 2000}],
)
def test_a_client_that_does_not_count_never_decides(change: dict[str, int]) -> None:
    unseen = replace(CLI, **change)
    assert decide([PAGE, unseen], None, NOW) == (50, 150)
    assert decide([unseen], None, NOW) == NOW


def test_nobody_looking_changes_nothing() -> None:
    assert decide([], None, NOW) == NOW


def test_a_pin_holds_against_everybody() -> None:
    assert decide([PAGE, CLI], (30, 100), NOW) == (30, 100)


@given(st.lists(st.builds(SizeVote, st.text(max_size=3), st.integers(0, 60), st.integers(0, 200), st.booleans(),
                          st.booleans(), st.booleans(), st.integers(0, 5)), unique_by=lambda v: v.key),
       st.randoms(use_true_random=False))  # fmt: skip
def test_the_decision_does_not_depend_on_order(votes: list[SizeVote], rng: random.Random) -> None:
    shuffled = rng.sample(votes, len(votes))
    assert decide(votes, None, NOW) == decide(shuffled, None, NOW)


def test_only_the_last_of_many_wishes_is_carried_out() -> None:
    sizes = ResizeCoalescer((24, 80))
    for at, cols in ((0, 81), (20, 82), (40, 83)):
        sizes.offer((24, cols), at)
        assert sizes.take(at) is None
    assert sizes.due_at_ms == 40 + QUIET_MS
    assert sizes.take(40 + QUIET_MS) == (24, 83)
    assert sizes.take(10_000) is None and sizes.due_at_ms is None


def test_wishes_without_a_pause_are_carried_out_in_time() -> None:
    sizes = ResizeCoalescer((24, 80))
    for at in range(0, MOST_MS, 50):
        sizes.offer((24, 100 + at), at)
        assert sizes.take(at) is None
    assert sizes.due_at_ms == MOST_MS
    assert sizes.take(MOST_MS) is not None


def test_a_wish_for_the_size_that_is_there_takes_the_others_back() -> None:
    sizes = ResizeCoalescer((24, 80))
    sizes.offer((30, 90), 0)
    sizes.offer((24, 80), 10)
    assert sizes.due_at_ms is None and sizes.take(1000) is None


@given(st.lists(st.tuples(st.integers(0, 60), st.sampled_from([(24, 80), (30, 90), (40, 120)])), max_size=40))
def test_the_last_wish_is_always_carried_out(wishes: list[tuple[int, tuple[int, int]]]) -> None:
    sizes, now = ResizeCoalescer((24, 80)), 0
    for pause, size in wishes:
        now += pause
        sizes.take(now)
        sizes.offer(size, now)
        assert sizes.due_at_ms is None or sizes.due_at_ms <= now + QUIET_MS
    sizes.take(now + MOST_MS)
    assert sizes.applied == (wishes[-1][1] if wishes else (24, 80))
