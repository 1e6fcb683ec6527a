"""What one daemon leaves for the next."""

from __future__ import annotations

from pathlib import Path

import pytest

from attn.store.file.sentinel import Sentinel, older


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "attn.db.meta"
    assert Sentinel.read(path) is None
    left = Sentinel(True, 4, "0.1.0", 77, "0.2.0", "/usr/bin/python3", "step", "0.1.0", 2)
    left.write(path)
    assert Sentinel.read(path) == left


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"clean": 1, "schema": "x", "log_origin": true, "future": 2}'])
def test_nonsense_still_says_that_there_was_a_database(tmp_path: Path, text: str) -> None:
    path = tmp_path / "attn.db.meta"
    path.write_text(text)
    assert Sentinel.read(path) == Sentinel()


def test_the_newest_attn_is_remembered() -> None:
    new = Sentinel().opened("1.10.0", "/new/python", 4)
    old = new.opened("1.9.0", "/old/python", 4)
    assert (old.app_version, old.newest_version, old.newest_python) == ("1.9.0", "1.10.0", "/new/python")
    assert old.opened("1.11.0", "/newer/python", 4).newest_python == "/newer/python"


def test_failures_are_counted_by_step_and_version() -> None:
    once = Sentinel().failed("step", "1")
    assert once.failed("step", "1").failed_times == 2
    assert once.failed("other", "1").failed_times == once.failed("step", "2").failed_times == 1
    assert once.recovered() == Sentinel()


def test_versions_are_compared_as_numbers() -> None:
    assert older("0.9", "0.10") and older("", "0.0.1") and older("0.1.0", "0.1.1")
    assert not older("0.1.0", "0.1.0") and not older("2", "1.9.9")
