"""`python -m bench [NAME...]`: measures, prints, and when nothing was left out writes RESULTS.md and results.json.

Exit status 0 whether budgets are met or not: the numbers are for people to judge; 1 when a measurement failed.
"""

from __future__ import annotations

import importlib
import sys
import time
from typing import Final

from attn import __version__
from bench import results

MEASUREMENTS: Final = ("snapshot", "echo", "page", "many", "throughput")


def main() -> int:
    """Runs the named measurements, or all."""
    names = sys.argv[1:] or list(MEASUREMENTS)
    unknown = set(names) - set(MEASUREMENTS)
    if unknown:
        print(
            f"no such measurement: {', '.join(sorted(unknown))}; there are {', '.join(MEASUREMENTS)}", file=sys.stderr
        )
        return 64
    begun = time.monotonic()
    found: list[results.Result] = []
    for name in names:
        for result in importlib.import_module(f"bench.{name}").measure():
            found.append(result)
            met = {None: "", True: "met", False: "NOT MET"}[result.met]
            peer = f"  {result.peer_name} {result.peer:.4g}" if result.peer is not None else ""
            print(
                f"{result.name:<52} {result.value:9.4g} {result.unit:<12} {result.budget:<15} {met:<8}{peer}",
                flush=True,
            )
    if not sys.argv[1:]:
        results.write(found, time.monotonic() - begun, __version__)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
