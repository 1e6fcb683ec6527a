"""What programs print in the throughput runs: the same bytes every time, known by their hash."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROWS: Final = 40
COLS: Final = 120
WORDS: Final = (
    "error",
    "warning",
    "build",
    "test",
    "src",
    "main.py",
    "12",
    "0x7f",
    "done",
    "日本",
    "ok",
    "->",
    "✓",
    "line",
)


def _plain(chance: random.Random) -> Iterator[str]:
    while True:
        yield " ".join(chance.choices(WORDS, k=chance.randint(3, 18))) + "\n"


def _tui(chance: random.Random) -> Iterator[str]:
    """Frames of a full-screen program: positioned, coloured, erased to the end of the line, synchronised."""
    while True:
        yield "\x1b[?2026h"
        for row in sorted(chance.sample(range(1, ROWS + 1), 12)):
            yield f"\x1b[{row};{chance.randint(1, 8)}H"
            for _ in range(chance.randint(2, 6)):
                style = f"\x1b[{chance.choice('0123')};38;5;{chance.randint(0, 255)}m"
                yield style + " ".join(chance.choices(WORDS, k=3)) + " "
            yield "\x1b[0m\x1b[K"
        yield "\x1b[?2026l"


KINDS: Final = {"plain": _plain, "TUI-like": _tui}


@dataclass(frozen=True)
class Source:
    """A file to print, and what a terminal's reader gets of it: a cooked PTY turns LF into CR LF."""

    path: Path
    printed_bytes: int
    sha256: str


def make(kind: str, megabytes: int, folder: Path) -> Source:
    """Writes the file; one repeated block of 1 MB, since making varied text takes longer than printing it."""
    text, pieces = "", KINDS[kind](random.Random(7))
    while len(text) < 1_000_000:
        text += "".join(next(pieces) for _ in range(500))
    block = text.encode()
    count = max(1, megabytes * 1_000_000 // len(block))
    path = folder / f"{kind}.txt"
    path.write_bytes(block * count)
    printed = block.replace(b"\n", b"\r\n")
    digest = hashlib.sha256()
    for _ in range(count):
        digest.update(printed)
    return Source(path, len(printed) * count, digest.hexdigest())
