"""Sessions begin and end, with real workers started without a spawner."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from attn.daemon.handlers.desk import Desk
from attn.daemon.sessions import lifecycle as module
from attn.daemon.sessions.live import now_ms
from attn.errors import AttnError
from attn.wire.client_requests import SpawnSession
from attn.wire.client_views import ExitView
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


def test_directories_are_checked(tmp_path: Path) -> None:
    login = {"HOME": str(tmp_path)}
    assert module._directory(None, login) == str(tmp_path)
    assert module._directory(f"{tmp_path}//", login) == str(tmp_path)
    for wanted, code in (("x/y", "directory_missing"), (f"{tmp_path}/no", "directory_missing"),
                         ("/etc/hostname", "not_a_directory"), ("/tmp/\0", "directory_missing")):  # fmt: skip
        with pytest.raises(AttnError, match=code):
            module._directory(wanted, login)
