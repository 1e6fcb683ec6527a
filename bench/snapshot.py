"""How long a snapshot takes: capturing the terminal, then writing it out in slices between turns of a loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from attn.terminal.emulator import Emulator
from attn.terminal.repaint import repaint
from attn.worker.ring import Ring
from attn.worker.screen import FORMATS, Screen
from bench.results import Result, median
from bench.sources import COLS, ROWS

ROUNDS: Final = 7
SCROLLBACK_LINES: Final = 10_000


def _plain(number: int) -> str:
    return f"line {number}: the quick brown fox jumps over the lazy dog and {number * 7919 % 10007} more of them\r\n"


def _wide(number: int) -> str:
    """Wide characters in every line: the row takes more than its text to be written out."""
    return f"line {number}: the quick brown fox jumps over the lazy 犬 and {number * 7919 % 10007} more 漢字\r\n"


def _worst(number: int) -> str:
    """Truecolor that changes every few cells, and links."""
    runs = "".join(
        f"\x1b[38;2;{(number + run) % 256};{run * 13 % 256};{number % 256}m{run:05d} " for run in range(COLS // 6 - 4)
    )
    return f"{runs}\x1b]8;;https://example.test/{number}\x07link\x1b]8;;\x07\x1b[0m\r\n"


@dataclass(frozen=True)
class _Case:
    name: str
    lines: int
    text: Callable[[int], str]
    budget_ms: float | None


CASES: Final = (
    _Case("frame, both screens", 0, _plain, 3),
    _Case("1,000 lines, plain", 1_000, _plain, 5),
    _Case("10,000 lines, plain", 10_000, _plain, 40),
    _Case("10,000 lines, wide characters", 10_000, _wide, None),
    _Case("1,000 lines, truecolor and links", 1_000, _worst, 30),
    _Case("10,000 lines, truecolor and links", 10_000, _worst, 200),
)


def measure() -> Iterator[Result]:
    """One result a case, and the longest that the worker's loop would have been held up."""
    longest_ms = 0.0
    for case in CASES:
        emulator = _filled(case)
        times = []
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            steps = _steps(emulator, history=0 if case.lines == 0 else None)
            times.append((time.perf_counter() - begun) * 1000)
            longest_ms = max(longest_ms, *steps)
        longest_ms = max(longest_ms, *_other_forms(emulator))
        emulator.close()
        budget = "" if case.budget_ms is None else f"value <= {case.budget_ms:g}"
        yield Result(f"snapshot: {case.name}", "ms", median(times), budget)
    yield Result("snapshot: longest turn of the loop", "ms", longest_ms, "value <= 10")


def _filled(case: _Case) -> Emulator:
    emulator = Emulator(ROWS, COLS, scrollback_lines=SCROLLBACK_LINES)
    for number in range(case.lines + ROWS):
        emulator.feed(case.text(number).encode())
    if case.lines == 0:
        emulator.feed(b"\x1b[?1049h" + "".join(_plain(number) for number in range(ROWS)).encode())
    return emulator


def _other_forms(emulator: Emulator) -> Iterator[float]:
    """Milliseconds of every slice of the whole history in each of the other forms."""
    screen = Screen(Ring(), ROWS, COLS, SCROLLBACK_LINES, emulator)
    for form in FORMATS:
        _head, slices = screen.show(form, None, 0)
        yield from _timed(slices)


def _steps(emulator: Emulator, history: int | None) -> list[float]:
    """Milliseconds of processor time of the capture and of every slice: a neighbour's turn is not ours."""
    begun = time.thread_time()
    slices = repaint(emulator.capture(), history)
    return [(time.thread_time() - begun) * 1000, *_timed(slices)]


def _timed(slices: Iterator[bytes]) -> Iterator[float]:
    while True:
        begun = time.thread_time()
        if next(slices, None) is None:
            return
        yield (time.thread_time() - begun) * 1000
