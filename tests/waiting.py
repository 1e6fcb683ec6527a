"""The one place where tests poll: for what neither the kernel nor another program announces."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
INTERVAL_S = 0.02


def wait_until(probe: Callable[[], T], timeout_s: float, what: str) -> T:
    """Calls `probe` until it gives something true and returns that; AssertionError naming `what` after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"still waiting after {timeout_s:g} s for {what}; the last value was {value!r}")
        time.sleep(INTERVAL_S)
