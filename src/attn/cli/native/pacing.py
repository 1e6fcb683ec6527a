"""When things are due in an attach: deadlines on a clock, acknowledgements behind a slow terminal. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

Action = Callable[[], None]


class Deadlines:
    """Actions with the time of each; an action stands once, at the earliest time asked for. Times are monotonic."""

    def __init__(self) -> None:
        self._at: dict[Action, float] = {}

    def set(self, action: Action, at_s: float) -> None:
        self._at[action] = min(at_s, self._at.get(action, at_s))

    def next_s(self) -> float | None:
        """The earliest time, None when nothing is due."""
        return min(self._at.values(), default=None)

    def take(self, now_s: float) -> list[Action]:
        """The actions whose time has come; they are due no more."""
        found = [action for action, at_s in self._at.items() if at_s <= now_s]
        for action in found:
            del self._at[action]
        return found


class Acknowledgements:
    """Offsets that may be acknowledged once the terminal has taken the bytes before them.

    Bounded by the daemon, which sends no more than its window ahead of what was acknowledged.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, int]] = deque()

    def add(self, given_bytes: int, offset: int) -> None:
        """`offset` is reached when the terminal has taken `given_bytes` in all."""
        self._waiting.append((given_bytes, offset))

    def take(self, taken_bytes: int) -> int | None:
        """The furthest offset that `taken_bytes` have reached since the last call, None when there is none."""
        reached = None
        while self._waiting and self._waiting[0][0] <= taken_bytes:
            reached = self._waiting.popleft()[1]
        return reached

    def clear(self) -> None:
        self._waiting.clear()
