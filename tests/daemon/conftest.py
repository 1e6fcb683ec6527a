"""A whole hub without sockets: real files, real workers on demand, clients that record."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from attn.bundle import identity
from attn.bundle.bundle import list_bundles
from attn.bundle.records import WorkerRecord
from attn.config import Config
from attn.daemon import startup
from attn.daemon.auth import Logins
from attn.daemon.handlers.desk import Desk
from attn.daemon.hub import Hub
from attn.daemon.lifecycle.lifecycle import Lifecycle
from attn.daemon.sessions.index import Index
from attn.daemon.startup import LoginEnvironment
from attn.daemon.store.keeper import StoreKeeper
from attn.daemon.workers.spawner import Spawner
from attn.paths import Home


@pytest.fixture
def home() -> Iterator[Home]:
    """A home with a name that is short enough for its sockets; its workers are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="ah-", ignore_cleanup_errors=True) as name:
        made = Home(root=Path(name), sockets=Path(name) / "s", is_default=False)
        startup.prepare_home(made)
        yield made
        for bundle in list_bundles(made.run):
            worker = bundle.worker()
            if worker is not None and bundle.lock_held() and _is_worker(worker):
                for pid in (worker.child_pid, worker.pid):
                    with contextlib.suppress(ProcessLookupError):  # it ended by itself a moment ago
                        os.kill(pid, signal.SIGKILL)


def _is_worker(worker: WorkerRecord) -> bool:
    """Tests write records of processes that are none; this very process among them."""
    try:
        name = Path(f"/proc/{worker.pid}/comm").read_text().strip()
    except FileNotFoundError:
        return False
    return name == identity.WORKER_NAME and identity.same_process(worker.pid, worker.start_time, worker.boot_id)


@pytest.fixture
async def desk(home: Home) -> AsyncIterator[Desk]:
    """What handlers work with; recovery is over."""
    keeper = StoreKeeper(home, ephemeral=True)
    await keeper.open()
    index = Index(keeper)
    hub = Hub(home, "testdaemon", 4321, index, clipboard=False)
    index.sessions = lambda: hub.sessions.values()
    spawner = Spawner(lambda state: None)
    login: asyncio.Future[LoginEnvironment] = asyncio.get_running_loop().create_future()
    login.set_result(LoginEnvironment({"PATH": os.environ["PATH"], "HOME": str(home.root), "SHELL": "/bin/sh"}, 0o022))
    lifecycle = Lifecycle(hub, Config(), spawner, login)
    hub.caretaker = lifecycle
    hub.recovered({})
    yield Desk(hub, lifecycle, Logins(), login)
    spawner.close()
    await hub.close()
    await keeper.close()
    for child in spawner._children:
        child.kill()
        child.wait()
