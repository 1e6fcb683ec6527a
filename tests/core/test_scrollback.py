"""The plan for the scrollback of all sessions together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from attn.core.scrollback import COMPRESSED_PART, LIMIT_BYTES, Compress, Cut, Holding, Order, plan

MB = 1 << 20


def test_below_the_limit_nobody_gives_anything() -> None:
    assert plan([Holding("a", 300 * MB, False, 9), Holding("b", 212 * MB, False, 1)]) == []
    assert plan([Holding("a", 8000 * MB, True, 9)]) == []
    assert LIMIT_BYTES == 512 * MB


def test_the_longest_idle_are_compressed_first_and_only_as_many_as_it_takes() -> None:
    holdings = [
        Holding("busy", 300 * MB, False, 0),
        Holding("old", 200 * MB, False, 90),
        Holding("new", 100 * MB, False, 5),
    ]
    assert plan(holdings) == [Compress("old")]


def test_what_is_still_too_much_is_cut_from_the_longest_idle() -> None:
    holdings = [Holding("old", 32 * MB, True, 90), Holding("new", 320 * MB, False, 5)]
    assert plan(holdings, 21 * MB) == [Compress("new"), Cut("old", 16 * MB)]
    assert plan(holdings, 19 * MB) == [Compress("new"), Cut("old", 0), Cut("new", 304 * MB)]


def after(holdings: list[Holding], orders: list[Order]) -> list[Holding]:
    sizes = {holding.session: holding.size_bytes for holding in holdings}
    compressed = {holding.session: holding.compressed for holding in holdings}
    for order in orders:
        if isinstance(order, Compress):
            assert not compressed[order.session]
            compressed[order.session] = True
        else:
            assert compressed[order.session], "only what is compressed is cut"
            assert order.keep_bytes < sizes[order.session]
            sizes[order.session] = order.keep_bytes
    return [Holding(name, sizes[name], compressed[name], 0) for name in sizes]


@given(
    st.lists(
        st.builds(Holding, st.uuids().map(str), st.integers(0, 64 * MB), st.booleans(), st.integers(0, 10**9)),
        max_size=30,
        unique_by=lambda holding: holding.session,
    ),
    st.integers(0, 512 * MB),
)
def test_a_plan_reaches_the_limit_and_is_the_last_one(holdings: list[Holding], limit: int) -> None:
    left = after(holdings, plan(holdings, limit))
    assert sum(holding.held_bytes for holding in left) <= max(limit, 0)
    assert plan(left, limit) == []
    cut = [order for order in plan(holdings, limit) if isinstance(order, Cut)]
    assert not cut or all(holding.compressed for holding in left if holding.size_bytes >= COMPRESSED_PART)
