"""Whether the wall clock can be believed where belief in it deletes something."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

# A clock that is set right by the network moves by less; one that jumps further says nothing about ages.
DRIFT_MAX_S: Final = 60.0


class WallClock:
    """Compares the wall clock with one that never jumps. Not believed until it was watched for a while."""

    def __init__(self, wall_s: Callable[[], float] = time.time, steady_s: Callable[[], float] = time.monotonic) -> None:
        self._wall_s, self._steady_s = wall_s, steady_s
        self._last: tuple[float, float] | None = None

    def believed(self) -> bool:
        """Whether it went on as time did since this was last asked; a suspended machine counts as a jump as well."""
        now, last = (self._wall_s(), self._steady_s()), self._last
        self._last = now
        return last is not None and abs((now[0] - last[0]) - (now[1] - last[1])) <= DRIFT_MAX_S
