"""What an attach does while there is no daemon; tests/system/test_native_attach.py lets one crash."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from attn.cli.link import Link, LinkLost
from attn.cli.native import absence
from attn.cli.native.absence import LAUNCH_AFTER_S, WAIT_FOR_S, Absence
from attn.cli.starting import Launched
from attn.errors import AttnError
from attn.lock import HomeLock
from attn.paths import Home
from tests.cli.test_link import HELLO


class Clock:
    """The time of an absence, and who answers in it."""

    def __init__(self, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 100.0
        self.answer: Callable[[], Link | None] = lambda: None
        self.launches = 0
        monkeypatch.setattr(time, "monotonic", lambda: self.now_s)
        monkeypatch.setattr(absence, "open_link", lambda _home, _timeout_s: self.answer())
        monkeypatch.setattr(absence, "launch_daemon", self._launch)
        self.absence = Absence(home, "s", HELLO.daemon_id)

    def _launch(self, _home: Home) -> Launched:
        self.launches += 1
        ended = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
        ended.wait()
        return Launched(ended, 0)

    def look(self, after_s: float) -> Link | None:
        self.now_s = 100.0 + after_s
        return self.absence.look()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(root=tmp_path, sockets=tmp_path, is_default=False)


@pytest.fixture
def clock(home: Home, monkeypatch: pytest.MonkeyPatch) -> Clock:
    home.logs.mkdir(parents=True)
    home.daemon_log.touch()
    return Clock(home, monkeypatch)


def touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def test_a_daemon_whose_socket_is_left_crashed_and_is_started_once(clock: Clock, home: Home) -> None:
    touch(home.daemon_socket)
    assert clock.look(LAUNCH_AFTER_S - 0.1) is None and clock.launches == 0
    assert clock.look(LAUNCH_AFTER_S + 0.1) is None and clock.launches == 1


def test_a_repair_is_not_disturbed(clock: Clock, home: Home) -> None:
    touch(home.daemon_socket)
    lock = HomeLock(home.lock, what="attn repair salvage")
    assert clock.look(LAUNCH_AFTER_S + 0.1) is None and clock.launches == 0
    lock.release()
    assert clock.look(LAUNCH_AFTER_S + 0.2) is None and clock.launches == 1


def test_what_ended_the_one_that_was_started_is_told(clock: Clock, home: Home) -> None:
    touch(home.daemon_socket)
    clock.look(LAUNCH_AFTER_S + 0.1)
    with pytest.raises(AttnError) as caught:
        clock.look(LAUNCH_AFTER_S + 0.2)
    assert caught.value.code == "daemon_not_startable" and clock.launches == 1


def test_one_that_took_its_socket_away_was_stopped_and_is_waited_for(clock: Clock) -> None:
    assert clock.look(WAIT_FOR_S - 0.1) is None and clock.launches == 0
    with pytest.raises(AttnError, match="gone for 30 s"):
        clock.look(WAIT_FOR_S + 0.1)


def test_one_that_listens_and_says_nothing_is_waited_for_no_longer(clock: Clock, home: Home) -> None:
    touch(home.daemon_socket)

    def hangs() -> Link:
        raise LinkLost("no greeting")

    clock.answer = hangs
    assert clock.look(WAIT_FOR_S - 0.1) is None and clock.launches == 0
    with pytest.raises(AttnError, match="gone for 30 s"):
        clock.look(WAIT_FOR_S + 0.1)


def test_only_the_same_daemon_is_gone_on_with(clock: Clock) -> None:
    ours, theirs = socket.socketpair()
    with Link(ours) as link, theirs:
        link.hello = HELLO
        clock.answer = lambda: link
        assert clock.look(1) is link
        link.hello = msgspec.structs.replace(HELLO, daemon_id="another")
        with pytest.raises(AttnError, match="another daemon"):
            clock.look(2)
