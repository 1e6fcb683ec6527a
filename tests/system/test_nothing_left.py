"""After everything that can go wrong, and a person's own tidying up: no process, no file, nothing that doctor finds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import Any

from attn.bundle.bundle import Bundle
from tests.system import processes
from tests.system.client import Client
from tests.system.conftest import DaemonProcess
from tests.waiting import wait_until

LIMIT_S = 30.0
SEVEN = ("sh", "-c", "trap 'exit 7' USR1; echo armed; while :; do sleep 600 & wait $!; done")
GONE = ("lost", "recoverable")


def doctor(daemon: DaemonProcess) -> dict[str, Any]:
    """What `attn doctor` says."""
    run = subprocess.run(
        [*daemon.command, "doctor", "--json"], env=daemon.env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert run.stdout, run.stderr
    said: dict[str, Any] = json.loads(run.stdout)
    return said


def complaints(daemon: DaemonProcess, *but: str) -> list[dict[str, Any]]:
    """Its findings that are not ok, not about the machine that the test runs on, and not of the checks `but`."""
    left_out = {"service", "program", "config", *but}
    return [each for each in doctor(daemon)["findings"] if each["level"] != "ok" and each["check"] not in left_out]


def liked(daemon: DaemonProcess, *but: str) -> None:
    """Until doctor has nothing to say beside the checks `but`, or fail with what it says."""
    try:
        wait_until(lambda: not complaints(daemon, *but), LIMIT_S, "a home that doctor likes")
    except AssertionError:
        assert complaints(daemon, *but) == []


def worker_pid(daemon: DaemonProcess, session: str) -> int:
    worker = Bundle(daemon.home.bundle(session)).worker()
    assert worker is not None
    return worker.pid


def everything_goes_wrong(daemon: DaemonProcess) -> Client:
    """Crashes of all kinds, and sessions of all fates; the client of the last daemon."""
    client = daemon.client()
    names = ("running", "exited", "killed", "worker killed", "ended alone", "worker and daemon killed")
    ids = {name: client.spawn(*SEVEN, label=name)["id"] for name in names}
    for session in ids.values():
        client.request("wait_session", session=session, text="armed", timeout_ms=20_000)
    pids = {name: int(client.sessions[session]["pid"]) for name, session in ids.items()}
    os.kill(pids["exited"], signal.SIGUSR1)
    client.event("session_exited", session=ids["exited"])
    client.request("kill_session", session=ids["killed"])
    os.kill(worker_pid(daemon, ids["worker killed"]), signal.SIGKILL)
    client.until(lambda: client.state(ids["worker killed"]) in GONE, LIMIT_S)
    spawner = processes.spawner(daemon.home)
    os.kill(spawner, signal.SIGKILL)
    client.until(lambda: "spawner_gone" in [each["code"] for each in client.conditions], LIMIT_S)
    client.spawn("cat", label="by exec")
    client.ask("spawn_session", argv=["cat"], label="cut off")
    daemon.kill()
    os.kill(pids["ended alone"], signal.SIGUSR1)
    os.kill(worker_pid(daemon, ids["worker and daemon killed"]), signal.SIGKILL)
    for name in ("ended alone", "worker and daemon killed"):
        bundle = Bundle(daemon.home.bundle(ids[name]))
        wait_until(lambda bundle=bundle: not bundle.lock_held(), LIMIT_S, f"the end of {name}")
    daemon.home.daemon_socket.unlink()
    for _ in range(3):
        daemon.start()
        daemon.client()
        daemon.kill()
    again = daemon.start().client()
    again.until(lambda: "unreachable" not in {again.state(each) for each in again.sessions}, LIMIT_S)
    assert {view["label"] for view in again.sessions.values()} >= set(names)
    return again


def test_doctor_finds_nothing_left_behind(daemon: DaemonProcess) -> None:
    client = everything_goes_wrong(daemon)
    liked(daemon, "conditions")  # that a worker was killed is told as one, and is no leftover
    for session in list(client.sessions):
        client.request("remove_session", session=session, force=True)
    liked(daemon)
    assert daemon.end() == 0
    wait_until(lambda: processes.of_home(daemon.home) == {}, LIMIT_S, "every process of this home to end")
    assert complaints(daemon) == []
    assert [path.name for path in daemon.home.run.iterdir() if path.name != "s"] == []
    sockets = [daemon.home.daemon_socket, *(daemon.home.worker_socket(each) for each in client.sessions)]
    assert [path for path in sockets if path.exists()] == []
