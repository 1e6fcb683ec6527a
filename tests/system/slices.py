"""How much of a long test runs: a seeded slice in `make test`, everything with ATTN_TEST_FULL=1."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from typing import Final, TypeVar

T = TypeVar("T")
taken: list[str] = []
"""What was chosen, for the summary at the end of the run (`tests/system/conftest.py` prints it)."""
FULL: Final = "ATTN_TEST_FULL" in os.environ
SEED: Final = int(os.environ.get("ATTN_TEST_SEED", "20261125"))


def count(what: str, quick: int, full: int) -> int:
    """How many of `what` to do."""
    chosen = full if FULL else quick
    taken.append(f"{chosen} of {full} {what}, seed {SEED}")
    return chosen


def sample(what: str, everything: Sequence[T], quick: int) -> list[T]:
    """`quick` of `everything` in its order, spread by the seed; all of it in the full form."""
    if FULL or len(everything) <= quick:
        taken.append(f"all {len(everything)} {what}")
        return list(everything)
    chosen = sorted(dice(what).sample(range(len(everything)), quick))
    taken.append(f"{quick} of {len(everything)} {what}, seed {SEED}")
    return [everything[index] for index in chosen]


def result(text: str) -> None:
    """A figure that a long test came to, for the same summary."""
    taken.append(text)


def dice(what: str) -> random.Random:
    """The same sequence for the same seed and purpose."""
    return random.Random(f"{SEED} {what}")
