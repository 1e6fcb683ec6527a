"""The hub's promises, seen by a client: sessions run, are shown true, and outlive the daemon."""

from __future__ import annotations

import os

import pytest

from attn.bundle.bundle import Bundle
from tests.system.client import Refused
from tests.system.conftest import DaemonProcess
from tests.waiting import wait_until


def test_a_program_is_started_watched_and_typed_into(daemon: DaemonProcess) -> None:
    client = daemon.client()
    session = client.spawn("cat", rows=24, cols=80)
    assert (session["state"], session["rows"], session["cols"]) == ("running", 24, 80)
    stream = client.attach(session["id"])
    assert stream.results[0]["payload"] == "snapshot" and stream.results[0]["source"] == "live"
    client.type(stream, "grüße\r".encode(), request_id=77)
    assert client.result(77)["type"] == "ok"
    client.until_output(stream, "grüße\r\ngrüße\r\n".encode())
    assert stream.gaps == 0
    assert client.screen(session["id"])[1].decode().splitlines()[:2] == ["grüße", "grüße"]


def test_two_clients_see_the_same_bytes(daemon: DaemonProcess) -> None:
    one, two = daemon.client(), daemon.client()
    session = one.spawn("cat")
    first, second = one.attach(session["id"]), two.attach(session["id"])
    assert first.handle != second.handle
    one.type(first, b"from one\r")
    two.until_output(second, b"from one\r\nfrom one\r\n")
    two.type(second, b"from two\r")
    one.until_output(first, b"from two\r\nfrom two\r\n")
    assert first.gaps == second.gaps == 0
    one.request("detach_session", handle=first.handle)
    two.type(second, b"still here\r")
    two.until_output(second, b"still here\r\nstill here\r\n")
    assert b"still here" not in first.data


def test_kill_minus_nine_leaves_every_program_running(daemon: DaemonProcess) -> None:
    client = daemon.client()
    sessions = [client.spawn("cat", label=f"number {number}") for number in range(3)]
    stream = client.attach(sessions[0]["id"])
    client.type(stream, b"before\r")
    client.until_output(stream, b"before\r\nbefore\r\n")
    daemon.restart()
    again = daemon.client()
    assert {s["id"]: (s["pid"], s["state"], s["label"]) for s in again.sessions.values()} == {
        s["id"]: (s["pid"], "running", s["label"]) for s in sessions
    }
    stream = again.attach(sessions[0]["id"])
    assert b"before" in stream.payloads[0]
    again.type(stream, b"after\r")
    again.until_output(stream, b"after\r\nafter\r\n")
    status = again.request("get_status")
    assert status["recovery"]["done"] and status["recovery"]["recovered"] == 3


def test_a_reconnect_by_offset_gets_exactly_the_missing_bytes(daemon: DaemonProcess) -> None:
    client = daemon.client()
    session = client.spawn("cat")
    stream = client.attach(session["id"])
    client.type(stream, b"one\r")
    client.until_output(stream, b"one\r\none\r\n")
    seen = stream.offset
    client.type(stream, b"two\r")
    client.until_output(stream, b"two\r\ntwo\r\n")
    daemon.restart()
    again = daemon.client()
    delta = again.attach(session["id"], since=seen)
    assert delta.results[0]["payload"] == "delta"
    assert delta.payloads == [b"two\r\ntwo\r\n"]
    assert delta.results[0]["offset"] == delta.offset == seen + len(b"two\r\ntwo\r\n")


def test_an_exit_while_no_daemon_runs_is_not_lost(daemon: DaemonProcess) -> None:
    client = daemon.client()
    session = client.spawn("sh", "-c", "read x; echo said $x; exit 7")
    stream = client.attach(session["id"])
    client.type(stream, b"x", request_id=1000)
    client.result(1000)
    daemon.kill()
    os.kill(session["pid"], 15)
    bundle = Bundle(daemon.home.bundle(session["id"]))
    wait_until(lambda: bundle.exit() is not None and not bundle.lock_held(), 20, "the worker's end")
    daemon.start()
    again = daemon.client()
    found = again.sessions[session["id"]]
    assert (found["state"], found["exit"]["signal"], found["pid"]) == ("exited", 15, None)
    stream = again.attach(session["id"])
    assert stream.results[0]["source"] == "persisted" and not stream.results[0]["running"]
    assert b"x" in stream.payloads[0]
    assert again.request("wait_session", session=session["id"])["exit"]["signal"] == 15
    with pytest.raises(Refused) as refused:
        again.type(stream, b"too late\r", request_id=50)
        again.result(50)
    assert refused.value.code == "session_ended"


def test_an_exit_is_told_once_with_its_status(daemon: DaemonProcess) -> None:
    client, other = daemon.client(), daemon.client()
    session = client.spawn("sh", "-c", "echo bye; exit 3")
    for each in (client, other):
        each.event("session_exited", session=session["id"])
        each.until(lambda each=each: each.state(session["id"]) == "exited")
        assert [e["exit"]["code"] for e in each.events if e["type"] == "session_exited"] == [3]
    assert client.screen(session["id"])[1].decode().splitlines()[0] == "bye"
    client.request("remove_session", session=session["id"])
    other.event("session_removed", session=session["id"])
    assert not daemon.home.bundle(session["id"]).exists()
    daemon.restart()
    assert daemon.client().sessions == {}


def test_kill_ends_what_ignores_hangup_and_term(daemon: DaemonProcess) -> None:
    client = daemon.client()
    session = client.spawn("sh", "-c", "trap '' HUP TERM; echo ready; while :; do sleep 1000 & wait; done")
    client.until_output(client.attach(session["id"]), b"ready")
    with pytest.raises(Refused) as refused:
        client.request("remove_session", session=session["id"])
    assert refused.value.code == "session_running"
    client.request("kill_session", session=session["id"])
    assert client.sessions[session["id"]]["exit"]["signal"] == 9
    assert Bundle(daemon.home.bundle(session["id"])).meta().cause == "killed"
    client.request("kill_session", session=session["id"])
    client.request("remove_session", session=session["id"], force=True)


def test_programs_that_end_at_once_are_known_whole(daemon: DaemonProcess) -> None:
    client = daemon.client()
    for _ in range(12):
        session = client.spawn("sh", "-c", "echo gone; exit 7")["id"]
        assert client.request("wait_session", session=session, timeout_ms=15_000)["exit"]["code"] == 7
        client.until(lambda: client.sessions[session]["snapshot"])  # noqa: B023 - used before the next turn
        view = client.sessions[session]
        assert view["state"] == "exited" and view["last_output_at_ms"] is not None
        assert client.screen(session)[1].startswith(b"gone\n")
