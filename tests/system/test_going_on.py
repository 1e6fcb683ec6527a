"""Sessions go on: resumed and reloaded under their id, and what a killed daemon had begun is completed."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from attn.bundle.bundle import Bundle
from attn.bundle.records import Meta
from tests.system.client import Client, Refused
from tests.system.conftest import DaemonProcess
from tests.system.test_cli import Cli
from tests.waiting import wait_until

Json = dict[str, Any]
TOLD = "echo told $$; exec cat"


def kill_worker(daemon: DaemonProcess, session: Json) -> None:
    worker = Bundle(daemon.home.bundle(session["id"])).worker()
    assert worker is not None
    os.kill(worker.pid, signal.SIGKILL)


def test_a_program_whose_worker_is_gone_goes_on_for_those_who_watch(daemon: DaemonProcess) -> None:
    client = daemon.client()
    session = client.spawn("sh", "-c", TOLD, rows=31, cols=91, cwd="/tmp")
    stream = client.attach(session["id"])
    client.until_output(stream, f"told {session['pid']}".encode())
    kill_worker(daemon, session)
    client.until(lambda: client.state(session["id"]) == "recoverable")
    seen = stream.offset
    resumed = client.request("resume_session", session=session["id"])
    assert resumed["missing"] == [] and resumed["session"]["state"] == "running"
    client.until_output(stream, f"told {resumed['session']['pid']}".encode())
    assert stream.offset > seen and stream.gaps == 0 and stream.results[-1]["payload"] == "snapshot"
    client.type(stream, b"typed\r")
    client.until_output(stream, b"typed\r\ntyped\r\n")
    view = client.sessions[session["id"]]
    assert (view["rows"], view["cols"], view["cwd"], view["exit"]) == (31, 91, "/tmp", None)


def test_a_client_that_comes_back_by_offset_never_continues_another_run(daemon: DaemonProcess) -> None:
    client = daemon.client()
    session = client.spawn("sh", "-c", TOLD)
    stream = client.attach(session["id"])
    client.until_output(stream, b"told")
    seen = stream.offset
    client.request("reload_session", session=session["id"])
    again = daemon.restart().client()
    fresh = again.attach(session["id"], since=seen)
    assert fresh.results[0]["payload"] == "snapshot"


def test_a_resume_that_fails_leaves_the_last_screen(daemon: DaemonProcess, tmp_path: Path) -> None:
    where = tmp_path / "where"
    where.mkdir()
    client = daemon.client()
    session = client.spawn("sh", "-c", "echo last words; exit 3", cwd=str(where))["id"]
    client.until(lambda: client.sessions.get(session, {}).get("exit") and client.sessions[session]["recoverable"])
    where.rmdir()
    with pytest.raises(Refused) as refused:
        client.request("resume_session", session=session)
    assert (refused.value.code, "--cwd DIR" in refused.value.body["remedy"]) == ("directory_missing", True)
    assert client.sessions[session]["exit"]["code"] == 3
    assert client.screen(session)[1].startswith(b"last words\n")
    daemon.restart()
    again = daemon.client()
    assert (again.state(session), again.sessions[session]["recoverable"]) == ("exited", False)


def test_the_commands(daemon: DaemonProcess) -> None:
    cli = Cli(daemon)
    cli.ok("new", "--label", "p", "--env", "GIVEN=1", "--", "sh", "-c", TOLD)
    first = cli.sessions()["p"]
    done = cli.run("reload", "p")
    assert done.returncode == 0 and "it runs without GIVEN" in done.stderr
    second = cli.sessions()["p"]
    assert second["id"] == first["id"] and second["pid"] != first["pid"]
    assert cli.ok("reload", "p", "--env", "GIVEN=2") == ""
    assert cli.fails("session_running", 75, "resume", "p") == "attn attach it, or attn reload it"
    cli.ok("kill", "p")
    assert cli.ok("ls").splitlines()[1].split()[1:5] == ["signal", "1,", "now", "now"]
    assert cli.fails("session_ended", 69, "reload", "p") == "attn resume it"
    assert cli.ok("resume", "p", "--env", "GIVEN=3") == ""
    cli.ok("wait", "p", "--for", f"told {cli.sessions()['p']['pid']}")


def test_pins_order_and_labels_survive_the_daemon(daemon: DaemonProcess) -> None:
    client = daemon.client()
    sessions = [client.spawn("cat", label=f"n{number}")["id"] for number in range(3)]
    client.request("resize_session", session=sessions[1], rows=33, cols=99)
    client.request("rename_session", session=sessions[0], label="renamed")
    again = daemon.restart().client()
    assert list(again.sessions) == sessions
    assert again.sessions[sessions[0]]["label"] == "renamed"
    again.attach(sessions[1], rows=50, cols=50)
    view = again.sessions[sessions[1]]
    assert (view["rows"], view["cols"]) == (33, 99)


@pytest.mark.parametrize("intent", ["kill", "remove", "reload"])
def test_what_a_killed_daemon_had_begun_is_completed(daemon: DaemonProcess, intent: str) -> None:
    """The daemon is killed between its intent and the first signal."""
    client = daemon.client()
    session = client.spawn("sh", "-c", TOLD)
    bundle = Bundle(daemon.home.bundle(session["id"]))
    worker = bundle.worker()
    assert worker is not None
    daemon.kill()
    words = {"kill": ("killed", "kill"), "remove": ("removed", "remove"), "reload": ("reload", f"reload {worker.pid}")}
    bundle.write_meta(bundle.meta()._replace(cause=words[intent][0], intent=words[intent][1]))
    again = daemon.start().client()
    if intent == "remove":
        again.until(lambda: session["id"] not in again.sessions)
        wait_until(lambda: list(daemon.home.run.glob(f"{session['id']}*")) == [], 20, "nothing to be left of it")
    elif intent == "kill":
        again.until(lambda: again.state(session["id"]) == "exited")
        wait_until(lambda: bundle.meta().intent is None, 20, "the intent to be over")
    else:
        again.until(lambda: again.sessions[session["id"]]["pid"] not in (None, session["pid"]))
        wait_until(lambda: bundle.meta()[2:4] == (None, None), 20, "the intent to be over")


def test_a_reload_that_was_cut_off_between_two_programs_is_completed(daemon: DaemonProcess) -> None:
    client = daemon.client()
    session = client.spawn("sh", "-c", TOLD)
    bundle = Bundle(daemon.home.bundle(session["id"]))
    daemon.kill()
    bundle.write_meta(bundle.meta()._replace(cause="reload", intent="reload 1"))
    os.kill(session["pid"], signal.SIGKILL)
    wait_until(lambda: bundle.exit() is not None and not bundle.lock_held(), 20, "the worker's end")
    again = daemon.start().client()
    again.until(lambda: again.state(session["id"]) == "running")
    assert again.sessions[session["id"]]["pid"] != session["pid"]


def test_a_removal_that_was_cut_off_brings_no_session_back(daemon: DaemonProcess) -> None:
    """Between the renaming and the database, and before anything was erased."""
    client = daemon.client()
    session = client.spawn("sh", "-c", "exit 1")["id"]
    client.until(lambda: client.sessions.get(session, {}).get("exit"))
    bundle = Bundle(daemon.home.bundle(session))
    wait_until(lambda: not bundle.lock_held(), 20, "the worker's end")
    daemon.kill()
    bundle.path.rename(f"{bundle.path}.removed")
    unborn = Bundle(daemon.home.bundle("zzzzzzzzzz"))
    Path(f"{unborn.path}.new").mkdir()
    assert daemon.start().client().sessions == {}
    daemon.restart()
    assert daemon.client().sessions == {}
    assert [path.name for path in daemon.home.run.iterdir() if path.name not in ("s",)] == []


def test_a_lost_daemon_id_loses_no_session(daemon: DaemonProcess) -> None:
    client = daemon.client()
    session = client.spawn("cat")
    daemon.kill()
    before = daemon.home.daemon_id.read_text()
    daemon.home.daemon_id.unlink()
    again = daemon.start().client()
    assert again.sessions[session["id"]]["pid"] == session["pid"] and again.state(session["id"]) == "running"
    assert daemon.home.daemon_id.read_text() == before


def test_a_session_of_another_daemon_is_left_alone(daemon: DaemonProcess) -> None:
    client = daemon.client()
    session, other = client.spawn("cat"), client.spawn("cat")["id"]
    daemon.kill()
    daemon.home.daemon_id.write_text("abcdefabcdef\n")
    again = daemon.start().client()
    assert again.sessions == {}
    assert [condition["code"] for condition in again.conditions] == ["session_foreign"]
    os.kill(session["pid"], 0)
    assert {session["id"], other} <= {path.name for path in daemon.home.run.iterdir()}


def test_a_daemon_that_is_starting_hears_that_it_is_to_stop(daemon: DaemonProcess) -> None:
    client = daemon.client()
    session = client.spawn("cat")
    worker = Bundle(daemon.home.bundle(session["id"])).worker()
    assert worker is not None
    daemon.kill()
    os.kill(worker.pid, signal.SIGSTOP)
    try:
        process = daemon.process = daemon.launch()
        with Client(_listening(daemon)) as early:
            early.send("hello", protocol=1, build="t", client="t")
            early.until(lambda: early.hello_body)
            assert early.hello_body["recovering"]
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        assert "recovery:" not in daemon.log().rpartition("stopping")[0].rpartition("serves")[2]
    finally:
        os.kill(worker.pid, signal.SIGCONT)


def _listening(daemon: DaemonProcess) -> Path:
    def listens() -> bool:
        try:
            Client(daemon.home.daemon_socket).socket.close()
        except OSError:
            return False
        return True

    wait_until(listens, 20, "the daemon's socket")
    return daemon.home.daemon_socket


def test_the_lost_are_a_condition_until_they_are_resumed_or_removed(daemon: DaemonProcess) -> None:
    client = daemon.client()
    sessions = [client.spawn("cat", label=label) for label in ("one", "two")]
    daemon.kill()
    for session in sessions:
        kill_worker(daemon, session)
    again = daemon.start().client()
    (condition,) = again.conditions
    assert condition["code"] == "sessions_lost" and "one, two" in condition["detail"]
    assert f"ATTN_HOME={daemon.home.root} attn resume {sessions[0]['id']}" in condition["commands"]
    recovery = again.request("get_status")["recovery"]
    assert recovery["lost"] == 2 and recovery["recovered"] == 0
    again.request("resume_session", session=sessions[0]["id"])
    again.request("remove_session", session=sessions[1]["id"])
    again.until(lambda: not again.conditions)
    assert json.loads(Cli(daemon).ok("status", "--json"))["conditions"] == []


def test_meta_of_earlier_builds_is_understood(daemon: DaemonProcess) -> None:
    client = daemon.client()
    session = client.spawn("cat", label="old")["id"]
    daemon.kill()
    bundle = Bundle(daemon.home.bundle(session))
    (bundle.path / "meta.json").write_text('{"label":"old","order":4,"cause":null}')
    assert bundle.meta() == Meta("old", 4)
    assert daemon.start().client().sessions[session]["order"] == 4
