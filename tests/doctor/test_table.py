"""Every check is made whatever the others meet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from attn.doctor import table
from attn.doctor.scene import Check, Finding, Scene
from tests.doctor.conftest import tree


def test_names_are_different_and_titles_are_there() -> None:
    names = [check.name for check in table.CHECKS]
    assert len(set(names)) == len(names) and all(check.title for check in table.CHECKS)


def test_a_healthy_home_is_all_well(scene: Scene) -> None:
    before = tree(scene.home.root)
    found = list(table.examine(scene))
    assert {finding.level for finding in found} == {"ok"}, found
    assert tree(scene.home.root) == before
    assert {finding.check for finding in found} <= {check.name for check in table.CHECKS}


def test_a_home_that_is_not_there_is_no_failure_and_not_made(empty: Scene) -> None:
    assert {finding.level for finding in table.examine(empty)} == {"ok"}
    assert not empty.home.root.exists()


def test_a_check_that_fails_is_a_finding(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Scene) -> Iterator[Finding]:
        raise ZeroDivisionError("so it is")

    monkeypatch.setattr(table, "CHECKS", (Check("broken", "x", broken), *table.CHECKS))
    found = list(table.examine(scene))
    assert found[0].level == "fail" and "so it is" in found[0].what and len(found) > 10


def test_every_check_is_described() -> None:
    text = (Path(__file__).parents[2] / "docs/doctor.md").read_text()
    assert re.findall(r"^\| `(\w+)` \| (.+?) \|$", text, re.MULTILINE) == [(c.name, c.title) for c in table.CHECKS]
