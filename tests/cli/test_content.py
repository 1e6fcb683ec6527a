"""Waiting through a restart; tests/system/test_cli.py runs the commands."""

from __future__ import annotations

import socket

import pytest

from attn.cli import content
from attn.cli.app import run
from attn.cli.link import ANSWER_TIMEOUT_S, LinkLost
from attn.wire.client_events import WaitResult
from attn.wire.client_views import ExitView

RESULT = WaitResult(id=1, exit=None)


def test_a_lost_daemon_is_asked_again_with_the_time_that_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    deadlines: list[float | None] = []

    def once(ref: str, text: str | None, deadline: float | None) -> WaitResult:
        deadlines.append(deadline)
        if len(deadlines) < 3:
            raise LinkLost("gone")
        return RESULT

    monkeypatch.setattr(content, "_wait_once", once)
    assert content.wait_for("x", None, 60) is RESULT
    assert len(deadlines) == 3
    assert len(set(deadlines)) == 1


def test_a_daemon_that_never_stays_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def lost(ref: str, text: str | None, deadline: float | None) -> WaitResult:
        asked.append(1)
        raise LinkLost("gone")

    monkeypatch.setattr(content, "_wait_once", lost)
    with pytest.raises(LinkLost):
        content.wait_for("x", "text", None)
    assert len(asked) == content.RECONNECTS_MAX
    asked.clear()
    with pytest.raises(LinkLost):
        content.wait_for("x", "text", 0)
    assert len(asked) == 1


def test_a_program_that_ends_without_the_text_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = WaitResult(id=1, exit=ExitView(code=0, signal=None, at_ms=0))
    monkeypatch.setattr(content, "wait_for", lambda *_: ended)
    assert run(["wait", "s", "--for", "done"]) == 69
    assert run(["wait", "s", "--exit"]) == 0
    monkeypatch.setattr(content, "wait_for", lambda *_: RESULT)
    assert run(["wait", "s", "--for", "done"]) == 0


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """The times that the daemon was asked to wait."""
    times: list[float | None] = []

    def wait_for(ref: str, text: str | None, timeout_s: float | None) -> WaitResult:
        times.append(timeout_s)
        return RESULT

    monkeypatch.setattr(content, "wait_for", wait_for)
    return times


@pytest.mark.parametrize("timeout", ["inf", "nan", "1e300", "-1", "-inf", str(content.WAIT_MAX_S + 1)])
def test_a_time_that_nobody_can_wait_is_refused_with_the_bound(
    timeout: str, waited: list[float | None], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["wait", "s", "--exit", "--timeout", timeout]) == 64
    assert f"is not in the range 0<=x<={content.WAIT_MAX_S}" in capsys.readouterr().err
    assert waited == []


def test_the_longest_wait_is_one_that_a_socket_can(waited: list[float | None]) -> None:
    assert run(["wait", "s", "--exit", "--timeout", str(content.WAIT_MAX_S)]) == 0
    assert waited == [content.WAIT_MAX_S]
    with socket.socket() as waiting:
        waiting.settimeout(content.WAIT_MAX_S + ANSWER_TIMEOUT_S)
