"""Since when nothing is saved, across daemons."""

from __future__ import annotations

from pathlib import Path

import pytest

from attn.daemon.store import unsaved


def test_what_began_earlier_stays_until_it_is_over(tmp_path: Path) -> None:
    path = tmp_path / "since"
    assert unsaved.begin(path, 1000) == 1000
    assert unsaved.begin(path, 2000) == 1000
    assert path.stat().st_mode & 0o777 == 0o600
    unsaved.over(path)
    unsaved.over(path)
    assert not path.exists() and unsaved.begin(path, 3000) == 3000


@pytest.mark.parametrize("content", [b"", b"soon\n", b"9999\n", b"-5\n", b"0"])
def test_what_cannot_be_is_not_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "since"
    path.write_bytes(content)
    assert unsaved.begin(path, 2000) == 2000
    assert path.read_bytes() == b"2000\n"


def test_a_home_that_takes_nothing_has_it_since_now(tmp_path: Path) -> None:
    path = tmp_path / "gone" / "since"
    assert unsaved.begin(path, 5) == 5
    path.parent.write_text("no directory")
    assert unsaved.begin(path, 6) == 6
    unsaved.over(path)
    assert not path.exists()
