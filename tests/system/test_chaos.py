"""A long seeded run of everything at once: sessions begin and end, processes die, and the hub tells the truth."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from attn.bundle.bundle import Bundle
from attn.bundle.identity import SPAWNER_NAME, WORKER_NAME
from tests.system import processes, slices
from tests.system.client import Client
from tests.system.conftest import DaemonProcess
from tests.system.test_nothing_left import liked
from tests.waiting import wait_until

LIMIT_S = 40.0
SESSIONS_MAX = 8
SEVEN = ("sh", "-c", "trap 'exit 7' USR1; echo armed; while :; do sleep 600 & wait $!; done")
SEEDS = slices.sample("runs of chaos", [f"run {number}" for number in range(12)], 2)


@dataclass
class Expected:
    """What must be true of one session."""

    label: str
    pid: int | None
    exit: tuple[int | None, int | None] | None = None
    """Code and signal of an end that is known; with neither this nor `pid` its worker was killed."""


@dataclass
class Chaos:
    """The hub, and what must be true of it."""

    daemon: DaemonProcess
    name: str
    sessions: dict[str, Expected] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dice = slices.dice(self.name)
        self.client: Client = self.daemon.client()

    def one(self, *, running: bool) -> str | None:
        fitting = [session for session, expected in self.sessions.items() if (expected.pid is not None) == running]
        return self.dice.choice(fitting) if fitting else None

    def worker(self, session: str) -> int:
        record = Bundle(self.daemon.home.bundle(session)).worker()
        assert record is not None
        return record.pid

    def left(self, session: str) -> None:
        bundle = Bundle(self.daemon.home.bundle(session))
        wait_until(lambda: not bundle.lock_held(), LIMIT_S, f"the worker of {session}")

    # -- what a person does

    def spawn(self) -> None:
        if len(self.sessions) < SESSIONS_MAX:
            label = f"number {len(self.done)}"
            view = self.client.spawn(*SEVEN, label=label)
            self.sessions[view["id"]] = Expected(label, view["pid"])
            self.client.request("wait_session", session=view["id"], text="armed", timeout_ms=30_000)

    def rename(self) -> None:
        if session := self.one(running=self.dice.random() < 0.5):
            self.sessions[session].label = f"renamed {len(self.done)}"
            self.client.request("rename_session", session=session, label=self.sessions[session].label)

    def kill(self) -> None:
        if session := self.one(running=True):
            self.client.request("kill_session", session=session)
            self.sessions[session].pid, self.sessions[session].exit = None, (None, signal.SIGHUP)

    def remove(self) -> None:
        if session := self.one(running=self.dice.random() < 0.3):
            self.client.request("remove_session", session=session, force=True)
            del self.sessions[session]

    def resume(self) -> None:
        if session := self.one(running=False):
            self.runs_again(session, self.client.request("resume_session", session=session)["session"])

    def reload(self) -> None:
        if session := self.one(running=True):
            self.runs_again(session, self.client.request("reload_session", session=session)["session"])

    def runs_again(self, session: str, view: dict[str, object]) -> None:
        assert view["pid"] != self.sessions[session].pid
        self.sessions[session].pid, self.sessions[session].exit = int(str(view["pid"])), None
        assert view["state"] == "running"

    # -- what happens to it

    def program_ends(self) -> None:
        """Once it is sure that the trap is set, also in a program that was started again."""
        if session := self.one(running=True):
            pid = self.sessions[session].pid
            assert pid is not None
            wait_until(lambda: _caught(pid, signal.SIGUSR1), LIMIT_S, "the trap of the program")
            os.kill(pid, signal.SIGUSR1)
            self.left(session)
            self.sessions[session].pid, self.sessions[session].exit = None, (7, None)

    def worker_dies(self) -> None:
        if session := self.one(running=True):
            pid = self.sessions[session].pid
            os.kill(self.worker(session), signal.SIGKILL)
            self.left(session)
            assert pid is not None
            wait_until(lambda: not processes.running(pid), LIMIT_S, "the program's hang-up")
            self.sessions[session].pid = None

    def spawner_dies(self) -> None:
        for pid in processes.named(self.daemon.home, SPAWNER_NAME):
            os.kill(pid, signal.SIGKILL)

    def daemon_dies(self) -> None:
        """And meanwhile other things happen."""
        self.daemon.kill()
        for _ in range(self.dice.randrange(3)):
            self.dice.choice((self.program_ends, self.worker_dies, self.socket_goes))()
        self.client = self.daemon.start().client()

    def daemon_stops(self) -> None:
        assert self.daemon.end() == 0
        self.client = self.daemon.start().client()

    def socket_goes(self) -> None:
        """A worker's while nobody is connected to it; it is looked for every few seconds."""
        if (session := self.one(running=True)) and self.daemon.process and self.daemon.process.poll() is not None:
            self.daemon.home.worker_socket(session).unlink(missing_ok=True)

    def worker_hangs(self) -> None:
        if session := self.one(running=True):
            pid = self.worker(session)
            os.kill(pid, signal.SIGSTOP)
            self.daemon.kill()
            self.client = self.daemon.start().client()
            assert self.client.state(session) == "unreachable"
            os.kill(pid, signal.SIGCONT)

    # -- what must be true

    def true(self) -> bool:
        views = self.client.sessions
        return views.keys() == self.sessions.keys() and all(
            _fits(views[session], expected) for session, expected in self.sessions.items()
        )

    def check(self) -> None:
        try:
            self.client.until(self.true, LIMIT_S)
        except TimeoutError:
            wrong = {each: view for each, view in self.client.sessions.items() if not _fits(view, self.sessions[each])}
            assert wrong == {each: self.sessions[each] for each in wrong}, "shown, and expected"
            assert self.client.sessions.keys() == self.sessions.keys()
        running = [expected.pid for expected in self.sessions.values() if expected.pid is not None]
        assert [pid for pid in running if not processes.running(pid)] == []
        # A worker whose program ended stays for a second, for whoever asks.
        wait_until(lambda: len(processes.named(self.daemon.home, WORKER_NAME)) == len(running), LIMIT_S, "the workers")


