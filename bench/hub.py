"""A daemon of its own for one measurement, in a temporary home, with everything ended again afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from attn.bundle.bundle import Bundle
from attn.cli.link import Link, LinkLost
from attn.paths import Home, home_from_env
from attn.wire.client_events import Ok, SpawnResult, StatusResult
from attn.wire.client_requests import GetStatus, RemoveSession, SpawnSession

READY_TIMEOUT_S: Final = 10.0
CONNECT_EVERY_S: Final = 0.001


class Hub:
    """The home and the processes of one daemon that the bench owns."""

    def __init__(self, root: Path) -> None:
        runtime = root / "r"
        runtime.mkdir(mode=0o700)
        self.root = root
        self.env = {
            **os.environ,
            "ATTN_HOME": str(root / "home"),
            "XDG_RUNTIME_DIR": str(runtime),
            "HOME": str(root),
            "SHELL": "/bin/sh",
        }
        self.home: Home = home_from_env(self.env)
        self._daemon: subprocess.Popen[bytes] | None = None

    @property
    def daemon_pid(self) -> int:
        """The running daemon."""
        assert self._daemon is not None
        return self._daemon.pid

    def exec_daemon(self) -> None:
        """Starts the daemon and returns at once."""
        command = [sys.executable, "-I", "-m", "attn", "daemon", "run"]
        output = self.root / "daemon.out"
        with output.open("ab") as log:
            self._daemon = subprocess.Popen(
                command, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def connect(self) -> Link:
        """A greeted link, tried until somebody listens. Raises AssertionError after READY_TIMEOUT_S."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        while True:
            try:
                return Link.open(self.home.daemon_socket)
            except (OSError, LinkLost) as error:
                if time.monotonic() > deadline:
                    raise AssertionError(f"no daemon: {(self.root / 'daemon.out').read_text()[-2000:]}") from error
            time.sleep(CONNECT_EVERY_S)

    def stop_daemon(self) -> None:
        """Ends the daemon as a service manager does; the programs run on."""
        if self._daemon is not None:
            self._daemon.terminate()
            self._daemon.wait(READY_TIMEOUT_S)
            self._daemon = None

    def worker_pid(self, session: str) -> int:
        """The worker process of a session."""
        record = Bundle(self.home.bundle(session)).worker()
        assert record is not None, f"session {session} has no worker"
        return record.pid

    def web_port(self) -> int:
        """Where the page is served. Waits until the daemon says so."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not self.home.port.exists():
            assert time.monotonic() < deadline, "the daemon keeps no port"
            time.sleep(CONNECT_EVERY_S)
        return int(self.home.port.read_text())

    def remove_all(self) -> None:
        """Ends every program and forgets every session."""
        with self.connect() as link:
            link.wait_recovered(READY_TIMEOUT_S)
            for session in list(link.hello.sessions):
                link.request(RemoveSession(id=0, session=session.id, force=True), Ok)


def spawn(link: Link, *argv: str, rows: int = 40, cols: int = 120) -> SpawnResult:
    """A session that runs `argv`."""
    return link.request(SpawnSession(id=0, argv=list(argv), rows=rows, cols=cols), SpawnResult)


def status(link: Link) -> StatusResult:
    """What the daemon says of itself."""
    return link.request(GetStatus(id=0), StatusResult)


@contextmanager
def running_hub() -> Iterator[Hub]:
    """A hub whose daemon answers; its sessions, its daemon and its home are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="attn-bench-") as folder:
        hub = Hub(Path(folder))
        hub.exec_daemon()
        try:
            with hub.connect() as link:
                link.wait_recovered(READY_TIMEOUT_S)
            yield hub
        finally:
            hub.remove_all()
            hub.stop_daemon()
