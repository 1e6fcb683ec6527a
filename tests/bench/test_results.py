"""Budgets are judged by the number they speak of."""

from __future__ import annotations

import pytest

from bench.results import Result, percentile


@pytest.mark.parametrize(
    ("budget", "value", "peer", "met"),
    [
        ("value <= 10", 10.0, None, True),
        ("value <= 10", 10.1, None, False),
        ("ratio >= 1.5", 30.0, 20.0, True),
        ("ratio >= 1.5", 29.0, 20.0, False),
        ("ratio <= 3", 0.7, 0.25, True),
        ("", 1.0, 2.0, None),
    ],
)
def test_a_budget_bounds_the_value_or_the_ratio(
    budget: str, value: float, peer: float | None, met: bool | None
) -> None:
    assert Result("x", "ms", value, budget, peer).met is met


@pytest.mark.parametrize("budget", ["fast", "value < 10", "ratio <= 3"])
def test_a_budget_that_cannot_be_compared_is_an_error(budget: str) -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        _ = Result("x", "ms", 1.0, budget).met


def test_percentiles_are_measured_values() -> None:
    values = [float(n) for n in range(1, 101)]
    assert (percentile(values, 50), percentile(values, 99), percentile([7.0], 99)) == (51.0, 100.0, 7.0)
