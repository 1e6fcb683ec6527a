"""Feeds damaged random output to terminals, resizes and captures them all the while; prints captures and stand-ins.

usage: python -m tests.terminal.crash_fuzz SEEDS     (prints each seed before it, so that a crash names its own)
"""

from __future__ import annotations

import random
import sys

from attn.terminal.emulator import Emulator
from attn.terminal.repaint import repaint
from tests.terminal.grammar import Grammar

_PIECE_BYTES = 500


def damaged(seed: int, rows: int, cols: int) -> bytes:
    """Random output of which one byte in fifty is another."""
    seeded = random.Random(seed)
    data = bytearray(Grammar(seed, max(rows, 4), max(cols, 4), "everything").write(200))
    for _ in range(len(data) // 50):
        data[seeded.randrange(len(data))] = seeded.randrange(256)
    return bytes(data)


def run(seed: int) -> tuple[int, int]:
    """How many captures were made, and how many of them by the formatter."""
    seeded = random.Random(seed)
    rows, cols, captures = seeded.randint(2, 40), seeded.randint(2, 120), 0
    terminal = Emulator(rows, cols, scrollback_lines=200)
    data = damaged(seed, rows, cols)
    for at in range(0, len(data), _PIECE_BYTES):
        terminal.feed(data[at : at + _PIECE_BYTES])
        terminal.resize(seeded.randint(2, 40), seeded.randint(2, 120))
        capture = terminal.capture(frame_only=seeded.random() < 0.5)
        assert capture.snapshot.header.rows == terminal.rows
        assert b"".join(repaint(capture))
        captures += 1
    stand_ins = terminal.encode_failures
    terminal.close()
    return captures, stand_ins


def main() -> None:
    captures = stand_ins = 0
    for seed in range(int(sys.argv[1])):
        print("seed", seed, flush=True)
        more, failed = run(seed)
        captures += more
        stand_ins += failed
    print(captures, stand_ins)


if __name__ == "__main__":
    main()
