"""Sessions begin and end, with real workers started without a spawner."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from attn.bundle.bundle import list_bundles
from attn.daemon.handlers.desk import Desk
from attn.daemon.lifecycle.launching import RUN_GAP_BYTES
from attn.daemon.sessions.live import Session
from attn.errors import AttnError
from attn.wire.client_events import SessionChanged, SessionExited
from attn.wire.client_requests import ReloadSession, ResumeSession, SpawnSession
from attn.wire.client_views import ExitView
from tests.daemon.test_hub import add, greeted


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


async def test_a_label_is_made_up_and_never_twice(desk: Desk) -> None:
    first = await desk.lifecycle.spawn(wish("cat", cwd="/tmp"))
    second = await desk.lifecycle.spawn(wish("cat", cwd="/tmp"))
    assert first.label == "cat-tmp" and second.label != first.label
    assert (first.order, second.order) == (0, 1)


async def test_sessions_that_start_at_once_are_told_apart(desk: Desk) -> None:
    first, second = await asyncio.gather(*(desk.lifecycle.spawn(wish("cat", cwd="/tmp")) for _ in range(2)))
    assert first.label != second.label and {first.order, second.order} == {0, 1}


async def test_a_worker_that_reports_too_late_is_shown(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    locks: list[int] = []

    async def late(record: bytes) -> tuple[int, int]:
        locks.append(list_bundles(desk.hub.home.run)[0].acquire_lock())
        raise AttnError("internal", "too late, on purpose")

    monkeypatch.setattr(desk.lifecycle._launcher._spawner, "spawn", late)
    with pytest.raises(AttnError, match="on purpose"):
        await desk.lifecycle.spawn(wish("cat"))
    (session,) = desk.hub.sessions.values()
    assert session.running
    os.close(locks[0])


async def test_an_ended_program_starts_again_under_the_same_id(desk: Desk, tmp_path: Path) -> None:
    session = await desk.lifecycle.spawn(wish("cat", cwd=str(tmp_path), env={"GIVEN": "1"}, rows=31, cols=91))
    await desk.lifecycle.kill(session)
    first = session.bundle.exit()
    resumed = await desk.lifecycle.resume(session, ResumeSession(id=1, session=session.id))
    assert resumed.session is session and resumed.missing == ["GIVEN"]
    assert (session.state, session.exit, session.cause, session.rows, session.cols) == ("running", None, None, 31, 91)
    assert session.bundle.exit() is None and first is not None and session.offset >= first.offset + RUN_GAP_BYTES
    assert session.pid is not None and os.readlink(f"/proc/{session.pid}/cwd") == str(tmp_path)
    with pytest.raises(AttnError, match="session_running"):
        await desk.lifecycle.resume(session, ResumeSession(id=1, session=session.id))
    await desk.lifecycle.kill(session)
    again = session.bundle.exit()
    assert again is not None and again.at_ms > first.at_ms


async def test_what_runs_in_the_home_that_this_one_was_copied_from_is_not_started_twice(desk: Desk) -> None:
    """Nor is anybody told to end it: as files, a copy is a session whose worker lives and has another lock."""
    runs, copy = await desk.lifecycle.spawn(wish("cat")), await desk.lifecycle.spawn(wish("cat"))
    await desk.lifecycle.kill(copy)
    assert await desk.lifecycle.worker_left(copy)
    worker = runs.bundle.worker()
    assert worker is not None
    (copy.bundle.path / "exit.json").unlink()
    copy.bundle.write_worker(worker)
    with pytest.raises(AttnError, match="copied from") as raised:
        await desk.lifecycle.resume(copy, ResumeSession(id=1, session=copy.id))
    assert "kill" not in raised.value.remedy
    await desk.lifecycle.kill(copy)
    await desk.lifecycle.remove(copy, force=False)
    assert runs.running and copy.id not in desk.hub.sessions


async def test_a_resume_that_fails_leaves_everything_as_it_was(desk: Desk, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\necho last words; exit 3\n")
    program.chmod(0o755)
    session = await desk.lifecycle.spawn(wish(str(program)))
    await session.ended.wait()
    assert await desk.lifecycle.worker_left(session)
    before = files(session), session.view()
    program.write_text("#!/no/such/interpreter\n")
    with pytest.raises(AttnError, match="agent_missing"):
        await desk.lifecycle.resume(session, ResumeSession(id=1, session=session.id))
    assert (files(session), session.view()) == before
    screen = session.bundle.screen()
    assert screen is not None and screen.text.startswith("last words") and not session.running


def files(session: Session) -> dict[str, bytes]:
    """The session's files, without the lock and what a worker noted for experts."""
    kept = ("spec.json", "meta.json", "control", "worker.json", "exit.json", "screen")
    return {path.name: path.read_bytes() for path in session.bundle.path.iterdir() if path.name in kept}


