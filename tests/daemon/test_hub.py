"""Live state: who hears what, once, and what holds now."""

from __future__ import annotations

import asyncio

import pytest

from attn.bundle.records import ExitRecord
from attn.daemon.handlers.desk import Desk
from attn.daemon.hub import Hub
from attn.daemon.sessions.live import Session, now_ms
from attn.errors import AttnError
from attn.wire import client_events as events
from attn.wire.client_requests import ClientHello
from attn.wire.client_views import ExitView
from tests.daemon.scripted import RecordingPeer, bundle


@pytest.fixture
def hub(desk: Desk) -> Hub:
    return desk.hub


def greeted(hub: Hub) -> RecordingPeer:
    peer = RecordingPeer(hello=False)
    hub.greet(peer, ClientHello(protocol=1, build="x", client="x"))
    return peer


def add(hub: Hub, session_id: str = "abcdefghij", label: str = "cat", **facts: object) -> Session:
    made = bundle(hub.home.run, session_id, label=label, **facts)
    session = Session(bundle=made, spec=made.spec(), owner=hub, label=label, state="running")
    hub.sessions[session_id] = session
    return session


def test_hello_is_the_whole_state_and_said_once(hub: Hub) -> None:
    add(hub)
    peer = greeted(hub)
    hello = peer.told[0]
    assert isinstance(hello, events.DaemonHello)
    assert [session.id for session in hello.sessions] == ["abcdefghij"] and not hello.recovering
    with pytest.raises(AttnError, match="bad_message"):
        hub.greet(peer, ClientHello(protocol=1, build="x", client="x"))


def test_an_old_client_is_told_what_to_do(hub: Hub) -> None:
    with pytest.raises(AttnError, match="protocol_mismatch") as raised:
        hub.greet(RecordingPeer(hello=False), ClientHello(protocol=0, build="x", client="x"))
    assert raised.value.remedy
    assert hub.peers == {}


def test_nothing_is_listed_before_recovery_ended(hub: Hub) -> None:
    hub.recovering = True
    session = add(hub)
    peer = greeted(hub)
    assert peer.told[0].recovering and peer.told[0].sessions == []
    hub.session_changed(session)
    hub.recovered({"recovered": 1})
    assert [type(message) for message in peer.told[1:]] == [events.SessionsReady]
    assert [each.id for each in peer.told[1].sessions] == [session.id]
    assert hub.recovery_view().recovered == 1 and hub.recovery_view().done


async def test_an_exit_is_told_once(hub: Hub) -> None:
    session, peer = add(hub), greeted(hub)
    ended = ExitView(code=3, signal=None, at_ms=9)
    hub.session_event(
        session, {"event": "exit", "code": 3, "signal": None, "at_ms": 9, "last_output_at_ms": 8, "offset": 5}
    )
    hub.session_ended(session, ended)
    hub.session_found(session, False, ExitRecord(code=3, signal=None, offset=5, at_ms=9))
    assert [message.exit for message in peer.of(events.SessionExited)] == [ended]
    kinds = [type(message) for message in peer.told]
    assert kinds.index(events.SessionChanged) < kinds.index(events.SessionExited), "a client knows what ended"
    assert session.view().last_output_at_ms == 8
    assert (session.state, session.exit, session.ended.is_set()) == ("exited", ended, True)


async def test_a_worker_that_leaves_is_not_called_silent(hub: Hub) -> None:
    leaving, stuck = add(hub, "aaaaaaaaaa"), add(hub, "bbbbbbbbbb")
    before = leaving.state
    hub.session_found(leaving, True, ExitRecord(code=3, signal=None, offset=5, at_ms=now_ms()))
    hub.session_found(stuck, True, ExitRecord(code=3, signal=None, offset=5, at_ms=9))
    assert (leaving.state, stuck.state) == (before, "exited")


async def test_what_a_bundle_proves(hub: Hub) -> None:
    lost, resumable = add(hub), add(hub, "bbbbbbbbbb", resume={"conversation": "c"})
    silent = add(hub, "cccccccccc")
    resumable.recoverable = silent.recoverable = True
    assert not resumable.view().recoverable  # it runs: there is nothing to be started again
    for session, alive in ((lost, False), (resumable, False), (silent, True)):
        hub.session_found(session, alive, None)
    assert [session.state for session in (lost, resumable, silent)] == ["lost", "recoverable", "unreachable"]
    assert [session.view().recoverable for session in (lost, resumable, silent)] == [False, True, False]


def test_silent_workers_are_one_condition(hub: Hub) -> None:
    one, two, peer = add(hub, "aaaaaaaaaa", "one"), add(hub, "bbbbbbbbbb", "two"), greeted(hub)
    for session in (one, two, one):
        session.state = "unreachable"
        hub.session_changed(session)
    assert "one" in hub.conditions["session_unreachable"].detail
    for session in (one, two):
        session.state = "running"
        hub.session_changed(session)
    assert hub.conditions == {}
    assert [len(message.conditions) for message in peer.of(events.ConditionsChanged)] == [1, 1, 1, 0]


def test_a_condition_keeps_the_time_it_began(hub: Hub) -> None:
    peer = greeted(hub)
    hub.raise_condition("disk_full", "first")
    began = hub.conditions["disk_full"].since_ms
    hub.raise_condition("disk_full", "first")
    hub.raise_condition("disk_full", "second")
    assert len(peer.of(events.ConditionsChanged)) == 2
    assert hub.conditions["disk_full"].since_ms == began and hub.conditions["disk_full"].commands
    hub.clear_condition("disk_full")
    hub.clear_condition("disk_full")
    assert len(peer.of(events.ConditionsChanged)) == 3


async def test_activity_is_told_by_the_second(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attn.daemon.hub.ACTIVITY_EVERY_S", 0.01)
    session, peer = add(hub), greeted(hub)
    for _ in range(1000):
        hub.session_active(session)
    assert peer.of(events.SessionChanged) == []
    told = asyncio.Event()
    monkeypatch.setattr(peer, "send_latest", lambda key, message: told.set())
    await asyncio.wait_for(told.wait(), 10)


def test_the_clipboard_needs_the_users_leave(hub: Hub) -> None:
    session, peer = add(hub), greeted(hub)
    hub.session_event(session, {"event": "clipboard", "text": "secret"})
    hub.session_event(session, {"event": "bell"})
    assert peer.of(events.PtyClipboard) == [] and len(peer.of(events.PtyBell)) == 1
    hub._clipboard = True
    hub.session_event(session, {"event": "clipboard", "text": "x" * 200_000})
    assert len(peer.of(events.PtyClipboard)[0].text) == 100_000


async def test_a_failed_task_is_logged(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise RuntimeError("on purpose")

    task = hub.start(fail(), "failing")
    await asyncio.wait([task])
    await asyncio.sleep(0)
    assert "failing" in caplog.text and task not in hub._tasks


async def test_forgetting_tells_and_lets_go(hub: Hub) -> None:
    session, peer = add(hub), greeted(hub)
    await hub.forget(session)
    assert hub.sessions == {} and [message.session for message in peer.of(events.SessionRemoved)] == [session.id]
    hub.session_changed(session)
    assert peer.of(events.SessionChanged) == []


async def test_an_end_that_is_known_is_not_taken_back(hub: Hub) -> None:
    """The worker tells the exit and lives on for a second, in which a connection to it may fail."""
    session = add(hub)
    hub.session_ended(session, ExitView(code=3, signal=None, at_ms=9))
    hub.session_found(session, True, None)
    assert session.state == "exited" and not session.running
