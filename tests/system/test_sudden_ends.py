"""Everything that can be taken away from a running attn: its worker, its spawner, its sockets, its daemon."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess

import pytest

from attn.bundle.bundle import Bundle
from tests.system import processes, slices
from tests.system.client import Client, Closed, Refused
from tests.system.conftest import DaemonProcess
from tests.waiting import wait_until

LIMIT_S = 30.0
GONE = ("lost", "recoverable")
SEVEN = ("sh", "-c", "trap 'exit 7' USR1; echo armed; while :; do sleep 600 & wait $!; done")


def worker_pid(daemon: DaemonProcess, session: str) -> int:
    worker = Bundle(daemon.home.bundle(session)).worker()
    assert worker is not None
    return worker.pid


def spawner_pid(daemon: DaemonProcess) -> int:
    return processes.spawner(daemon.home)


# -- workers and spawner ---------------------------------------------------------------------------------------------


def test_a_killed_worker_takes_its_program_along_and_nobody_else(daemon: DaemonProcess) -> None:
    """The terminal closes, so the program gets its hang-up; the last screen stays, and no exit is made up."""
    client = daemon.client()
    victim, other = client.spawn("sh", "-c", "echo last words; exec cat"), client.spawn("cat")
    stream = client.attach(other["id"])
    wait_until(Bundle(daemon.home.bundle(victim["id"])).screen, LIMIT_S, "the screen on disk")
    os.kill(worker_pid(daemon, victim["id"]), signal.SIGKILL)
    client.until(lambda: client.state(victim["id"]) in GONE, LIMIT_S)
    view = client.sessions[victim["id"]]
    assert (view["exit"], view["pid"]) == (None, None)
    wait_until(lambda: not processes.running(victim["pid"]), LIMIT_S, "the program's hang-up")
    client.type(stream, b"unmoved\r")
    client.until_output(stream, b"unmoved\r\nunmoved")
    shown = client.attach(victim["id"])
    assert shown.results[0]["source"] == "persisted" and b"last words" in shown.data
    assert not [event for event in client.events if event["type"] == "session_exited"]
    again = daemon.restart().client()
    assert again.state(victim["id"]) in GONE and again.state(other["id"]) == "running"


def test_a_program_that_heeds_no_hang_up_is_neither_started_twice_nor_forgotten(daemon: DaemonProcess) -> None:
    """It lost its terminal with its worker, and works on: nobody ends it but the person, who is told how."""
    client = daemon.client()
    session = client.spawn("sh", "-c", "trap '' HUP; echo armed; while :; do sleep 0.1; done")
    client.until_output(client.attach(session["id"]), b"armed")
    os.kill(worker_pid(daemon, session["id"]), signal.SIGKILL)
    client.until(lambda: client.state(session["id"]) in GONE, LIMIT_S)
    assert processes.running(session["pid"])
    client = daemon.restart().client()
    for request, more in (("resume_session", {}), ("kill_session", {}), ("remove_session", {"force": True})):
        with pytest.raises(Refused) as refused:
            client.request(request, session=session["id"], **more)
        assert refused.value.code == "session_running" and f"kill {session['pid']}" in refused.value.body["remedy"]
    assert client.state(session["id"]) in GONE and processes.running(session["pid"])
    os.kill(session["pid"], signal.SIGKILL)
    wait_until(lambda: not processes.running(session["pid"]), LIMIT_S, "the program's end")
    client.request("resume_session", session=session["id"])
    assert client.state(session["id"]) == "running"


def test_a_session_whose_files_were_removed_while_it_ran_is_not_started_twice(daemon: DaemonProcess) -> None:
    client = daemon.client()
    session = client.spawn("sh", "-c", SEVEN[2].replace("exit 7", ""))
    worker = worker_pid(daemon, session["id"])
    daemon.kill()
    shutil.rmtree(daemon.home.bundle(session["id"]))
    again = daemon.start().client()
    for request in ("resume_session", "kill_session", "remove_session"):
        with pytest.raises(Refused, match=f"pid {worker}") as refused:
            again.request(request, session=session["id"])
        assert refused.value.code == "session_running" and f"kill {worker}" in refused.value.body["remedy"]
    assert processes.running(session["pid"])
    os.kill(worker, signal.SIGTERM)
    wait_until(lambda: not processes.running(worker), LIMIT_S, "the end of the worker")
    assert not processes.running(session["pid"])
    again.request("resume_session", session=session["id"])
    assert again.state(session["id"]) == "running"


def test_the_end_of_one_run_is_never_told_of_the_next(daemon: DaemonProcess) -> None:
    """It ended with 7, was resumed, and then worker and daemon were killed: how that run ended, nobody knows."""
    client = daemon.client()
    session = client.spawn(*SEVEN)
    client.until_output(client.attach(session["id"]), b"armed")
    os.kill(session["pid"], signal.SIGUSR1)
    client.event("session_exited", session=session["id"])
    assert daemon.end() == 0
    daemon.start().client().request("resume_session", session=session["id"])
    daemon.kill()
    os.kill(worker_pid(daemon, session["id"]), signal.SIGKILL)
    bundle = Bundle(daemon.home.bundle(session["id"]))
    wait_until(lambda: not bundle.lock_held(), LIMIT_S, "the worker's end")
    again = daemon.start().client()
    assert (again.state(session["id"]) in GONE, again.sessions[session["id"]]["exit"]) == (True, None)


def test_without_its_spawner_the_daemon_starts_workers_by_itself(daemon: DaemonProcess) -> None:
    client = daemon.client()
    before = client.spawn("cat")
    os.kill(spawner_pid(daemon), signal.SIGKILL)
    client.until(lambda: "spawner_gone" in [each["code"] for each in client.conditions], LIMIT_S)
    after = client.spawn("cat")
    for session in (before, after):
        stream = client.attach(session["id"])
        client.type(stream, b"works\r")
        client.until_output(stream, b"works\r\nworks")
    again = daemon.restart().client()
    assert {view["state"] for view in again.sessions.values()} == {"running"}
    assert [view["pid"] for view in again.sessions.values()] == [before["pid"], after["pid"]]
    assert not again.conditions


def test_a_stopped_spawner_holds_up_only_new_sessions(daemon: DaemonProcess) -> None:
    client = daemon.client()
    session = client.spawn("cat")
    ended = client.spawn("cat")["id"]
    client.request("kill_session", session=ended)
    bundle = Bundle(daemon.home.bundle(ended))
    wait_until(lambda: not bundle.lock_held(), LIMIT_S, "its worker's end")
    before, exited = bundle.worker(), bundle.exit()
    pid = spawner_pid(daemon)
    os.kill(pid, signal.SIGSTOP)
    try:
        request, again = client.ask("spawn_session", argv=["cat"]), client.ask("resume_session", session=ended)
        stream = client.attach(session["id"])
        client.type(stream, b"works\r")
        client.until_output(stream, b"works\r\nworks")
        client.until(lambda: {request, again} <= client.replies.keys(), LIMIT_S)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert client.replies[again]["type"] == "error"
    # What was told as failed does not happen later, and everything is as it was.
    wait_until(lambda: "taken back" in (bundle.path / "worker.err").read_text(), LIMIT_S, "the late worker")
    wait_until(lambda: not bundle.lock_held(), LIMIT_S, "its end")
    assert (bundle.worker(), bundle.exit()) == (before, exited)
    assert (client.state(ended), client.sessions[ended]["recoverable"]) == ("exited", True)
    assert client.replies[request]["type"] in ("error", "spawn_result")
    client.request("resume_session", session=ended)
    client.until(lambda: {client.state(each) for each in client.sessions} <= {"running", *GONE}, LIMIT_S)
    # Whatever was ordered meanwhile runs and is listed, or is not there at all.
    listed = {view["pid"] for view in client.sessions.values() if view["state"] == "running"}
    cats = {pid for pid, name in processes.of_home(daemon.home).items() if name == "cat"}
    wait_until(lambda: cats == listed or _cats(daemon) == listed, LIMIT_S, "no program that nobody knows")


def _cats(daemon: DaemonProcess) -> set[int]:
    return {pid for pid, name in processes.of_home(daemon.home).items() if name == "cat"}


# -- sockets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("whole_directory", [False, True])
def test_a_removed_socket_of_the_daemon_comes_back(daemon: DaemonProcess, whole_directory: bool) -> None:
    """As a cleaner of temporary files does it, or the end of the login that owned $XDG_RUNTIME_DIR."""
    client = daemon.client()
    session = client.spawn("cat")
    if whole_directory:
        shutil.rmtree(daemon.home.daemon_socket.parent)
    else:
        daemon.home.daemon_socket.unlink()
    wait_until(daemon.answers, LIMIT_S, "the socket to come back")
    assert daemon.home.daemon_socket.stat().st_mode & 0o777 == 0o600
    assert daemon.client().sessions[session["id"]]["pid"] == session["pid"]
    stream = client.attach(session["id"])
    client.type(stream, b"never lost\r")
    client.until_output(stream, b"never lost\r\nnever lost")


@pytest.mark.parametrize("whole_directory", [False, True])
def test_a_removed_socket_of_a_worker_comes_back(daemon: DaemonProcess, whole_directory: bool) -> None:
    client = daemon.client()
    session = client.spawn("cat")
    if whole_directory:
        shutil.rmtree(daemon.home.daemon_socket.parent)
    else:
        daemon.home.worker_socket(session["id"]).unlink()
    daemon.kill()
    client = daemon.start().client()
    client.until(lambda: client.state(session["id"]) == "running", LIMIT_S)
    assert client.sessions[session["id"]]["pid"] == session["pid"]
    stream = client.attach(session["id"])
    client.type(stream, b"found again\r")
    client.until_output(stream, b"found again\r\nfound again")
    assert daemon.home.worker_socket(session["id"]).stat().st_mode & 0o077 == 0


# -- daemons ---------------------------------------------------------------------------------------------------------


def test_of_daemons_that_start_at_once_one_serves(cold: DaemonProcess) -> None:
    """Each time two; the programs of the one that is killed go on with the next."""
    rounds = slices.count("races of two daemons", 20, 50)
    session = ""
    for _ in range(rounds):
        both = [cold.launch(), cold.launch()]
        loser = wait_until(lambda both=both: _ended(both), LIMIT_S, "the loser")
        assert loser.returncode == 75
        cold.process = both[1 - both.index(loser)]
        wait_until(cold.answers, LIMIT_S, "the winner")
        client = cold.client()
        session = session or client.spawn("cat")["id"]
        assert client.request("get_status")["daemon"]["pid"] == cold.pid
        assert [client.state(each) for each in client.sessions] == ["running"] and session in client.sessions
        client.socket.close()
        cold.kill()
    assert len(_cats(cold)) == 1


def _ended(both: list[subprocess.Popen[bytes]]) -> subprocess.Popen[bytes] | None:
    return next((each for each in both if each.poll() is not None), None)


def test_an_exit_is_told_once_whenever_it_happens(daemon: DaemonProcess) -> None:
    """While all is well, at the moment of a daemon's death, and while none runs."""
    client, other = daemon.client(), daemon.client()
    names = ("well", "dying", "away")
    sessions = {name: client.spawn(*SEVEN, label=name) for name in names}
    for session in sessions.values():
        client.until_output(client.attach(session["id"]), b"armed")
    os.kill(sessions["well"]["pid"], signal.SIGUSR1)
    for each in (client, other):
        each.event("session_exited", session=sessions["well"]["id"])
    os.kill(sessions["dying"]["pid"], signal.SIGUSR1)
    daemon.kill()
    os.kill(sessions["away"]["pid"], signal.SIGUSR1)
    for session in sessions.values():
        bundle = Bundle(daemon.home.bundle(session["id"]))
        wait_until(lambda bundle=bundle: not bundle.lock_held(), LIMIT_S, "the worker's end")
    daemon.start()
    late = daemon.client()
    assert {v["label"]: (v["state"], v["exit"]["code"]) for v in late.sessions.values()} == dict.fromkeys(
        names, ("exited", 7)
    )
    late.request("get_status")
    assert _told(late) == []
    for each in (client, other):
        with pytest.raises((Closed, ConnectionError)):
            each.until(lambda: False)
        assert _told(each).count(sessions["well"]["id"]) == 1
        assert sessions["away"]["id"] not in _told(each)
        assert _told(each).count(sessions["dying"]["id"]) <= 1


def _told(client: Client) -> list[str]:
    return [event["session"] for event in client.events if event["type"] == "session_exited"]


def test_what_ended_stays_known_through_many_starts(daemon: DaemonProcess) -> None:
    client = daemon.client()
    coded = client.spawn(*SEVEN)
    signalled = client.spawn("cat")
    client.until_output(client.attach(coded["id"]), b"armed")
    daemon.kill()
    os.kill(coded["pid"], signal.SIGUSR1)
    os.kill(signalled["pid"], signal.SIGSEGV)
    for session in (coded, signalled):
        bundle = Bundle(daemon.home.bundle(session["id"]))
        wait_until(lambda bundle=bundle: not bundle.lock_held(), LIMIT_S, "the worker's end")
    at_ms = {session["id"]: Bundle(daemon.home.bundle(session["id"])).exit() for session in (coded, signalled)}
    for _ in range(3):
        found = daemon.start().client().sessions
        assert (found[coded["id"]]["exit"]["code"], found[signalled["id"]]["exit"]["signal"]) == (7, signal.SIGSEGV)
        for session, ended in at_ms.items():
            assert ended is not None and found[session]["exit"]["at_ms"] == ended.at_ms
        daemon.kill()
