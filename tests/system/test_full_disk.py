"""A disk that takes nothing more: programs run on and can be ended, nothing is claimed that was not written."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from attn.bundle.bundle import Bundle
from tests.system import processes
from tests.system.client import Client, Refused
from tests.system.conftest import DaemonProcess
from tests.system.small_disk import SmallDisk, small_disk
from tests.waiting import wait_until

LIMIT_S = 30.0
SEVEN = ("sh", "-c", "trap 'exit 7' USR1; echo armed; while :; do sleep 600 & wait $!; done")


@pytest.fixture
def disk(cold: DaemonProcess) -> Iterator[SmallDisk]:
    """The disk that the home of `cold` is on."""
    with small_disk(cold.home.root.parent, 32) as made:
        yield made
        cold.end_all()


@pytest.fixture
def full(cold: DaemonProcess, disk: SmallDisk) -> tuple[DaemonProcess, Client, dict[str, str]]:
    """A daemon with sessions that began while there was space; there is none any more."""
    client = cold.start().client()
    sessions = {name: client.spawn(*SEVEN, label=name)["id"] for name in ("one", "two", "three")}
    for session in sessions.values():
        client.request("wait_session", session=session, text="armed", timeout_ms=20_000)
    disk.fill()
    return cold, client, sessions


def program(client: Client, session: str) -> int:
    return int(client.sessions[session]["pid"])


def test_a_new_session_is_refused_and_leaves_nothing(
    full: tuple[DaemonProcess, Client, dict[str, str]], disk: SmallDisk
) -> None:
    daemon, client, sessions = full
    before = sorted(path.name for path in daemon.home.run.iterdir())
    with pytest.raises(Refused) as refused:
        client.spawn("cat")
    assert refused.value.code == "disk_full"
    assert sorted(path.name for path in daemon.home.run.iterdir()) == before
    assert client.sessions.keys() == set(sessions.values())
    stream = client.attach(sessions["one"])
    assert b"armed" in stream.data
    disk.free()
    assert client.state(client.spawn("cat")["id"]) == "running"


def test_a_new_name_that_cannot_be_kept_is_not_shown(full: tuple[DaemonProcess, Client, dict[str, str]]) -> None:
    daemon, client, sessions = full
    with pytest.raises(Refused):
        client.request("rename_session", session=sessions["one"], label="another")
    assert client.sessions[sessions["one"]]["label"] == "one"
    again = daemon.restart().client()
    assert again.sessions[sessions["one"]]["label"] == "one"


def test_a_program_can_be_ended_all_the_same(full: tuple[DaemonProcess, Client, dict[str, str]]) -> None:
    _, client, sessions = full
    pid = program(client, sessions["one"])
    client.request("kill_session", session=sessions["one"])
    assert client.sessions[sessions["one"]]["exit"]["signal"] == signal.SIGHUP
    assert not processes.running(pid)


def test_nothing_is_ended_or_forgotten_for_a_start_that_the_disk_refuses(cold: DaemonProcess, disk: SmallDisk) -> None:
    """A reload ends no program that it could not start again; a resume keeps the exit of the run before."""
    client = cold.start().client()
    runs, ended = (client.spawn(*SEVEN, label=name)["id"] for name in ("runs", "ended"))
    for session in (runs, ended):
        client.request("wait_session", session=session, text="armed", timeout_ms=20_000)
    os.kill(program(client, ended), signal.SIGUSR1)
    bundle, pid = Bundle(cold.home.bundle(ended)), program(client, runs)
    wait_until(lambda: bundle.exit() is not None and not bundle.lock_held(), LIMIT_S, "exit.json")
    before = bundle.exit(), bundle.worker()
    disk.fill()
    for kind, session in (("reload_session", runs), ("resume_session", ended)):
        with pytest.raises(Refused) as refused:
            client.request(kind, session=session)
        assert (refused.value.code, "free some space" in refused.value.body["remedy"]) == ("disk_full", True)
    assert processes.running(pid) and client.state(runs) == "running"
    assert (bundle.exit(), bundle.worker()) == before
    disk.free()
    client.request("resume_session", session=ended)
    client.request("reload_session", session=runs)
    assert {client.state(each) for each in (runs, ended)} == {"running"}


def test_an_exit_that_cannot_be_written_is_not_lost(
    full: tuple[DaemonProcess, Client, dict[str, str]], disk: SmallDisk
) -> None:
    """Neither when a daemon hears of it, nor when none runs, nor when one starts on the full disk."""
    daemon, client, sessions = full
    one, two, three = (sessions[name] for name in ("one", "two", "three"))
    os.kill(program(client, one), signal.SIGUSR1)
    assert client.event("session_exited", session=one)["exit"]["code"] == 7
    pids = {session: program(client, session) for session in (two, three)}
    daemon.kill()
    os.kill(pids[two], signal.SIGUSR1)
    wait_until(lambda: not processes.running(pids[two]), LIMIT_S, "the end of two")
    again = daemon.start().client()
    again.until(lambda: [again.state(each) for each in (one, two, three)] == ["exited", "exited", "running"], LIMIT_S)
    assert [again.sessions[each]["exit"]["code"] for each in (one, two)] == [7, 7]
    assert Bundle(daemon.home.bundle(two)).exit() is None
    disk.free()
    for session in (one, two):
        bundle = Bundle(daemon.home.bundle(session))
        wait_until(lambda bundle=bundle: bundle.exit() is not None and not bundle.lock_held(), LIMIT_S, "exit.json")
    last = daemon.restart().client()
    assert [last.state(each) for each in (one, two, three)] == ["exited", "exited", "running"]
    assert [last.sessions[each]["exit"]["code"] for each in (one, two)] == [7, 7]


def test_a_screen_that_cannot_be_written_costs_only_itself(cold: DaemonProcess, disk: SmallDisk) -> None:
    client = cold.start().client()
    session = client.spawn("cat")["id"]
    bundle = Bundle(cold.home.bundle(session))
    stream = client.attach(session)
    client.type(stream, b"before\r")
    kept = wait_until(bundle.screen, LIMIT_S, "the screen on disk")
    disk.fill()
    client.type(stream, b"on a full disk\r")
    client.until_output(stream, b"on a full disk\r\non a full disk")
    assert bundle.screen() == kept
    disk.free()
    client.type(stream, b"and with space\r")
    wait_until(lambda: b"and with space" in (bundle.screen() or kept).vt, LIMIT_S, "the screen on disk")
    assert client.state(session) == "running"


def test_the_full_disk_is_told_and_its_end_too(
    full: tuple[DaemonProcess, Client, dict[str, str]], disk: SmallDisk
) -> None:
    _, client, sessions = full
    client.request("kill_session", session=sessions["one"])
    client.until(lambda: "disk_full" in [each["code"] for each in client.conditions], LIMIT_S)
    status = client.request("get_status")
    assert status["store"]["state"] == "degraded"
    disk.free()
    client.until(lambda: not client.conditions, LIMIT_S)
    assert client.request("get_status")["store"]["state"] == "ok"


def test_an_empty_disk_is_no_first_start(cold: DaemonProcess, disk: SmallDisk) -> None:
    """Started on a full disk, a daemon makes no empty database that a later start would believe."""
    cold.home.root.mkdir(mode=0o700)
    disk.fill()
    process = cold.launch()
    wait_until(lambda: process.poll() is not None or cold.answers(), LIMIT_S, "a daemon, or its refusal")
    process.kill()
    process.wait()
    disk.free()
    assert not cold.home.database.exists() or cold.home.database.stat().st_size > 0
    assert cold.start().client().sessions == {}
