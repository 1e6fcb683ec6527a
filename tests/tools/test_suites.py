"""Every suite runs, a failing one fails the run, and one that hangs is ended with everything it started."""

from __future__ import annotations

import os
from pathlib import Path

from tests.waiting import wait_until
from tools import suites


def _suite(*commands: str, minutes: float = 1.0) -> suites.Suite:
    return suites.Suite("one", minutes, tuple(("sh", "-c", command) for command in commands))


def test_a_suite_passes_when_all_its_commands_do(tmp_path: Path) -> None:
    assert suites.run(_suite("true", "true"))[0]
    passed, _ = suites.run(_suite("false", f"touch {tmp_path}/second"))
    assert not passed
    assert (tmp_path / "second").exists()


def test_a_suite_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    hanging = _suite(f"sleep 600 & echo $! > {tmp_path}/pid; wait", minutes=0.005)
    assert not suites.run(hanging)[0]
    pid = int((tmp_path / "pid").read_text())
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"), 5, "the end of the child")


def test_every_folder_of_tests_is_in_a_suite() -> None:
    run = {argument for suite in suites.SUITES for command in suite.commands for argument in command}
    tests = suites.ROOT / "tests"
    folders = {path.relative_to(tests).parts[0] for path in tests.rglob("test_*.py") if path.parent != tests}
    assert {f"tests/{folder}" for folder in folders - {"fixtures"}} - run == set()
