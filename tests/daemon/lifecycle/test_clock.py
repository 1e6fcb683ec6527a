"""A wall clock that jumps is not believed."""

from __future__ import annotations

from attn.daemon.lifecycle.clock import DRIFT_MAX_S, WallClock

HOUR_S = 3600.0
YEAR_S = 365 * 24 * HOUR_S


def test_it_is_believed_after_it_went_on_as_time_did() -> None:
    wall, steady = [1e9], [50.0]
    clock = WallClock(lambda: wall[0], lambda: steady[0])
    assert not clock.believed()
    for wall_s, steady_s, believed in (
        (HOUR_S, HOUR_S, True),
        (HOUR_S + DRIFT_MAX_S / 2, HOUR_S, True),
        (5 * YEAR_S, HOUR_S, False),
        (HOUR_S, HOUR_S, True),
        (-5 * YEAR_S, HOUR_S, False),
        (8 * HOUR_S, HOUR_S, False),
        (HOUR_S, HOUR_S, True),
    ):
        wall[0] += wall_s
        steady[0] += steady_s
        assert clock.believed() == believed
