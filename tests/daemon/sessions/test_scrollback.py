"""The scrollback of all sessions together, kept within its bound by orders to their workers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from attn.daemon.handlers.desk import Desk
from attn.daemon.hub import Hub
from attn.daemon.sessions.live import Session, now_ms
from attn.daemon.sessions.scrollback import SETTLED_MS, ScrollbackBudget
from attn.daemon.workers.link import connect
from tests.daemon.scripted import ScriptedWorker
from tests.daemon.test_hub import add

MB = 1 << 20


class Stage:
    """A hub whose sessions' workers hold scrollback."""

    def __init__(self, hub: Hub, root: Path) -> None:
        self.hub = hub
        self.root = root
        self.stack = AsyncExitStack()
        self.budget = ScrollbackBudget(hub, 100 * MB)
        self.workers: dict[str, ScriptedWorker] = {}

    async def session(self, name: str, size_bytes: int, idle_ms: int, *, takes_orders: bool = True) -> Session:
        worker = await self.stack.enter_async_context(ScriptedWorker(self.root / name))
        state = {"scrollback_bytes": size_bytes, "scrollback_compressed": 0, "scrollback_cuts": 0}
        features = ["info", "health", *(["scrollback"] if takes_orders else [])]

        def obey(params: dict[str, Any]) -> dict[str, Any]:
            if params.get("keep_bytes") is not None:
                state.update(scrollback_bytes=params["keep_bytes"], scrollback_cuts=1)
            state["scrollback_compressed"] = 1
            return {}

        worker.answers["hello"] = lambda params: {"session_id": name, "build": "b", "pid": 41, "features": features}
        worker.answers["health"] = lambda params: dict(state)
        worker.answers["scrollback"] = obey
        self.workers[name] = worker
        session = add(self.hub, name, name)
        link = await connect(worker.path, session)
        await link.hello("token", "testdaemon")
        session.linked(link, await link.call("info", {}))
        session.last_output_at_ms = now_ms() - idle_ms
        return session

    def asked(self, name: str, method: str) -> list[dict[str, Any]]:
        return [request["params"] for request in self.workers[name].requests if request["method"] == method]


@pytest.fixture
async def stage(desk: Desk, tmp_path: Path) -> AsyncIterator[Stage]:
    desk.hub.recovering = False
    stage = Stage(desk.hub, tmp_path)
    async with stage.stack:
        yield stage


async def test_below_the_bound_nobody_is_told_anything(stage: Stage) -> None:
    await stage.session("aaaaaaaaaa", 60 * MB, 5000)
    await stage.session("bbbbbbbbbb", 40 * MB, 0)
    await stage.budget.look()
    assert stage.asked("aaaaaaaaaa", "scrollback") == stage.asked("bbbbbbbbbb", "scrollback") == []
    assert "scrollback_cut" not in stage.hub.conditions


async def test_the_longest_idle_compress_and_nothing_is_lost(stage: Stage) -> None:
    await stage.session("aaaaaaaaaa", 90 * MB, 0)
    await stage.session("bbbbbbbbbb", 40 * MB, 5000)
    await stage.budget.look()
    assert stage.asked("aaaaaaaaaa", "scrollback") == []
    assert stage.asked("bbbbbbbbbb", "scrollback") == [{"compress": True}]
    await stage.budget.look()
    assert len(stage.asked("bbbbbbbbbb", "scrollback")) == 1
    assert "scrollback_cut" not in stage.hub.conditions


async def test_what_is_cut_is_said_until_the_session_is_gone(stage: Stage) -> None:
    session = await stage.session("aaaaaaaaaa", 3200 * MB, 5000)
    await stage.budget.look()
    assert stage.asked("aaaaaaaaaa", "scrollback") == [{"compress": True}, {"compress": True, "keep_bytes": 1600 * MB}]
    assert "aaaaaaaaaa" in stage.hub.conditions["scrollback_cut"].detail
    another_daemon = ScrollbackBudget(stage.hub, 100 * MB)
    stage.hub.clear_condition("scrollback_cut")
    await another_daemon.look()
    assert "scrollback_cut" in stage.hub.conditions
    del stage.hub.sessions[session.id]
    await another_daemon.look()
    assert "scrollback_cut" not in stage.hub.conditions


async def test_workers_of_before_are_left_alone(stage: Stage) -> None:
    await stage.session("aaaaaaaaaa", 900 * MB, 5000, takes_orders=False)
    await stage.budget.look()
    assert stage.asked("aaaaaaaaaa", "health") == stage.asked("aaaaaaaaaa", "scrollback") == []


async def test_a_quiet_session_is_asked_once(stage: Stage) -> None:
    await stage.session("aaaaaaaaaa", MB, SETTLED_MS + 1000)
    busy = await stage.session("bbbbbbbbbb", MB, 1000)
    for _ in range(3):
        await stage.budget.look()
    assert len(stage.asked("aaaaaaaaaa", "health")) == 1
    assert len(stage.asked("bbbbbbbbbb", "health")) == 3
    stage.workers["bbbbbbbbbb"].answers["health"] = lambda params: {"code": "internal", "message": "no"}
    await stage.budget.look()
    assert busy.link is not None