async def test_a_session_whose_next_worker_comes_late_runs(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was given up on when it had the session already: it is shown, and can be ended."""
    session = await desk.lifecycle.spawn(wish("cat"))
    await desk.lifecycle.kill(session)
    spawner = desk.lifecycle._launcher._spawner
    real = spawner.spawn

    async def late(record: bytes) -> tuple[int, int]:
        await real(record)
        raise AttnError("internal", "too late, on purpose")

    monkeypatch.setattr(spawner, "spawn", late)
    peer = greeted(desk.hub)
    with pytest.raises(AttnError, match="on purpose"):
        await desk.lifecycle.resume(session, ResumeSession(id=1, session=session.id))
    (late_task,) = [task for task in desk.hub._tasks if task.get_name() == f"late-{session.id}"]
    await asyncio.wait_for(late_task, 20)
    worker = session.bundle.worker()
    assert worker is not None and (session.state, session.pid) == ("running", worker.child_pid)
    assert not [told for told in peer.told if isinstance(told, SessionExited)]
    await desk.lifecycle.kill(session)
    assert session.exit is not None and session.exit.signal == signal.SIGHUP


async def test_a_session_of_which_only_a_row_is_left_starts_again(desk: Desk) -> None:
    session = add(desk.hub)
    desk.hub.session_ended(session, ExitView(code=0, signal=None, at_ms=1))
    await asyncio.to_thread(shutil.rmtree, session.bundle.path)
    await desk.lifecycle.resume(session, ResumeSession(id=1, session=session.id))
    assert session.state == "running" and session.bundle.spec() == session.spec
    await desk.lifecycle.kill(session)


async def test_a_silent_worker_is_looked_at_again_before_a_resume(desk: Desk) -> None:
    """It was killed by a person who was told to, and is not due to be asked for a while."""
    session, held = add(desk.hub), add(desk.hub, "bbbbbbbbbb")
    session.state = held.state = "unreachable"
    lock = held.bundle.acquire_lock()
    await desk.lifecycle.resume(session, ResumeSession(id=1, session=session.id))
    assert session.state == "running"
    with pytest.raises(AttnError, match="worker_unreachable"):
        await desk.lifecycle.resume(held, ResumeSession(id=1, session=held.id))
    os.close(lock)
    await desk.lifecycle.kill(session)


async def test_a_session_whose_intent_is_damaged_starts_again_by_its_row(desk: Desk) -> None:
    """Its worker could not tell whose it is, and would speak to nobody."""
    session = await desk.lifecycle.spawn(wish("cat"))
    await desk.lifecycle.kill(session)
    (session.bundle.path / "spec.json").write_text("{")
    await desk.lifecycle.resume(session, ResumeSession(id=1, session=session.id))
    assert session.state == "running" and session.bundle.spec() == session.spec
    await desk.lifecycle.kill(session)
    assert session.state == "exited"


async def test_a_reload_is_no_end_for_those_who_watch(desk: Desk) -> None:
    session = await desk.lifecycle.spawn(wish("cat"))
    peer, pid = greeted(desk.hub), session.pid
    await desk.lifecycle.reload(session, ReloadSession(id=1, session=session.id))
    assert session.pid not in (None, pid) and (session.cause, session.intent) == (None, None)
    assert peer.of(SessionExited) == []
    assert {message.session.state for message in peer.of(SessionChanged)} == {"running"}
    await desk.lifecycle.kill(session)
    assert len(peer.of(SessionExited)) == 1
    with pytest.raises(AttnError, match="session_ended"):
        await desk.lifecycle.reload(session, ReloadSession(id=1, session=session.id))


async def test_a_reload_that_could_not_start_again_ends_nothing(desk: Desk, tmp_path: Path) -> None:
    program = tmp_path / "program"
    shutil.copy("/bin/cat", program)
    session = await desk.lifecycle.spawn(wish(str(program)))
    await asyncio.to_thread(program.unlink)
    with pytest.raises(AttnError, match="agent_missing"):
        await desk.lifecycle.reload(session, ReloadSession(id=1, session=session.id))
    assert session.running and session.bundle.meta()[2:4] == (None, None)


async def test_a_reload_whose_second_half_fails_is_told_as_an_end(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(record: bytes) -> tuple[int, int]:
        raise AttnError("internal", "on purpose")

    session = await desk.lifecycle.spawn(wish("cat"))
    peer = greeted(desk.hub)
    monkeypatch.setattr(desk.lifecycle._launcher._spawner, "spawn", refuse)
    with pytest.raises(AttnError, match="on purpose"):
        await desk.lifecycle.reload(session, ReloadSession(id=1, session=session.id))
    assert (session.state, session.cause, session.intent) == ("exited", "reload", None)
    assert session.bundle.meta()[2:4] == ("reload", None) and len(peer.of(SessionExited)) == 1


@pytest.mark.parametrize("intent", ["kill", "remove", "reload 0", "nonsense"])
async def test_what_an_earlier_daemon_began_is_completed(desk: Desk, intent: str) -> None:
    session = await desk.lifecycle.spawn(wish("cat"))
    pid = session.pid
    session.intent = intent
    await desk.lifecycle.complete(session)
    if intent == "remove":
        assert desk.hub.sessions == {} and not session.bundle.path.exists()
    elif intent.startswith("reload"):
        assert session.running and session.pid != pid
    else:
        assert not session.running
    assert intent == "remove" or session.bundle.meta().intent is None


async def test_a_pinned_size_is_kept_with_the_session(desk: Desk) -> None:
    session = await desk.lifecycle.spawn(wish("cat"))
    await desk.lifecycle.pin(session, (33, 99))
    assert session.bundle.meta()[5:] == (33, 99)
    await desk.lifecycle.pin(session, None)
    assert session.bundle.meta()[5:] == (None, None)


async def test_a_program_that_takes_a_moment_to_end_of_its_hang_up_is_waited_for(desk: Desk) -> None:
    script = "trap 'sleep 0.5; exit' HUP; while :; do sleep 0.05; done"
    session = await desk.lifecycle.spawn(wish("sh", "-c", script))
    assert session.link is not None
    first = session.pid
    os.kill(session.link.pid, signal.SIGKILL)
    async with asyncio.timeout(20):
        await session.ended.wait()
    await desk.lifecycle.resume(session, ResumeSession(id=1, session=session.id))
    assert session.running and session.pid != first
    await desk.lifecycle.kill(session)
