"""Deadlines and acknowledgements."""

from __future__ import annotations

from attn.cli.native.pacing import Acknowledgements, Deadlines


def first() -> None:
    """One action."""


def second() -> None:
    """Another."""


def test_an_action_is_due_once_at_the_earliest_time() -> None:
    deadlines = Deadlines()
    assert deadlines.next_s() is None
    deadlines.set(first, 5.0)
    deadlines.set(first, 3.0)
    deadlines.set(first, 4.0)
    deadlines.set(second, 10.0)
    assert deadlines.next_s() == 3.0
    assert deadlines.take(2.9) == []
    assert deadlines.take(3.0) == [first]
    assert deadlines.take(9.0) == []
    assert deadlines.take(10.0) == [second]


def test_only_what_the_terminal_took_is_acknowledged() -> None:
    acknowledgements = Acknowledgements()
    acknowledgements.add(100, 10)
    acknowledgements.add(200, 20)
    acknowledgements.add(300, 30)
    assert acknowledgements.take(99) is None
    assert acknowledgements.take(250) == 20
    assert acknowledgements.take(250) is None
    acknowledgements.clear()
    assert acknowledgements.take(1000) is None
