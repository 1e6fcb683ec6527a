"""The daemon: puts its parts together, in the order in which they may depend on each other, and ends them again."""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import signal
import socket
from typing import Final

import attn
from attn import logs
from attn.bundle import identity
from attn.config import Config
from attn.daemon import auth, startup
from attn.daemon.doorway import Doorway
from attn.daemon.handlers.desk import Desk
from attn.daemon.handlers.dispatch import Dispatch
from attn.daemon.hub import Hub
from attn.daemon.lifecycle.adoption import Adoption
from attn.daemon.lifecycle.clock import WallClock
from attn.daemon.lifecycle.lifecycle import Lifecycle
from attn.daemon.peer import UnixPeer
from attn.daemon.sessions.index import Index
from attn.daemon.sessions.scrollback import ScrollbackBudget
from attn.daemon.store.conditions import StoreConditions
from attn.daemon.store.keeper import StoreKeeper
from attn.daemon.turns import ask_for_short_turns
from attn.daemon.workers.spawner import Spawner
from attn.lock import HomeLock
from attn.paths import Home

log = logging.getLogger(__name__)

# Replies that were queued when the daemon was told to stop.
FAREWELL_LIMIT_S: Final = 2.0
# A daemon runs for months: the backup that is due and the bounds of what is kept are looked after this often.
HOUSEKEEPING_EVERY_S: Final = 3600.0


def run(home: Home, config: Config, *, ephemeral: bool = False, require_store: bool = False) -> int:
    """Be the daemon of `home` until SIGTERM, SIGINT or `stop_daemon`; returns the exit status.

    ephemeral: keep the index of sessions in memory; require_store: do not start without a usable database.
    Raises AttnError when it cannot start (`home_unwritable`, `daemon_running`, `port_taken`, a code of the store).
    """
    identity.name_process(identity.DAEMON_NAME)
    umask = startup.prepare_home(home)
    lock = HomeLock(home.lock, home.daemon_socket)
    try:
        daemon_id = startup.daemon_id(home)
        logs.setup(home.daemon_log, daemon_id=daemon_id, level=config.log_level)
        ask_for_short_turns()
        token = startup.client_token(home)
        web = startup.bind_port(home, config.port)
        refuse = require_store or config.on_store_failure == "refuse"
        daemon = Daemon(home, config, daemon_id, token, web)
        asyncio.run(daemon.run(StoreKeeper(home, ephemeral=ephemeral), umask=umask, refuse=refuse))
    finally:
        lock.release()
    return 0


class Daemon:
    """One run of the daemon."""

    def __init__(self, home: Home, config: Config, daemon_id: str, token: str, web: socket.socket) -> None:
        self._home, self._config, self._web = home, config, web
        self._daemon_id, self._token = daemon_id, token
        self._port: int = web.getsockname()[1]
        self._logins = auth.Logins()
        self._doorway: Doorway | None = None
        self._web_task: asyncio.Task[None] | None = None

    async def run(self, keeper: StoreKeeper, *, umask: int, refuse: bool) -> None:
        """Start, serve until told to stop, end. Raises StoreFailure when `refuse` and there is no usable store."""
        index = Index(keeper)
        hub = Hub(self._home, self._daemon_id, self._port, index, clipboard=self._config.osc52_write)
        spawner = Spawner(lambda state: _spawner_condition(hub, state))
        spawner.start()
        index.sessions, conditions = hub.sessions.values, StoreConditions(hub, keeper)
        keeper.changed = conditions.refusing if refuse else conditions.changed
        opened = hub.start(keeper.open(), "store")
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGCHLD, spawner.reap)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, hub.stop.set)
        login = hub.start(startup.login_environment(os.environ, umask), "login environment")
        login.add_done_callback(lambda done: _login_condition(hub, done))
        lifecycle = Lifecycle(hub, self._config, spawner, login)
        hub.caretaker = lifecycle
        starting = loop.create_task(self._start(hub, lifecycle, login, opened, refuse=refuse))
        starting_or_stopped = starting, loop.create_task(hub.stop.wait())
        # A start may take as long as a disk or a worker lets it; being told to stop is heard all the while.
        await asyncio.wait(starting_or_stopped, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
        await hub.stop.wait()
        starting.cancel()
        await self._end(hub, spawner)
        if refuse:
            conditions.refuse()

    async def _start(
        self,
        hub: Hub,
        lifecycle: Lifecycle,
        login: asyncio.Task[startup.LoginEnvironment],
        opened: asyncio.Task[None],
        *,
        refuse: bool,
    ) -> None:
        """Listen, find the sessions again, then serve them; nothing of it when there is no store and we `refuse`."""
        if refuse:
            await opened
            if hub.stop.is_set():
                return
        dispatch = Dispatch(Desk(hub, lifecycle, self._logins, login))
        self._doorway = Doorway(self._home.daemon_socket, lambda: UnixPeer(dispatch.received, dispatch.gone))
        await self._doorway.open()
        hub.start(self._doorway.keep_open(), "doorway")
        self._web_task = hub.start(self._serve_web(hub, dispatch), "web")
        await opened
        await Adoption(hub, lifecycle).run()
        hub.start(hub.index.keep(), "index")
        hub.start(hub.index.keeper.watch(), "watch")
        hub.start(ScrollbackBudget(hub).watch(), "scrollback")
        hub.start(_keep_house(hub.index.keeper, lifecycle), "housekeeping")
        log.info("attn %s serves %d sessions", attn.__version__, len(hub.sessions))

    async def _serve_web(self, hub: Hub, dispatch: Dispatch) -> None:
        """aiohttp takes 300 ms to import, so that happens beside everything else."""
        http = await asyncio.to_thread(importlib.import_module, "attn.daemon.http")
        assets = await asyncio.to_thread(http.load_assets)
        hub.page_build = http.page_build(assets)
        site = http.Site(
            port=self._port, token=self._token, daemon_id=self._daemon_id, logins=self._logins,
            received=dispatch.received, gone=dispatch.gone, assets=assets,
            health=lambda: (hub.index.keeper.view(), list(hub.conditions.values())),
        )  # fmt: skip
        stop = await http.serve(site, self._web)
        try:
            await hub.stop.wait()
        finally:
            await stop()

    async def _end(self, hub: Hub, spawner: Spawner) -> None:
        """Programs and workers run on; clients get what is queued for them, for a moment."""
        log.info("stopping; %d programs run on", hub.running_count())
        if self._doorway is not None:
            self._doorway.close()
        if self._web_task is not None:
            await asyncio.wait([self._web_task], timeout=FAREWELL_LIMIT_S)
        for peer in list(hub.peers.values()):
            peer.close()
        spawner.close()
        await hub.close()
        await hub.index.saved()
        await hub.index.keeper.close()
        if self._doorway is not None:
            self._doorway.remove()


async def _keep_house(keeper: StoreKeeper, lifecycle: Lifecycle) -> None:
    clock = WallClock()
    while True:
        await keeper.back_up()
        await lifecycle.prune(by_age=clock.believed())
        await asyncio.sleep(HOUSEKEEPING_EVERY_S)


def _spawner_condition(hub: Hub, state: str) -> None:
    code, _, detail = state.partition(" ")
    for known in ("emulator_unavailable", "spawner_gone"):
        if code == known:
            hub.raise_condition(code, detail)
        else:
            hub.clear_condition(known)


def _login_condition(hub: Hub, done: asyncio.Task[startup.LoginEnvironment]) -> None:
    if not done.cancelled() and done.exception() is None and done.result().problem:
        hub.raise_condition("login_environment", done.result().problem)
