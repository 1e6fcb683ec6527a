"""kill -9 of a worker or of the spawner at every step of a start and of an end: no half session, no made-up exit."""

from __future__ import annotations

import json
import os
import signal

from attn.bundle.bundle import Bundle
from attn.bundle.identity import SPAWNER_NAME, WORKER_NAME
from tests.system import processes, slices
from tests.system.client import Client, Refused
from tests.system.conftest import DaemonProcess
from tests.system.kill_steps import Step, killing_at, steps_of
from tests.waiting import wait_until

LIMIT_S = 40.0
POINTS = 50
SEVEN = ("sh", "-c", "trap 'exit 7' USR1; echo armed; while :; do sleep 600 & wait $!; done")
GONE = ("lost", "recoverable")


def start(client: Client) -> str | None:
    """A session, unless its worker died first."""
    try:
        return str(client.spawn(*SEVEN)["id"])
    except Refused:
        return None


def spawner(daemon: DaemonProcess) -> int:
    """The one there is now; a daemon whose spawner was killed is started again."""
    if not processes.named(daemon.home, SPAWNER_NAME):
        daemon.restart()
        daemon.client().socket.close()
    return processes.spawner(daemon.home)


def settled(daemon: DaemonProcess, client: Client) -> None:
    """Until sessions, workers and programs tell the same story; then forget it all."""
    client.until(lambda: not {client.state(each) for each in client.sessions} & {"starting", "unreachable"}, LIMIT_S)

    def told() -> bool:
        client.request("get_status")
        running = [view for view in client.sessions.values() if view["state"] == "running"]
        found = processes.of_home(daemon.home)
        workers = [pid for pid, name in found.items() if name == WORKER_NAME]
        shells = [pid for pid, name in found.items() if name in ("sh", "dash")]
        return len(running) == len(workers) == len(shells)

    wait_until(told, LIMIT_S, f"one worker and one program for each session; now {processes.of_home(daemon.home)}")
    bundles = {path.name for path in daemon.home.run.iterdir() if path.is_dir() and path.name != "s"}
    assert bundles == client.sessions.keys()
    for session in list(client.sessions):
        client.request("remove_session", session=session, force=True)


def test_a_start_is_whole_or_not_there(daemon: DaemonProcess) -> None:
    pid = processes.spawner(daemon.home)
    client = daemon.client()
    every = steps_of(daemon, lambda: start(client), pid)
    settled(daemon, client)
    points = slices.sample("steps of a worker's start", every[:: max(1, len(every) // POINTS)], POINTS)
    told = []
    for step in points:
        pid = spawner(daemon)
        client = daemon.client()
        with killing_at(daemon, step, pid):
            session = start(client)
        with noted(step, client):
            assert session is None or client.state(session) in ("running", "unreachable", "exited", *GONE)
            told.append("refused" if session is None else client.state(session))
            settled(daemon, client)
    slices.result(f"a start has {len(every)} steps; killed at {', '.join(map(str, points))}: {' '.join(told)}")


def test_an_end_is_known_or_said_to_be_unknown(daemon: DaemonProcess) -> None:
    client = daemon.client()
    session = armed(client)
    every = steps_of(daemon, lambda: end(daemon, client, session), worker_pid(daemon, session))
    points = slices.sample("steps of a worker's end", every[:: max(1, len(every) // POINTS)], POINTS)
    told = []
    for step in points:
        session = armed(client)
        with killing_at(daemon, step, worker_pid(daemon, session)):
            end(daemon, client, session)
        with noted(step, client):
            view = client.sessions[session]
            assert (view["state"], view["exit"] and view["exit"]["code"]) in (("exited", 7), *((s, None) for s in GONE))
            kept = Bundle(daemon.home.bundle(session)).exit()
            assert view["state"] in GONE or kept is None or kept.code == 7
            told.append(view["state"])
    again = daemon.restart().client()
    assert [again.state(each) for each in again.sessions if again.state(each) == "running"] == []
    settled(daemon, again)
    slices.result(f"an end has {len(every)} steps; killed at {', '.join(map(str, points))}: {' '.join(told)}")


def armed(client: Client) -> str:
    """A session whose program ends when it is told to."""
    session = str(start(client))
    client.request("wait_session", session=session, text="armed", timeout_ms=20_000)
    return session


def worker_pid(daemon: DaemonProcess, session: str) -> int:
    worker = Bundle(daemon.home.bundle(session)).worker()
    assert worker is not None
    return worker.pid


def end(daemon: DaemonProcess, client: Client, session: str) -> None:
    """Let the program end; until its worker is gone and the daemon knows it."""
    os.kill(client.sessions[session]["pid"], signal.SIGUSR1)
    wait_until(lambda: not Bundle(daemon.home.bundle(session)).lock_held(), LIMIT_S, "the worker's end")
    client.until(lambda: client.state(session) in ("exited", *GONE), LIMIT_S)


class noted:  # noqa: N801 - reads as what it does
    """Adds to a failure where the process died."""

    def __init__(self, step: Step, client: Client) -> None:
        self.step, self.client = step, client

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, at: object) -> None:
        if error is not None:
            error.add_note(f"killed entering {self.step}; now {json.dumps(self.client.sessions, indent=1)}")
