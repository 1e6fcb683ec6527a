"""Workers of earlier releases, by their own frozen code: today's daemon adopts and drives them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from attn.bundle.bundle import Bundle
from tests.system import processes
from tests.system.client import Refused
from tests.system.conftest import DaemonProcess
from tests.system.driving import everything_works
from tests.waiting import wait_until

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
FROZEN = sorted(path.name for path in FIXTURES.glob("worker_v*"))
SESSION = "frozen0001"


def start_frozen(daemon: DaemonProcess, version: str, *argv: str) -> Bundle:
    """A session that a worker of `version` runs in the home of `daemon`."""
    daemon.start().end()  # the home has an identity now
    bundle = Bundle(daemon.home.bundle(SESSION))
    socket = str(daemon.home.worker_socket(SESSION))
    runner, source = str(FIXTURES / "run_frozen_worker.py"), str(FIXTURES / version)
    daemon_id = daemon.home.daemon_id.read_text(encoding="ascii").strip()
    run = subprocess.run(
        [sys.executable, "-I", runner, source, str(bundle.path), socket, daemon_id, *argv],
        stdout=subprocess.PIPE, timeout=20, check=True,
    )  # fmt: skip
    assert run.stdout.startswith(b"ok "), run.stdout
    return bundle


def test_there_is_a_frozen_worker() -> None:
    assert "worker_v1" in FROZEN


@pytest.mark.parametrize("version", FROZEN)
def test_todays_daemon_drives_it(cold: DaemonProcess, version: str) -> None:
    bundle = start_frozen(cold, version, "sh", "-c", 'stty -echo; echo begun; while read x; do echo "got $x"; done')
    worker = bundle.worker()
    assert worker is not None
    client = cold.start().client()
    view = client.sessions[SESSION]
    assert (view["state"], view["pid"], view["worker_build"], view["label"]) == (
        "running", worker.child_pid, "0.1.0", "frozen",
    )  # fmt: skip

    stream = client.attach(SESSION, rows=30, cols=100)
    client.until_output(stream, b"begun")
    client.until(lambda: (client.sessions[SESSION]["rows"], client.sessions[SESSION]["cols"]) == (30, 100))
    client.type(stream, b"one\n")
    client.until_output(stream, b"got one")
    assert client.request("send_text", session=SESSION, text="two", enter=True, confirm=False)["result"] == "typed"
    client.until_output(stream, b"got two")
    assert b"got one\ngot two\n" in client.screen(SESSION)[1]

    cold.restart()
    client = cold.client()
    stream = client.attach(SESSION)
    assert b"got two" in stream.data
    client.request("kill_session", session=SESSION)
    assert client.state(SESSION) == "exited"
    wait_until(lambda: not bundle.lock_held(), 20, "the frozen worker's end")
    result, screen = client.screen(SESSION)
    assert result["source"] == "persisted" and b"got two" in screen
    assert not os.path.exists(worker.socket)


@pytest.mark.parametrize("version", FROZEN)
def test_every_method_works_with_it(cold: DaemonProcess, version: str) -> None:
    bundle = start_frozen(cold, version, "cat")
    worker = bundle.worker()
    assert worker is not None
    client = cold.start().client()
    everything_works(client, SESSION, "driven")
    again = cold.restart().client()
    everything_works(again, SESSION, "adopted")
    stream = again.attach(SESSION)
    assert stream.results[0]["format"] == worker.snapshot_format
    assert (bundle.path / "worker.err").read_bytes() == b""


@pytest.mark.parametrize("version", FROZEN)
def test_what_it_leaves_is_read(cold: DaemonProcess, version: str) -> None:
    """Its exit, its last screen in every form: written by its code, read by today's."""
    bundle = start_frozen(cold, version, "sh", "-c", "trap 'exit 7' USR1; echo last words; while :; do sleep 1; done")
    worker = bundle.worker()
    assert worker is not None
    wait_until(bundle.screen, 20, "its screen on disk")
    os.kill(worker.child_pid, signal.SIGUSR1)
    wait_until(lambda: not bundle.lock_held(), 20, "the frozen worker's end")
    client = cold.start().client()
    view = client.sessions[SESSION]
    assert (view["state"], view["exit"]["code"], view["worker_build"]) == ("exited", 7, "0.1.0")
    for form in ("text", "ansi", "cells", "html"):
        assert b"last words" in client.screen(SESSION, form)[1]
    assert b"last words" in client.attach(SESSION).data
    client.request("remove_session", session=SESSION)
    assert not bundle.path.exists()


@pytest.mark.parametrize("version", FROZEN)
def test_it_can_be_left_for_todays_worker(cold: DaemonProcess, version: str) -> None:
    bundle = start_frozen(cold, version, "cat")
    before = bundle.worker()
    client = cold.start().client()
    everything_works(client, SESSION, "old")
    client.request("reload_session", session=SESSION)
    client.until(lambda: client.sessions[SESSION]["state"] == "running")
    after = bundle.worker()
    assert before is not None and after is not None
    assert after.pid != before.pid and not processes.running(before.pid)
    assert client.sessions[SESSION]["pid"] == after.child_pid
    everything_works(client, SESSION, "new")


@pytest.mark.parametrize("version", FROZEN)
def test_without_its_socket_it_is_unreachable_and_not_lost(cold: DaemonProcess, version: str) -> None:
    """It does not know how to bind it again, as today's do; its program runs on, and nobody says otherwise."""
    bundle = start_frozen(cold, version, "cat")
    worker = bundle.worker()
    assert worker is not None
    os.unlink(worker.socket)
    client = cold.start().client()
    assert client.state(SESSION) == "unreachable"
    with pytest.raises(Refused) as refused:
        client.request("remove_session", session=SESSION, force=True)
    assert refused.value.code == "worker_unreachable"
    assert processes.running(worker.child_pid) and bundle.lock_held()
