"""The daemon's own requests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from attn.daemon.handlers import status
from attn.daemon.handlers.desk import Desk
from attn.errors import AttnError
from attn.store import StoreFailure
from attn.wire.client_events import StoreChanged
from attn.wire.client_requests import CompletePath, GetAgents, GetStatus, NewLogin, SetSetting, StopDaemon, StoreRetry
from tests.daemon.scripted import RecordingPeer
from tests.daemon.test_hub import add


async def test_status_counts_and_names(desk: Desk) -> None:
    add(desk.hub)
    add(desk.hub, "bbbbbbbbbb").state = "exited"
    found = await status.get_status(desk, RecordingPeer(), GetStatus(id=1))
    assert (found.sessions_running, found.sessions_total, found.store.state) == (1, 2, "ephemeral")
    assert (found.daemon.pid, found.daemon.url) == (os.getpid(), "http://127.0.0.1:4321/")


async def test_agents_are_looked_up_on_the_login_path(desk: Desk, tmp_path: Path) -> None:
    fake = tmp_path / "codex"
    fake.write_text("#!/bin/sh\n")
    fake.chmod(0o755)
    desk.login_environment.result().variables["PATH"] = str(tmp_path)
    found = {agent.name: agent for agent in (await status.get_agents(desk, RecordingPeer(), GetAgents(id=1))).agents}
    assert found["codex"].found == str(fake)
    assert found["claude"].found is None and "npm install" in found["claude"].install


async def test_paths_are_completed_as_they_were_typed(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("apple", "apricot", "banana", ".apron"):
        (tmp_path / name).mkdir()
    (tmp_path / "april").write_text("no directory")
    monkeypatch.setenv("HOME", str(tmp_path))

    async def complete(prefix: str) -> list[str]:
        return (await status.complete_path(desk, RecordingPeer(), CompletePath(id=1, prefix=prefix))).matches

    assert await complete(f"{tmp_path}/ap") == [f"{tmp_path}/apple/", f"{tmp_path}/apricot/"]
    assert await complete("~/b") == ["~/banana/"]
    assert await complete("~") == ["~/"]
    assert await complete("~/.") == ["~/.apron/"]
    for nothing in ("", "relative", "/no/such/place/x", "~nobody-here/x", "/\0"):
        assert await complete(nothing) == []


async def test_only_the_unix_socket_gives_logins_and_stops(desk: Desk) -> None:
    local, page = RecordingPeer(), RecordingPeer()
    page.kind = "web"  # type: ignore[misc]
    url = (await status.new_login(desk, local, NewLogin(id=1))).url
    assert url.startswith("http://127.0.0.1:4321/#login=") and url.partition("=")[2] in desk.logins.nonces
    for attempt in (status.new_login(desk, page, NewLogin(id=2)), status.stop_daemon(desk, page, StopDaemon(id=3))):
        with pytest.raises(AttnError, match="permission_denied"):
            await attempt
    assert not desk.hub.stop.is_set()
    await status.stop_daemon(desk, local, StopDaemon(id=4))
    assert desk.hub.stop.is_set()


async def test_a_setting_is_kept_and_told_or_refused(desk: Desk) -> None:
    keeper, peer = desk.hub.index.keeper, RecordingPeer()
    desk.hub.peers[peer.id] = peer
    await status.set_setting(desk, peer, SetSetting(id=1, key="theme", value="dark"))
    assert await keeper.use(lambda store: store.settings.all()) == {"theme": "dark"}
    assert peer.of(StoreChanged)[-1].settings == {"theme": "dark"}
    keeper.failure, keeper.state = StoreFailure("disk_full", "no space", path=desk.hub.home.database), "degraded"
    with pytest.raises(AttnError) as raised:
        await status.set_setting(desk, peer, SetSetting(id=2, key="theme", value="light"))
    assert raised.value.code == "persistence_unavailable" and "disk_full" in raised.value.message
    assert keeper.settings == {"theme": "dark"}


async def test_trying_again_in_vain_says_all_that_helps(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    hub, keeper = desk.hub, desk.hub.index.keeper
    failure = StoreFailure("missing_file", "it is gone", path=hub.home.database)
    hub.raise_condition("missing_file", "it is gone", values={"backup": "/b/copy.db"})

    async def in_vain() -> None:
        raise failure

    monkeypatch.setattr(keeper, "retry", in_vain)
    with pytest.raises(StoreFailure) as raised:
        await status.store_retry(desk, RecordingPeer(), StoreRetry(id=1))
    assert raised.value.remedy.splitlines()[0].endswith(" attn restore /b/copy.db --apply")


async def test_trying_again_is_for_the_unix_socket(desk: Desk) -> None:
    peer = RecordingPeer()
    assert (await status.store_retry(desk, peer, StoreRetry(id=1))).id == 1
    peer.kind = "web"
    with pytest.raises(AttnError):
        await status.store_retry(desk, peer, StoreRetry(id=2))
