"""While something is done to the database no daemon runs and none can start."""

from __future__ import annotations

import os

import pytest

from attn.cli import starting
from attn.cli.upkeep.standstill import progress, standstill
from attn.errors import AttnError
from attn.lock import HomeLock, holder
from attn.paths import Home


def test_the_home_is_held_and_let_go(home: Home) -> None:
    with standstill(home, "attn repair salvage"):
        found = holder(home.lock)
        assert found is not None and found.what == "attn repair salvage" and found.pid == str(os.getpid())
        with pytest.raises(AttnError, match="daemon_running: attn repair salvage is at work") as raised:
            starting.start_daemon(home)
        assert raised.value.exit_status == 75
        with pytest.raises(AttnError, match="daemon_running"):
            starting.stop_daemon(home)
        os.close(os.open(home.root / "made", os.O_CREAT | os.O_WRONLY, 0o666))
    assert holder(home.lock) is None and (home.root / "made").stat().st_mode & 0o777 == 0o600


def test_it_is_let_go_when_something_fails(home: Home) -> None:
    with pytest.raises(KeyError), standstill(home, "attn backup"):
        raise KeyError
    assert holder(home.lock) is None


def test_two_repairs_exclude_each_other(home: Home) -> None:
    lock = HomeLock(home.lock, what="attn restore")
    with pytest.raises(AttnError, match="daemon_running: attn restore is at work"), standstill(home, "attn backup"):
        pass
    lock.release()


def test_a_pipe_gets_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("writing") as bar:
        bar(1, 2)
        bar(2, 2)
    assert capsys.readouterr() == ("", "")
