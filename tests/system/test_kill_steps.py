"""kill -9 of the daemon at every step of what changes a session: what it began is whole or not there."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from attn.bundle.bundle import Bundle, list_bundles
from attn.bundle.files import BundleDamaged
from attn.bundle.identity import WORKER_NAME
from tests.system import processes, slices, stored_rows
from tests.system.client import Client, Closed
from tests.system.conftest import DaemonProcess
from tests.system.kill_steps import killed_at, steps_of
from tests.waiting import wait_until

LIMIT_S = 40.0
POINTS = 50
# A program with a child, so that an orphan would be seen. Its name in the process table is its own.
PROGRAM = ("sh", "-c", "sleep 77777 & exec sleep 88888")


@dataclass
class Trial:
    """One daemon and the session that the operation is about."""

    daemon: DaemonProcess
    session: str = ""

    def prepare(self, client: Client, *, ended: bool) -> None:
        """The session, running or `ended` by a person."""
        self.session = client.spawn(*PROGRAM, label="before")["id"]
        if ended:
            client.request("kill_session", session=self.session)
            bundle = Bundle(self.daemon.home.bundle(self.session))
            wait_until(lambda: not bundle.lock_held(), LIMIT_S, "its worker's end")

    def ask(self, kind: str, **fields: object) -> None:
        """The operation: a request whose daemon may die before it answers."""
        try:
            with Client(self.daemon.home.daemon_socket) as client:
                client.hello()
                client.request(kind, **fields)
        except (Closed, ConnectionError):
            return  # as intended


def spawn(trial: Trial) -> None:
    trial.ask("spawn_session", argv=list(PROGRAM), label="fresh")


def rename(trial: Trial) -> None:
    trial.ask("rename_session", session=trial.session, label="after")


def kill(trial: Trial) -> None:
    trial.ask("kill_session", session=trial.session)


def remove(trial: Trial) -> None:
    trial.ask("remove_session", session=trial.session, force=True)


def resume(trial: Trial) -> None:
    trial.ask("resume_session", session=trial.session)


def reload(trial: Trial) -> None:
    trial.ask("reload_session", session=trial.session)


def _settled(trial: Trial, client: Client) -> None:
    """Until nothing is in between any more: what the last daemon had set out to do is done, and told."""
    client.until(lambda: not {client.state(each) for each in client.sessions} & {"starting", "unreachable"}, LIMIT_S)
    wait_until(lambda: not _intents(trial.daemon), LIMIT_S, "what was begun to be completed")
    client.request("get_status")  # whatever came of it was told before this answer


def _intents(daemon: DaemonProcess) -> list[str]:
    found = []
    for bundle in list_bundles(daemon.home.run):
        try:
            found.append(bundle.meta().intent)
        except (FileNotFoundError, BundleDamaged):
            continue  # it is being taken away
    return [intent for intent in found if intent]


def _whole(trial: Trial, client: Client) -> None:
    """Rows, bundles, workers and programs tell the same story."""
    home = trial.daemon.home
    running = {view["id"]: view["pid"] for view in client.sessions.values() if view["state"] == "running"}

    def consistent() -> bool:
        found = processes.of_home(home)
        workers = [pid for pid, name in found.items() if name == WORKER_NAME]
        programs = {pid for pid, name in found.items() if name == "sleep"}
        return len(workers) == len(running) and len(programs) == 2 * len(running) >= len(set(running.values()))

    wait_until(consistent, LIMIT_S, f"{len(running)} workers and programs; there are {processes.of_home(home)}")

    def bundles() -> set[str]:
        return {path.name for path in home.run.iterdir() if path.is_dir() and path.name != "s"}

    # A removal is told when it is decided, and its traces go after that.
    wait_until(lambda: bundles() == client.sessions.keys(), LIMIT_S, f"only bundles of sessions; there are {bundles()}")
    for session in client.sessions:
        bundle = Bundle(home.bundle(session))
        assert bundle.meta().label == client.sessions[session]["label"]
        assert bundle.lock_held() == (session in running)


def after_spawn(trial: Trial, client: Client) -> None:
    """It is not there, or it runs, or it waits to be started: its worker never came, and all of its intent is kept."""
    states = {view["label"]: view["state"] for view in client.sessions.values()}
    assert states.pop("before") == "running"
    assert states in ({}, {"fresh": "running"}, {"fresh": "recoverable"})


def after_rename(trial: Trial, client: Client) -> None:
    assert client.sessions[trial.session]["label"] in ("before", "after")
    assert client.state(trial.session) == "running"


def after_kill(trial: Trial, client: Client) -> None:
    cause = Bundle(trial.daemon.home.bundle(trial.session)).meta().cause
    assert (client.state(trial.session), cause) in (("running", None), ("exited", "killed"))


def after_remove(trial: Trial, client: Client) -> None:
    """Not begun, or all gone: what was to be removed does not stay as something that ended by itself."""
    client.until(lambda: trial.session not in client.sessions or client.state(trial.session) == "running", LIMIT_S)


def after_resume(trial: Trial, client: Client) -> None:
    """It runs again, or everything is as it was: its exit and the way to start it."""
    view = client.sessions[trial.session]
    if view["state"] != "running":
        assert (view["state"], view["exit"]["signal"], view["recoverable"]) == ("exited", signal.SIGHUP, True)


def after_reload(trial: Trial, client: Client) -> None:
    """A person who reloads wants it to run."""
    client.until(lambda: client.state(trial.session) == "running", LIMIT_S)


ENDED_BEFORE = ("resume",)
OPERATIONS: dict[str, tuple[Callable[[Trial], None], Callable[[Trial, Client], None]]] = {
    "spawn": (spawn, after_spawn),
    "rename": (rename, after_rename),
    "kill": (kill, after_kill),
    "remove": (remove, after_remove),
    "resume": (resume, after_resume),
    "reload": (reload, after_reload),
}


@pytest.mark.parametrize("name", list(OPERATIONS))
def test_what_was_begun_is_whole_or_not_there(cold: DaemonProcess, name: str) -> None:
    operation, check = OPERATIONS[name]
    trial = Trial(cold)
    ended = name in ENDED_BEFORE
    trial.prepare(cold.start().client(), ended=ended)
    every = steps_of(cold, lambda: operation(trial))
    assert every
    _end_all(cold.client())
    points = slices.sample(f"steps of {name}", every[:: max(1, len(every) // POINTS)], 5)
    missed = []
    for step in points:
        trial.prepare(cold.client(), ended=ended)
        if not killed_at(cold, step, lambda: operation(trial)):
            missed.append(str(step))
            cold.kill()
        client = cold.start().client()
        try:
            _settled(trial, client)
            check(trial, client)
            _whole(trial, client)
        except BaseException as error:
            error.add_note(f"the daemon died entering {step}; now {json.dumps(client.sessions, indent=1)}")
            raise
        _end_all(client)
    assert cold.end() == 0 and stored_rows.states(cold.home) == {}
    slices.result(
        f"{name} has {len(every)} steps; killed at {', '.join(map(str, points))}; not reached again: {missed}"
    )


def _end_all(client: Client) -> None:
    for session in list(client.sessions):
        client.request("remove_session", session=session, force=True)
    client.socket.close()
