"""How the daemon's parts tell of their conditions; tests/system starts and ends whole daemons."""

from __future__ import annotations

import asyncio

import pytest

from attn.config import Config
from attn.daemon import main, startup
from attn.daemon.handlers.desk import Desk
from attn.errors import AttnError
from attn.lock import HomeLock
from attn.paths import Home


async def test_the_spawner_is_one_condition(desk: Desk) -> None:
    for state, codes in (
        ("emulator_unavailable no library", {"emulator_unavailable"}),
        ("spawner_gone it ended", {"spawner_gone"}),
        ("", set()),
    ):
        main._spawner_condition(desk.hub, state)
        assert set(desk.hub.conditions) == codes


async def test_a_login_environment_that_is_not_whole_is_told(desk: Desk) -> None:
    async def asked(problem: str) -> startup.LoginEnvironment:
        return startup.LoginEnvironment({}, 0o022, problem)

    for problem, codes in (("", set()), ("zsh hangs", {"login_environment"})):
        done = asyncio.create_task(asked(problem))
        await done
        main._login_condition(desk.hub, done)
        assert set(desk.hub.conditions) == codes


def test_a_second_daemon_is_refused_before_anything_else(home: Home) -> None:
    lock = HomeLock(home.lock, home.daemon_socket)
    with pytest.raises(AttnError, match="daemon_running"):
        main.run(home, Config())
    lock.release()
    assert not home.token.exists() and not home.port.exists()


async def test_the_house_is_kept_as_long_as_the_daemon_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    twice = asyncio.Event()

    class House:
        async def back_up(self) -> None:
            done.append("backup")

        async def prune(self, *, by_age: bool) -> None:
            done.append(f"prune, by age: {by_age}")
            if len(done) == 4:
                twice.set()

    monkeypatch.setattr(main, "HOUSEKEEPING_EVERY_S", 0)
    keeping = asyncio.ensure_future(main._keep_house(House(), House()))  # type: ignore[arg-type]
    await asyncio.wait_for(twice.wait(), 10)
    keeping.cancel()
    assert done[:4] == ["backup", "prune, by age: False", "backup", "prune, by age: True"]
