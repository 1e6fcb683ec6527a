"""A wall clock that jumps by an hour or by years, both ways: nothing expires, nothing is killed, nothing hangs."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from attn.bundle.bundle import Bundle
from tests.system import slices
from tests.system.client import Client, Refused
from tests.system.conftest import DaemonProcess
from tests.system.fake_clock import FakeClock
from tests.waiting import wait_until

LIMIT_S = 30.0
YEAR_MS = 365 * 24 * 3600 * 1000
JUMPS = ["-1h", "-5y", "+1h", "+5y"]


@pytest.fixture
def clock(cold: DaemonProcess, tmp_path: Path) -> FakeClock:
    """The clock of `cold` and of all that it starts."""
    made = FakeClock(tmp_path)
    cold.env.update(made.env)
    return made


def works(client: Client, session: str, word: str) -> None:
    stream = client.attach(session)
    client.type(stream, f"{word}\r".encode())
    client.until_output(stream, f"{word}\r\n{word}".encode())


@pytest.mark.parametrize("jump", slices.sample("jumps of the clock", JUMPS, 2))
def test_a_jump_ends_nothing_and_expires_nothing(cold: DaemonProcess, clock: FakeClock, jump: str) -> None:
    client = cold.start().client()
    names = [client.spawn("cat", label=f"number {number}")["id"] for number in range(3)]
    ended = client.spawn("sh", "-c", "echo bye; exit 7")["id"]
    client.request("wait_session", session=ended, timeout_ms=20_000)
    clock.turn(jump)
    fresh = client.spawn("cat")["id"]
    if jump.endswith("y"):
        assert abs(client.sessions[fresh]["created_at_ms"] - time.time() * 1000) > YEAR_MS, "the clock did not jump"
    for session in (*names, fresh):
        works(client, session, "after the jump")
    began = time.monotonic()
    with pytest.raises(Refused) as refused:
        client.request("wait_session", session=names[0], timeout_ms=1000)
    assert refused.value.code == "timeout" and time.monotonic() - began < LIMIT_S
    again = cold.restart().client()
    assert list(again.sessions) == [*names, ended, fresh], "the order is that of their starts"
    assert [again.state(each) for each in again.sessions] == ["running"] * 3 + ["exited", "running"]
    for session in (*names, fresh):
        works(again, session, "after a start in another time")
    assert ended in again.sessions
    clock.turn("+0")
    back = cold.restart().client()
    assert list(back.sessions) == [*names, ended, fresh]
    for session in (*names, fresh):
        works(back, session, "back again")
    back.request("kill_session", session=names[0])
    assert back.sessions[ended]["exit"]["code"] == 7
    bundle = Bundle(cold.home.bundle(names[0]))
    wait_until(lambda: not bundle.lock_held(), LIMIT_S, "the worker's end")


def test_an_exit_of_days_ago_is_known(cold: DaemonProcess, clock: FakeClock) -> None:
    """It ended while no daemon ran, and none ran for ten days."""
    client = cold.start().client()
    session = client.spawn("sh", "-c", "read x; exit 7")
    stream = client.attach(session["id"])
    client.type(stream, b"\r", request_id=900)
    client.result(900)
    cold.kill()
    bundle = Bundle(cold.home.bundle(session["id"]))
    wait_until(lambda: bundle.exit() and not bundle.lock_held(), LIMIT_S, "the worker's end")
    clock.turn("+10d")
    again = cold.start().client()
    view = again.sessions[session["id"]]
    assert (view["state"], view["exit"]["code"]) == ("exited", 7)
    assert view["exit"]["at_ms"] < time.time() * 1000 + 60_000
