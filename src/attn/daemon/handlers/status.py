"""The daemon itself: its state, its agents, paths for the new-session dialog, logins, its end."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import shutil
from pathlib import Path
from typing import Final

import attn
from attn.core import agents
from attn.daemon.handlers.desk import Desk
from attn.daemon.peer import Peer
from attn.daemon.sessions.live import now_ms
from attn.errors import AttnError
from attn.store import StoreFailure
from attn.wire import client_api
from attn.wire.client_events import AgentsResult, BackupResult, LoginResult, Ok, PathsResult, StatusResult, StopResult
from attn.wire.client_requests import (
    CompletePath,
    GetAgents,
    GetStatus,
    MakeBackup,
    NewLogin,
    SetSetting,
    StopDaemon,
    StoreRetry,
)
from attn.wire.client_views import AgentView, DaemonView

log = logging.getLogger(__name__)

PATHS_MAX: Final = 50
# Entries of one directory that are looked at.
ENTRIES_MAX: Final = 20_000
RECENT_MAX: Final = 10


async def get_status(desk: Desk, peer: Peer, message: GetStatus) -> StatusResult:
    hub = desk.hub
    daemon = DaemonView(
        pid=os.getpid(), id=hub.daemon_id, version=attn.__version__, protocol=client_api.PROTOCOL,
        url=f"http://127.0.0.1:{hub.port}/", since_ms=hub.started_at_ms,
    )  # fmt: skip
    return StatusResult(
        id=message.id, daemon=daemon, store=hub.index.keeper.view(), conditions=list(hub.conditions.values()),
        recovery=hub.recovery_view(), sessions_running=hub.running_count(), sessions_total=len(hub.sessions),
    )  # fmt: skip


async def make_backup(desk: Desk, peer: Peer, message: MakeBackup) -> BackupResult:
    _local(peer)
    await desk.hub.index.saved()
    made = await desk.hub.index.keeper.make_backup(Path(message.to) if message.to else None)
    return BackupResult(id=message.id, path=made.path, at_ms=made.at_ms, rows=made.rows)


async def get_agents(desk: Desk, peer: Peer, message: GetAgents) -> AgentsResult:
    login = (await asyncio.shield(desk.login_environment)).variables
    path, shell = login.get("PATH", os.defpath), login.get("SHELL", "")

    def look() -> list[AgentView]:
        def which(name: str) -> str | None:
            return shutil.which(name, path=path)

        return [
            AgentView(name=row.name, title=row.title, found=agents.locate(row, which, shell), install=row.install)
            for row in agents.AGENTS.values()
        ]

    return AgentsResult(id=message.id, agents=await asyncio.to_thread(look))


async def complete_path(desk: Desk, peer: Peer, message: CompletePath) -> PathsResult:
    matches = await asyncio.to_thread(_directories, message.prefix)
    return PathsResult(id=message.id, matches=matches, recent=await desk.hub.index.recent(RECENT_MAX))


def _directories(prefix: str) -> list[str]:
    """Directories that begin with `prefix`, written as the person began to write them, each with a closing slash."""
    typed, _, begun = prefix.rpartition("/")
    if "\0" in prefix or not prefix.startswith(("/", "~")):
        return []
    if prefix.startswith("~") and "/" not in prefix:
        return [f"{prefix}/"] if os.path.isdir(os.path.expanduser(prefix)) else []
    found = []
    try:
        with os.scandir(Path(f"{typed}/").expanduser()) as entries:
            for _, entry in zip(range(ENTRIES_MAX), entries, strict=False):
                shown = entry.name.startswith(begun) and (begun.startswith(".") or not entry.name.startswith("."))
                if shown and entry.is_dir():
                    found.append(f"{typed}/{entry.name}/")
    except (OSError, RuntimeError) as error:  # RuntimeError: `~nobody`
        log.debug("no completion for %r: %s", prefix, error)
    return sorted(found)[:PATHS_MAX]


async def set_setting(desk: Desk, peer: Peer, message: SetSetting) -> Ok:
    keeper = desk.hub.index.keeper
    await keeper.use(lambda store: store.settings.set(message.key, message.value))
    keeper.settings[message.key] = message.value
    desk.hub.store_changed()
    return Ok(id=message.id)


async def store_retry(desk: Desk, peer: Peer, message: StoreRetry) -> Ok:
    _local(peer)
    try:
        await desk.hub.index.keeper.retry()
    except StoreFailure as failure:
        failure.remedy = "\n".join(desk.hub.conditions[failure.code].commands)
        raise
    return Ok(id=message.id)


async def new_login(desk: Desk, peer: Peer, message: NewLogin) -> LoginResult:
    _local(peer)
    nonce = secrets.token_urlsafe(24)
    desk.logins.offer(nonce, now_ms())
    return LoginResult(id=message.id, url=f"http://127.0.0.1:{desk.hub.port}/#login={nonce}")


async def stop_daemon(desk: Desk, peer: Peer, message: StopDaemon) -> StopResult:
    _local(peer)
    desk.hub.stop.set()
    return StopResult(id=message.id, sessions_running=desk.hub.running_count())


def _local(peer: Peer) -> None:
    if peer.kind != "unix":
        raise AttnError("permission_denied", "this is only possible on the unix socket", "use the attn command")