def _fits(view: dict[str, object], expected: Expected) -> bool:
    ended = view["exit"]
    told = (ended["code"], ended["signal"]) if isinstance(ended, dict) else None
    state = "running" if expected.pid is not None else "exited" if expected.exit else "recoverable"
    return (view["state"], view["pid"], told, view["label"]) == (state, expected.pid, expected.exit, expected.label)


def _caught(pid: int, number: int) -> bool:
    """Has the process a handler for the signal? (SigCgt of proc_pid_status(5).)"""
    with open(f"/proc/{pid}/status") as status:
        mask = next(line.split()[1] for line in status if line.startswith("SigCgt:"))
    return bool(int(mask, 16) >> (number - 1) & 1)


STEPS = (
    *(Chaos.spawn, Chaos.spawn, Chaos.rename, Chaos.kill, Chaos.remove, Chaos.resume, Chaos.resume, Chaos.reload),
    *(Chaos.program_ends, Chaos.worker_dies, Chaos.spawner_dies, Chaos.daemon_dies, Chaos.daemon_dies),
    *(Chaos.daemon_stops, Chaos.worker_hangs),
)


@pytest.mark.parametrize("name", SEEDS)
def test_the_hub_tells_the_truth_whatever_happens(daemon: DaemonProcess, name: str) -> None:
    chaos = Chaos(daemon, name)
    try:
        for _ in range(60 if slices.FULL else 30):
            step: Callable[[Chaos], None] = chaos.dice.choice(STEPS)
            chaos.done.append(step.__name__)
            step(chaos)
            chaos.check()
        liked(daemon, "conditions")  # what cannot be known of a session is told as one, and is no leftover
        for session in list(chaos.sessions):
            chaos.client.request("remove_session", session=session, force=True)
        liked(daemon, "conditions")
    except BaseException as error:
        error.add_note(f"after {' '.join(chaos.done)}")
        raise
    assert daemon.end() == 0
    wait_until(lambda: processes.of_home(daemon.home) == {}, LIMIT_S, "every process to end")
