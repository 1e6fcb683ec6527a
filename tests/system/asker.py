"""The program of test_queries: asks its terminal what it is told to, and writes down what came back.

Arguments: a FIFO from which it reads JSON lines, and a file to which it appends one JSON line for each. An order is
{"ask": hex, "until": hex}: write it in one piece, then read until those bytes came.
"""

from __future__ import annotations

import json
import os
import select
import sys
import tty

# Above every time-out of the terminal's side: what did not come by then does not come.
PATIENCE_S = 20.0


def answered(ask: bytes, until: bytes) -> bytes:
    """What the terminal says to `ask`, up to and with `until`; all there is when that never comes."""
    os.write(1, ask)
    seen = b""
    while until not in seen and select.select([0], [], [], PATIENCE_S)[0]:
        data = os.read(0, 1 << 16)
        if not data:
            break
        seen += data
    return seen


def main() -> None:
    """Serve orders until the FIFO ends."""
    tty.setraw(0)
    with open(sys.argv[1]) as orders, open(sys.argv[2], "a") as log:
        for line in orders:
            order = json.loads(line)
            seen = answered(bytes.fromhex(order["ask"]), bytes.fromhex(order["until"]))
            log.write(json.dumps({"seen": seen.hex()}) + "\n")
            log.flush()


if __name__ == "__main__":
    main()
