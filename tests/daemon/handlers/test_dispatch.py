"""From bytes to handlers: every message has one, every failure has an answer."""

from __future__ import annotations

import asyncio
import json
from typing import Any, get_args

import pytest

from attn.daemon.handlers import dispatch as module
from attn.daemon.handlers.desk import Desk
from attn.daemon.handlers.dispatch import AT_ONCE, REQUESTS, Dispatch
from attn.daemon.peer import REQUESTS_MAX
from attn.wire import client_api
from attn.wire import client_requests as wire
from attn.wire.client_events import Error, StatusResult
from attn.wire.client_views import Request
from tests.daemon.scripted import RecordingPeer
from tests.daemon.test_hub import add


def say(dispatch: Dispatch, peer: RecordingPeer, kind: str, **fields: Any) -> None:
    dispatch.received(peer, client_api.JSON, json.dumps({"type": kind, **fields}).encode())


async def settled(desk: Desk) -> None:
    while pending := [task for task in desk.hub._tasks if not task.done()]:
        await asyncio.wait(pending)


def test_every_message_of_the_protocol_has_exactly_one_handler() -> None:
    kinds = set(get_args(wire.ClientMessage))
    assert AT_ONCE.keys() | REQUESTS.keys() == kinds
    assert not AT_ONCE.keys() & REQUESTS.keys()
    assert all(issubclass(kind, Request) for kind in REQUESTS)
    assert not any(issubclass(kind, Request) for kind in AT_ONCE)


async def test_during_recovery_only_what_needs_no_sessions(desk: Desk) -> None:
    dispatch, peer = Dispatch(desk), RecordingPeer()
    desk.hub.recovering = True
    say(dispatch, peer, "kill_session", id=3, session="x")
    say(dispatch, peer, "get_status", id=4)
    await settled(desk)
    errors = peer.of(Error)
    assert [(error.id, error.code, error.retryable) for error in errors] == [(3, "daemon_recovering", True)]
    assert [(status.id, status.recovery.done) for status in peer.of(StatusResult)] == [(4, False)]


@pytest.mark.parametrize(
    ("payload", "request_id", "code"),
    [
        (b"{", 0, "bad_message"),
        (b"[]", 0, "bad_message"),
        (b"\xff\xfe", 0, "bad_message"),
        (b'{"type":"nonsense","id":8}', 8, "unknown_message"),
        (b'{"type":"get_screen","id":9}', 9, "bad_message"),
        (b'{"type":"get_screen","id":"9","session":"x"}', 0, "bad_message"),
        (b'{"type":"get_status","id":0}', 0, "bad_message"),
        (b'{"type":"spawn_session","id":3,"argv":[]}', 3, "bad_message"),
        (b'{"type":["get_screen"],"id":2}', 2, "bad_message"),
        (b"[" * 100_000, 0, "bad_message"),
    ],
)
def test_what_is_no_message_is_answered(desk: Desk, payload: bytes, request_id: int, code: str) -> None:
    peer = RecordingPeer()
    Dispatch(desk).received(peer, client_api.JSON, payload)
    assert [(error.id, error.code) for error in peer.of(Error)] == [(request_id, code)]
    assert not peer.closed


def test_a_stranger_that_does_not_greet_is_closed(desk: Desk) -> None:
    for kind, payload in ((client_api.JSON, b'{"type":"get_status","id":1}'), (client_api.BINARY, bytes(20))):
        peer = RecordingPeer(hello=False)
        Dispatch(desk).received(peer, kind, payload)
        assert peer.of(Error)[0].code == "bad_message" and peer.closed


async def test_open_requests_are_bounded(desk: Desk) -> None:
    dispatch, peer = Dispatch(desk), RecordingPeer()
    for number in range(REQUESTS_MAX + 1):
        say(dispatch, peer, "get_status", id=number + 1)
    await settled(desk)
    assert len(peer.of(StatusResult)) == REQUESTS_MAX
    assert [(error.id, error.code) for error in peer.of(Error)] == [(REQUESTS_MAX + 1, "too_many_requests")]
    assert peer.requests == 0


async def test_a_fault_is_answered_and_logged(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: Any) -> None:
        raise KeyError("on purpose")

    monkeypatch.setattr(module, "REQUESTS", {wire.GetStatus: fail})
    peer = RecordingPeer()
    say(Dispatch(desk), peer, "get_status", id=1)
    await settled(desk)
    assert [(error.id, error.code) for error in peer.of(Error)] == [(1, "internal")]
    assert "on purpose" in caplog.text


async def test_who_left_waits_for_nothing(desk: Desk) -> None:
    session = add(desk.hub)
    dispatch, peer = Dispatch(desk), RecordingPeer()
    say(dispatch, peer, "wait_session", id=1, session="cat")
    await asyncio.sleep(0)
    (waiting,) = desk.hub._tasks
    dispatch.gone(peer)
    await asyncio.wait([waiting], timeout=10)
    assert waiting.done() and session.running and peer.told == []


async def test_who_left_is_not_attached(desk: Desk) -> None:
    """A page's message and its farewell can come with one read."""
    session = add(desk.hub)
    dispatch, peer = Dispatch(desk), RecordingPeer()
    say(dispatch, peer, "attach_session", id=1, session="cat", rows=30, cols=90)
    dispatch.gone(peer)
    await settled(desk)
    assert session.attachments == {} and desk.hub.handles == {}


def test_a_message_may_be_deep(desk: Desk) -> None:
    deep = b'{"type":"get_status","id":4,"later":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    peer = RecordingPeer()
    Dispatch(desk).received(peer, client_api.JSON, deep)
    assert [error.code for error in peer.of(Error)] == ["bad_message"]
