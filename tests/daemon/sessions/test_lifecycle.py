"""Sessions begin and end, with real workers started without a spawner."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from attn.bundle.bundle import Bundle, list_bundles
from attn.bundle.records import Meta
from attn.daemon.handlers.desk import Desk
from attn.daemon.sessions import lifecycle as module
from attn.daemon.sessions.lifecycle import Reached
from attn.daemon.sessions.live import Session, now_ms
from attn.errors import AttnError
from attn.wire.client_requests import SpawnSession
from attn.wire.client_views import ExitView
from attn.worker.ending import LADDER
from attn.worker.server import LEAVE_MS
from tests.daemon.test_hub import add


def wish(*argv: str, **fields: Any) -> SpawnSession:
    return SpawnSession(id=1, argv=list(argv), **fields)


async def test_a_session_from_spawn_to_removal(desk: Desk) -> None:
    session = await desk.lifecycle.spawn(wish("cat", label="mine", rows=30, cols=90, cwd="/tmp"))
    assert (session.state, session.label, session.rows, session.cols, session.spec.cwd) == (
        "running", "mine", 30, 90, "/tmp",
    )  # fmt: skip
    assert session.pid is not None and os.readlink(f"/proc/{session.pid}/cwd") == "/tmp"
    assert [row.id for row in await desk.hub.index.rows()] == [session.id]
    assert await desk.hub.index.recent(3) == ["/tmp"]
    await desk.lifecycle.rename(session, "  other ")
    assert session.bundle.meta().label == session.label == "other"
    with pytest.raises(AttnError, match="session_running"):
        await desk.lifecycle.remove(session, force=False)
    await desk.lifecycle.remove(session, force=True)
    assert not session.bundle.path.exists() and await desk.hub.index.rows() == []
    assert session.exit is not None and session.exit.signal == signal.SIGHUP


async def test_the_child_gets_the_sessions_environment(desk: Desk, tmp_path: Path) -> None:
    out = tmp_path / "env"
    session = await desk.lifecycle.spawn(
        wish("sh", "-c", f"env -0 > {out}", env={"MINE": "1"}, client_env={"LANG": "tlh", "SECRET": "x"})
    )
    await session.ended.wait()
    found = dict(entry.split("=", 1) for entry in out.read_text().split("\0") if entry)
    assert (found["ATTN_SESSION"], found["ATTN_SOCKET"]) == (session.id, str(desk.hub.home.daemon_socket))
    assert (found["MINE"], found["LANG"], found["TERM_PROGRAM"]) == ("1", "tlh", "attn")
    assert "SECRET" not in found and found["ATTN_HOME"] == str(desk.hub.home.root)
    assert b"tlh" not in (session.bundle.path / "spec.json").read_bytes()


async def test_a_label_is_made_up_and_never_twice(desk: Desk) -> None:
    first = await desk.lifecycle.spawn(wish("cat", cwd="/tmp"))
    second = await desk.lifecycle.spawn(wish("cat", cwd="/tmp"))
    assert first.label == "cat-tmp" and second.label != first.label
    assert (first.order, second.order) == (0, 1)


async def test_agents_start_as_their_row_says(desk: Desk, tmp_path: Path) -> None:
    fake = tmp_path / "claude"
    fake.write_text("#!/bin/sh\nexec cat\n")
    fake.chmod(0o755)
    desk.login_environment.result().variables["PATH"] = f"{tmp_path}:{os.environ['PATH']}"
    session = await desk.lifecycle.spawn(SpawnSession(id=1, agent="claude", args=["--verbose"], cwd="/tmp"))
    assert session.spec.agent == "claude" and session.spec.argv[0] == str(fake)
    assert session.spec.argv[1] == "--session-id" and session.spec.argv[-1] == "--verbose"
    assert session.spec.resume == {"conversation": session.spec.argv[2], "args": ["--verbose"]}


async def test_old_and_surplus_sessions_are_forgotten(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ENDED_KEPT_MAX", 2)
    ages = {"aaaaaaaaaa": 10_000, "bbbbbbbbbb": 20_000, "cccccccccc": 30_000, "dddddddddd": module.ENDED_KEPT_MS + 5000}
    for session_id, age_ms in ages.items():
        session = add(desk.hub, session_id)
        desk.hub.session_ended(session, ExitView(code=0, signal=None, at_ms=now_ms() - age_ms))
    running = add(desk.hub, "eeeeeeeeee")
    await desk.lifecycle.prune()
    assert set(desk.hub.sessions) == {"aaaaaaaaaa", "bbbbbbbbbb", running.id}
    assert {path.name for path in desk.hub.home.run.iterdir()} == set(desk.hub.sessions)


async def test_a_worker_that_never_came_is_lost_and_removable(desk: Desk) -> None:
    session = add(desk.hub)
    await desk.lifecycle.keep_reaching(session)
    assert session.state == "lost"
    await desk.lifecycle.remove(session, force=False)
    assert desk.hub.sessions == {}


async def test_a_lock_that_is_held_is_not_dead(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    session = add(desk.hub)
    lock = session.bundle.acquire_lock()
    try:
        assert not await desk.lifecycle.reach(session)
        assert session.state == "unreachable"
        for attempt in (desk.lifecycle.kill(session), desk.lifecycle.remove(session, force=True)):
            with pytest.raises(AttnError, match="worker_unreachable"):
                await attempt
        assert session.bundle.path.exists()
    finally:
        os.close(lock)


async def reached(desk: Desk) -> None:
    """Until nobody probes a worker any more."""
    while probing := [task for task in desk.hub._tasks if task.get_name().startswith("reach-")]:
        await asyncio.wait(probing, timeout=10)


async def test_a_worker_that_is_slow_to_greet_is_asked_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    connect, asked = desk.lifecycle.connect, []

    async def slow(session: Session) -> Reached:
        asked.append(session)
        if len(asked) == 1:
            raise AttnError("worker_unreachable", "on purpose")
        return await connect(session)

    monkeypatch.setattr(desk.lifecycle, "connect", slow)
    session = await desk.lifecycle.spawn(wish("cat"))
    await reached(desk)
    assert session.state == "running" and len(asked) == 2


async def test_sessions_that_start_at_once_are_told_apart(desk: Desk) -> None:
    first, second = await asyncio.gather(*(desk.lifecycle.spawn(wish("cat", cwd="/tmp")) for _ in range(2)))
    assert first.label != second.label and {first.order, second.order} == {0, 1}


async def test_a_worker_is_found_where_it_listens(desk: Desk, tmp_path: Path) -> None:
    """$XDG_RUNTIME_DIR of this daemon need not be that of the one that started the worker."""
    session = await desk.lifecycle.spawn(wish("cat"))
    assert session.link is not None
    session.link.close()
    session.link = None
    desk.hub.home = replace(desk.hub.home, sockets=tmp_path)
    assert await desk.lifecycle.reach(session)


async def test_a_full_disk_keeps_nobody_from_ending_a_program(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(bundle: Bundle, meta: Meta) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    session = await desk.lifecycle.spawn(wish("cat"))
    monkeypatch.setattr(Bundle, "write_meta", full)
    with pytest.raises(AttnError, match="No space left"):
        await desk.lifecycle.rename(session, "other")
    await desk.lifecycle.kill(session)
    assert session.state == "exited"
    await desk.lifecycle.remove(session, force=False)
    assert desk.hub.sessions == {} and not session.bundle.path.exists()


async def test_a_session_without_its_files_can_be_forgotten(desk: Desk) -> None:
    session = add(desk.hub)
    desk.hub.session_ended(session, ExitView(code=0, signal=None, at_ms=1))
    shutil.rmtree(session.bundle.path)
    await desk.lifecycle.remove(session, force=False)
    assert desk.hub.sessions == {}


async def test_a_worker_on_its_way_is_not_lost(desk: Desk) -> None:
    session = add(desk.hub, created_at_ms=now_ms())
    assert not await desk.lifecycle.reach(session)
    assert session.state == "unreachable"


async def test_a_worker_that_reports_too_late_is_shown(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    locks: list[int] = []

    async def late(record: bytes) -> tuple[int, int]:
        locks.append(list_bundles(desk.hub.home.run)[0].acquire_lock())
        raise AttnError("internal", "too late, on purpose")

    monkeypatch.setattr(desk.lifecycle._spawner, "spawn", late)
    with pytest.raises(AttnError, match="on purpose"):
        await desk.lifecycle.spawn(wish("cat"))
    (session,) = desk.hub.sessions.values()
    assert session.running
    os.close(locks[0])


def test_removing_outlasts_the_kill_ladder() -> None:
    ladder_ms = sum(grace_ms for _, grace_ms in LADDER)
    assert ladder_ms + LEAVE_MS < module.LEAVE_LIMIT_S * 1000
