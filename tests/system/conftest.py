"""A real daemon with a real spawner and real workers, in a home of its own that is gone afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from attn.bundle import identity
from attn.bundle import processes as ours
from attn.bundle.bundle import list_bundles
from attn.bundle.files import BundleDamaged
from attn.paths import Home, home_from_env
from tests.system import processes, slices
from tests.system.client import Client
from tests.system.worker_client import Launcher
from tests.waiting import wait_until

START_LIMIT_S = 20.0


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How much of the long tests ran, and what they came to."""
    for line in slices.taken:
        terminalreporter.write_line(f"slice: {line}")


class DaemonProcess:
    """One home and the daemon process that serves it now."""

    def __init__(self, root: Path, env: Mapping[str, str]) -> None:
        self.env = {**os.environ, "ATTN_HOME": str(root), **env}
        self.home: Home = home_from_env(self.env)
        self.process: subprocess.Popen[bytes] | None = None
        self.errors = root.with_name(f"{root.name}.err")
        self.clients: list[Client] = []
        self.before_exec: Callable[[], None] | None = None
        self.command = [sys.executable, "-I", "-m", "attn"]

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def launch(self, *options: str) -> subprocess.Popen[bytes]:
        """Exec a daemon, without waiting for it."""
        with self.errors.open("ab") as errors:
            return subprocess.Popen(
                [*self.command, "daemon", "run", *options],
                env=self.env, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, start_new_session=True,
                preexec_fn=self.before_exec,
            )  # fmt: skip

    def start(self, *options: str) -> DaemonProcess:
        """A daemon that listens."""
        self.process = self.launch(*options)
        wait_until(self._listens, START_LIMIT_S, f"the daemon's socket; it said: {self.said()}")
        return self

    def _listens(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the daemon ended with {self.process.returncode}: {self.said()}"
        return self.answers()

    def answers(self) -> bool:
        """Does somebody listen on the daemon's socket?"""
        try:
            Client(self.home.daemon_socket).socket.close()
        except OSError:
            return False
        return True

    def wait_web(self) -> None:
        """Until the page is served: the last act of a start."""

        def serves() -> bool:
            try:
                with urllib.request.urlopen(
                    f"http://127.0.0.1:{self.home.port.read_text().strip()}/health", timeout=10
                ):
                    return True
            except urllib.error.HTTPError:
                return True
            except OSError:
                return False

        wait_until(serves, START_LIMIT_S, "the page")

    def said(self) -> str:
        return self.errors.read_text(errors="replace") if self.errors.exists() else ""

    def log(self) -> str:
        return self.home.daemon_log.read_text(errors="replace") if self.home.daemon_log.exists() else ""

    def client(self, *, acknowledge: bool = True) -> Client:
        """A client that said hello and knows all sessions."""
        client = Client(self.home.daemon_socket, acknowledge=acknowledge)
        self.clients.append(client)
        client.hello()
        return client

    def kill(self) -> None:
        """As a crash: SIGKILL."""
        self.end(signal.SIGKILL)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Signal the daemon and wait for its end; its exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(START_LIMIT_S)

    def restart(self) -> DaemonProcess:
        """kill -9, then a new daemon for the same home."""
        self.kill()
        return self.start()

    def close(self) -> None:
        """End everything of this home, and remove it."""
        self.end_all()
        shutil.rmtree(self.home.root.parent, ignore_errors=True)

    def end_all(self) -> None:
        """End the daemon, its clients, and every process of this home: by its environment, or by its bundle."""
        for client in self.clients:
            client.socket.close()
        if self.process is not None and self.process.poll() is None:
            self.end(signal.SIGKILL)
        for pid in {*processes.of_home(self.home), *self._named_by_bundles()}:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue  # it ended by itself

    def _named_by_bundles(self) -> Iterator[int]:
        """Workers that were not started by a daemon of ours, and their programs; by their proved identity."""
        for bundle in list_bundles(self.home.run):
            try:
                worker = bundle.worker()
            except (OSError, BundleDamaged):
                continue
            if worker is not None and identity.same_process(worker.pid, worker.start_time, worker.boot_id):
                yield from (worker.child_pid, worker.pid)


def make_daemon(env: Mapping[str, str] | None = None) -> DaemonProcess:
    """A home under a short name, without a daemon yet."""
    return DaemonProcess(Path(tempfile.mkdtemp(prefix="ah-")) / "h", env or {})


@pytest.fixture(scope="session", autouse=True)
def no_process_is_left() -> Iterator[None]:
    """Whatever the tests did to daemons, spawners and workers: none of them outlives the run."""
    yield
    wait_until(lambda: not processes.of_run(), START_LIMIT_S, "the last process of attn to end")


@pytest.fixture
def cold() -> Iterator[DaemonProcess]:
    """A home without a daemon."""
    daemon = make_daemon()
    try:
        yield daemon
    finally:
        daemon.close()


@pytest.fixture
def daemon(cold: DaemonProcess) -> DaemonProcess:
    """A running daemon."""
    return cold.start()


@pytest.fixture(scope="session", autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """After all of these tests no process of attn is left that any of them started."""
    yield
    names = frozenset({identity.DAEMON_NAME, identity.SPAWNER_NAME, identity.WORKER_NAME})

    def left() -> list[str]:
        found = []
        for process in ours.named(names):
            try:
                home = ours.environment(process.pid).get("HOME")
            except OSError:
                continue  # it ended meanwhile
            if home == os.environ["HOME"] and process.pid != os.getpid():
                found.append(f"{process.name} {process.pid}")
        return found

    wait_until(lambda: not left(), START_LIMIT_S, "the processes that the tests started to end")


@pytest.fixture(scope="module")
def launcher() -> Iterator[Launcher]:
    with tempfile.TemporaryDirectory(prefix="attn-w-") as root:
        started = Launcher(Path(root))
        yield started
        started.close()
