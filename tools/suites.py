"""Runs the test suites one after the other, each within its share of the half hour that `make test` has.

usage: python tools/suites.py [SUITE...]     all of them without a name
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
UNITS = ("bench", "bundle", "cli", "core", "daemon", "doctor", "store", "terminal", "tools", "wire", "worker")
UNIT_FOLDERS = tuple(f"tests/{unit}" for unit in UNITS)
TOP = tuple(str(path.relative_to(ROOT)) for path in sorted((ROOT / "tests").glob("test_*.py")))

# What takes minutes stands in suites of its own, so that `make check` stays quick.
FIDELITY = ("tests/terminal/test_fidelity.py", "tests/terminal/test_page_fidelity.py")
DURABILITY = ("tests/durability", "tests/store/repair")

# How much longer than its share a suite may take before it counts as hanging: a busy machine is no failure.
LATEST = 12


@dataclass(frozen=True)
class Suite:
    """One suite: `minutes` is its share on two quiet cores; LATEST times that ends it."""

    name: str
    minutes: float
    commands: tuple[tuple[str, ...], ...]
    folder: str = "."


def _pytest(*what: str) -> tuple[str, ...]:
    return (str(BIN / "pytest"), *what)


SUITES = (
    Suite(
        "lint",
        1,
        (
            (str(BIN / "ruff"), "format", "--check", "."),
            (str(BIN / "ruff"), "check", "."),
            (str(BIN / "mypy"),),
        ),
    ),
    Suite("unit", 1, (_pytest(*TOP, *UNIT_FOLDERS, *(f"--ignore={path}" for path in (*FIDELITY, *DURABILITY))),)),
    Suite("page", 1, (("npm", "run", "check"), ("npm", "test")), "web"),
    Suite("packaging", 3, (_pytest("tests/packaging"),)),
    Suite("system", 7, (_pytest("tests/system"),)),
    Suite("fidelity", 1, (_pytest(*FIDELITY),)),
    Suite("store", 6, (_pytest(*DURABILITY),)),
    Suite("browser", 5, (_pytest("tests/browser"),)),
    Suite("agents", 4, (_pytest("tests/agents"),)),
)


def run(suite: Suite) -> tuple[bool, float]:
    """Whether every command of the suite succeeded, and how many minutes it took."""
    begun = time.monotonic()
    passed = True
    for command in suite.commands:
        left_s = max(1.0, suite.minutes * 60 * LATEST - (time.monotonic() - begun))
        passed = _command(command, ROOT / suite.folder, left_s) and passed
    return passed, (time.monotonic() - begun) / 60


def _command(command: tuple[str, ...], folder: Path, limit_s: float) -> bool:
    with subprocess.Popen(command, cwd=folder, start_new_session=True) as process:
        try:
            return process.wait(limit_s) == 0
        except subprocess.TimeoutExpired:
            print(f"{' '.join(command)}: ended after {limit_s:.0f} s, far over the share of its suite", file=sys.stderr)
            return False
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def main() -> int:
    """0 when every chosen suite passed. All of them run even when one fails."""
    names = sys.argv[1:] or [suite.name for suite in SUITES]
    unknown = set(names) - {suite.name for suite in SUITES}
    if unknown:
        print(f"no such suite: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 64
    lines = []
    for suite in (suite for suite in SUITES if suite.name in names):
        print(f"== {suite.name}", flush=True)
        passed, minutes = run(suite)
        lines.append((suite, passed, minutes))
    print("\nsuite       result  minutes  share")
    for suite, passed, minutes in lines:
        print(f"{suite.name:<11} {'ok' if passed else 'FAILED':<7} {minutes:7.1f} {suite.minutes:6.0f}")
    return 0 if all(passed for _, passed, _ in lines) else 1


if __name__ == "__main__":
    raise SystemExit(main())
