"""The adoption truth table with real files and processes: what a starting daemon makes of every combination."""

from __future__ import annotations

import json
import os
import shutil
import signal
from typing import Any

import pytest

from attn.bundle.bundle import Bundle
from attn.bundle.records import ExitRecord, WorkerRecord
from tests.system import processes, stored_rows
from tests.system.client import Client
from tests.system.conftest import DaemonProcess
from tests.waiting import wait_until

LIMIT_S = 20.0
# Ends with code 7 on SIGUSR1.
SEVEN = ("sh", "-c", "trap 'exit 7' USR1; echo armed; while :; do sleep 600 & wait $!; done")
# Leaves a child behind that only SIGKILL ends: its worker stays for seconds after its exit is on disk.
STUBBORN = ("sh", "-c", "(trap '' HUP TERM; exec sleep 600) & echo armed; exec cat")
# A program whose worker was killed can be started again, or nothing can be said of it.
GONE = ("lost", "recoverable")


class Scene:
    """Sessions in one home, by the row of the table that they stand for."""

    def __init__(self, daemon: DaemonProcess) -> None:
        self.daemon = daemon
        self.client = daemon.client()
        self.ids: dict[str, str] = {}
        self.pids: dict[str, int] = {}

    def start(self, name: str, *argv: str, shows: bytes = b"") -> None:
        session = self.client.spawn(*argv, label=name)
        self.client.until_output(self.client.attach(session["id"]), shows)
        self.ids[name], self.pids[name] = session["id"], session["pid"]

    def bundle(self, name: str) -> Bundle:
        return Bundle(self.daemon.home.bundle(self.ids[name]))

    def worker(self, name: str) -> WorkerRecord:
        record = self.bundle(name).worker()
        assert record is not None
        return record

    def leave(self, name: str, number: int) -> None:
        """Signal the program; wait until its worker is gone."""
        os.kill(self.pids[name], number)
        wait_until(lambda: not self.bundle(name).lock_held(), LIMIT_S, f"the end of {name}")

    def lose(self, name: str) -> None:
        """SIGKILL to the worker."""
        os.kill(self.worker(name).pid, signal.SIGKILL)
        wait_until(lambda: not self.bundle(name).lock_held(), LIMIT_S, f"the worker of {name}")

    def reboot(self, name: str) -> None:
        """As if its worker belonged to an earlier boot of this machine."""
        path = self.daemon.home.bundle(self.ids[name]) / "worker.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "boot_id": "another-boot"}))

    def linger(self, name: str) -> int:
        """End the program and stop its worker between the exit on disk and its goodbye; the worker's pid."""
        worker = self.worker(name).pid
        os.kill(worker, signal.SIGTERM)
        wait_until(lambda: self.bundle(name).exit() and self.bundle(name).screen(), LIMIT_S, f"the exit of {name}")
        os.kill(worker, signal.SIGSTOP)
        assert self.bundle(name).lock_held()
        return worker

    def found(self, client: Client) -> dict[str, tuple[str, Any]]:
        """Name -> state, and its exit (code, signal) or its pid."""
        names = {session: name for name, session in self.ids.items()}
        return {names[view["id"]]: (view["state"], _end(view)) for view in client.sessions.values()}


def _end(view: dict[str, Any]) -> Any:
    return (view["exit"]["code"], view["exit"]["signal"]) if view["exit"] else view["pid"]


def _set(daemon: DaemonProcess) -> tuple[Scene, int]:
    """Every row of the table, made by real programs and real kills while no daemon runs; the stopped worker."""
    scene = Scene(daemon)
    for name in ("adopted", "orphan", "conflict", "lost", "orphan-lost", "no-bundle", "reboot-lost"):
        scene.start(name, "cat")
    for name in ("exited", "orphan-exited", "reboot-exited"):
        scene.start(name, *SEVEN, shows=b"armed")
    scene.start("draining", *STUBBORN, shows=b"armed")
    daemon.kill()
    for name in ("exited", "orphan-exited", "reboot-exited"):
        scene.leave(name, signal.SIGUSR1)
    for name in ("lost", "orphan-lost", "no-bundle", "reboot-lost"):
        scene.lose(name)
    for name in ("reboot-lost", "reboot-exited"):
        scene.reboot(name)
    shutil.rmtree(daemon.home.bundle(scene.ids["no-bundle"]))
    stopped = scene.linger("draining")
    stored_rows.forget(daemon.home, *(scene.ids[name] for name in ("orphan", "orphan-exited", "orphan-lost")))
    stored_rows.set_state(daemon.home, scene.ids["conflict"], "exited")
    return scene, stopped


def _told(found: dict[str, tuple[str, Any]]) -> dict[str, tuple[str, Any]]:
    """`recoverable` counts as lost here: both say that the worker is gone and its exit unknown."""
    return {name: ("gone", end) if state in GONE else (state, end) for name, (state, end) in found.items()}


