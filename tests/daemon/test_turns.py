"""Short turns for the daemon, and for nothing that it starts."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from attn.daemon import turns

REPORT = """
import os, subprocess, sys
from attn.daemon import turns
before = turns.turns_of(0)
asked = turns.ask_for_short_turns()
after = turns.turns_of(0)
child = "from attn.daemon import turns; print(*turns.turns_of(0))"
print(asked, *before)
print(*after, flush=True)
subprocess.run([sys.executable, "-c", child], check=True)
"""
KERNEL = tuple(int(part) for part in platform.release().split("-")[0].split(".")[:2])


def test_the_turns_are_short_and_children_have_the_usual_ones() -> None:
    shown = subprocess.run([sys.executable, "-c", REPORT], capture_output=True, text=True, check=True).stdout
    (asked, *before), after, child = (line.split() for line in shown.splitlines())
    assert asked == "True"
    policy, _, nice, usual = map(int, before)
    assert (int(after[0]), int(after[2])) == (int(child[0]), int(child[2])) == (policy, nice)
    assert int(child[3]) == usual
    if KERNEL >= (6, 12):
        assert int(after[3]) == turns.SHORT_NS < usual


def test_a_system_that_cannot_be_asked_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "abacus")
    assert not turns.ask_for_short_turns()
    with pytest.raises(OSError, match="no sched_getattr"):
        turns.turns_of(0)


def test_a_refusal_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(number: int, *arguments: object) -> None:
        raise PermissionError(1, "not permitted")

    monkeypatch.setattr(turns, "_call", refuse)
    assert not turns.ask_for_short_turns()
