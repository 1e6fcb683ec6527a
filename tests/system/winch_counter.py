"""The program of test_sizes: says its size at its start and whenever it is told that it changed, counted."""

from __future__ import annotations

import os
import signal
import sys


def main() -> None:
    """Run until standard input ends; what is typed is echoed by the terminal."""
    count = -1

    def say(*_: object) -> None:
        nonlocal count
        count += 1
        size = os.get_terminal_size(0)
        os.write(1, f"[{count}: {size.lines}x{size.columns}]\r\n".encode())

    signal.signal(signal.SIGWINCH, say)
    say()
    for _ in sys.stdin:
        continue


if __name__ == "__main__":
    main()