def _expected(scene: Scene) -> dict[str, tuple[str, Any]]:
    alive = {name: ("running", scene.pids[name]) for name in ("adopted", "orphan", "conflict")}
    ended = dict.fromkeys(("exited", "orphan-exited", "reboot-exited"), ("exited", (7, None)))
    gone = dict.fromkeys(("lost", "orphan-lost", "no-bundle", "reboot-lost"), ("gone", None))
    return {**alive, **ended, **gone, "draining": ("exited", (None, signal.SIGHUP))}


def test_every_row_of_the_table(daemon: DaemonProcess) -> None:
    scene, stopped = _set(daemon)
    try:
        daemon.start()
        client = daemon.client()
        assert _told(scene.found(client)) == _expected(scene)
        assert len({view["label"] for view in client.sessions.values()}) == len(scene.ids)
        counts = client.request("get_status")["recovery"]
        told = {name: counts[name] for name in ("recovered", "recreated", "unreachable", "quarantined")}
        assert told == {"recovered": 3, "recreated": 3, "unreachable": 0, "quarantined": 0}
        assert client.request("get_status")["sessions_running"] == 3
        _attached(client, scene)
        daemon.kill()
        assert stored_rows.states(daemon.home).keys() == set(scene.ids.values())
        again = daemon.start().client()
        assert _told(scene.found(again)) == _expected(scene)
    finally:
        os.kill(stopped, signal.SIGCONT)
    wait_until(lambda: not scene.bundle("draining").lock_held(), LIMIT_S, "the worker that was stopped")
    again.request("remove_session", session=scene.ids["draining"])
    for name in ("lost", "orphan-lost", "no-bundle", "reboot-lost"):
        again.request("resume_session", session=scene.ids[name])
    for name in ("lost", "orphan-lost", "no-bundle", "reboot-lost"):
        assert scene.found(again)[name][0] == "running"
        stream = again.attach(scene.ids[name])
        again.type(stream, b"once more\r")
        again.until_output(stream, b"once more\r\nonce more")
    last = daemon.restart().client()
    assert {view["state"] for view in last.sessions.values()} == {"running", "exited"}
    assert scene.found(last).keys() == scene.ids.keys() - {"draining"}


def _attached(client: Client, scene: Scene) -> None:
    """What was adopted works; what is gone shows its last screen."""
    for name in ("adopted", "orphan", "conflict"):
        stream = client.attach(scene.ids[name])
        client.type(stream, name.encode() + b"\r")
        client.until_output(stream, name.encode() + b"\r\n" + name.encode())
    for name in ("exited", "orphan-exited", "reboot-exited", "draining"):
        stream = client.attach(scene.ids[name])
        assert stream.results[0]["source"] == "persisted" and b"armed" in stream.data


def test_without_a_database_the_bundles_say_it_all(daemon: DaemonProcess) -> None:
    scene, stopped = _set(daemon)
    try:
        for path in daemon.home.root.glob("attn.db*"):
            path.write_bytes(b"nobody can read this " * 500)
        daemon.start()
        client = daemon.client()
        expected = _expected(scene)
        del expected["no-bundle"]
        assert _told(scene.found(client)) == expected
        assert client.request("get_status")["store"]["state"] == "degraded"
        _attached(client, scene)
    finally:
        os.kill(stopped, signal.SIGCONT)


@pytest.mark.parametrize("state", ["running", "unreachable", "starting", "exited", "lost", "recoverable"])
def test_whatever_the_row_says_a_living_worker_is_adopted(daemon: DaemonProcess, state: str) -> None:
    scene = Scene(daemon)
    scene.start("alive", "cat")
    daemon.kill()
    stored_rows.set_state(daemon.home, scene.ids["alive"], state)
    client = daemon.start().client()
    assert scene.found(client) == {"alive": ("running", scene.pids["alive"])}
    assert processes.running(scene.pids["alive"])


def test_a_worker_that_hung_while_it_began_again_is_taken_over(daemon: DaemonProcess) -> None:
    """The daemon that resumed the session was killed, and the exit of the run before still stands."""
    scene = Scene(daemon)
    scene.start("again", "cat")
    worker = scene.worker("again").pid
    daemon.kill()
    os.kill(worker, signal.SIGSTOP)
    try:
        scene.bundle("again").write_exit(ExitRecord(3, None, 1, 1))
        client = daemon.start().client()
        assert scene.found(client) == {"again": ("exited", (3, None))}
    finally:
        os.kill(worker, signal.SIGCONT)
    client.until(lambda: client.state(scene.ids["again"]) == "running", LIMIT_S)
    assert scene.found(client) == {"again": ("running", scene.pids["again"])}
    stream = client.attach(scene.ids["again"])
    client.type(stream, b"works\r")
    client.until_output(stream, b"works\r\nworks")
