"""Ending and forgetting: the decision first, then the deed."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import signal
from pathlib import Path

import pytest

from attn.bundle.bundle import Bundle, list_bundles
from attn.bundle.records import Meta
from attn.bundle.removal import Removal, list_removals
from attn.daemon.handlers.desk import Desk
from attn.daemon.lifecycle import ending
from attn.daemon.sessions.live import now_ms
from attn.errors import AttnError
from attn.wire.client_views import ExitView
from tests.daemon.lifecycle.test_lifecycle import wish
from tests.daemon.test_hub import add
from tests.system.processes import running
from tests.waiting import wait_until


async def test_old_and_surplus_sessions_are_forgotten(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "ENDED_KEPT_MAX", 2)
    ages = {"aaaaaaaaaa": 10_000, "bbbbbbbbbb": 20_000, "cccccccccc": 30_000, "dddddddddd": ending.ENDED_KEPT_MS + 5000}
    for session_id, age_ms in ages.items():
        session = add(desk.hub, session_id)
        desk.hub.session_ended(session, ExitView(code=0, signal=None, at_ms=now_ms() - age_ms))
    running = add(desk.hub, "eeeeeeeeee")
    await desk.lifecycle.prune(by_age=True)
    assert set(desk.hub.sessions) == {"aaaaaaaaaa", "bbbbbbbbbb", running.id}
    assert {path.name for path in desk.hub.home.run.iterdir()} == set(desk.hub.sessions)


async def test_age_alone_forgets_only_what_ended_and_only_by_a_clock_that_is_believed(desk: Desk) -> None:
    long_ago = now_ms() - ending.ENDED_KEPT_MS - 5000
    old, interrupted = add(desk.hub, "aaaaaaaaaa"), add(desk.hub, "bbbbbbbbbb")
    desk.hub.session_ended(old, ExitView(code=0, signal=None, at_ms=long_ago))
    interrupted.state, interrupted.last_output_at_ms = "recoverable", long_ago
    await desk.lifecycle.prune(by_age=False)
    assert set(desk.hub.sessions) == {old.id, interrupted.id}
    await desk.lifecycle.prune(by_age=True)
    assert set(desk.hub.sessions) == {interrupted.id}


async def test_a_worker_that_never_came_is_lost_and_removable(desk: Desk) -> None:
    session = add(desk.hub, argv=["/no/such/program"])
    await desk.lifecycle.keep_reaching(session)
    assert session.state == "lost"
    await desk.lifecycle.remove(session, force=False)
    assert desk.hub.sessions == {}


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


async def test_the_intent_stands_on_disk_before_the_first_signal_and_is_gone_after_the_end(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await desk.lifecycle.spawn(wish("cat"))
    assert session.link is not None
    seen: list[Meta] = []
    real = session.link.call

    async def spying(method: str, params: dict[str, object], **named: float) -> dict[str, object]:
        if method == "signal":
            seen.append(session.bundle.meta())
        return await real(method, params, **named)

    monkeypatch.setattr(session.link, "call", spying)
    await desk.lifecycle.kill(session)
    assert [(meta.cause, meta.intent) for meta in seen] == [("killed", "kill")]
    assert session.bundle.meta()[2:4] == ("killed", None)


async def test_a_kill_that_failed_is_not_gone_on_with(desk: Desk) -> None:
    session = add(desk.hub)
    lock = session.bundle.acquire_lock()
    with pytest.raises(AttnError, match="worker_unreachable"):
        await desk.lifecycle.kill(session)
    with pytest.raises(AttnError, match="worker_unreachable"):
        await desk.lifecycle.remove(session, force=True)
    assert session.bundle.meta()[2:4] == (None, None)
    os.close(lock)


async def test_a_removal_that_is_cut_off_is_decided(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(removal: Removal) -> None:
        raise OSError(errno.EIO, "on purpose")

    session = await desk.lifecycle.spawn(wish("cat"))
    monkeypatch.setattr(Removal, "erase", cut)
    await desk.lifecycle.remove(session, force=True)
    run = desk.hub.home.run
    assert desk.hub.sessions == {} and list_bundles(run) == [] and await desk.hub.index.rows() == []
    assert [removal.session_id for removal in list_removals(run)] == [session.id]


async def test_kill_reaches_what_the_program_started(desk: Desk, tmp_path: Path) -> None:
    """Sessions of their own, double forks, deaf ears: the whole tree ends."""
    pids = tmp_path / "pids"
    deaf = "trap '' HUP TERM; echo $$ >>" + str(pids) + "; while :; do sleep 1000 & wait; done"
    script = f'setsid sh -c "$0" & (setsid sh -c "$0" &) ; (sh -c "$0" &) ; {deaf}'
    session = await desk.lifecycle.spawn(wish("sh", "-c", script, deaf))
    await asyncio.to_thread(
        wait_until, lambda: pids.exists() and len(pids.read_text().split()) == 4, 20, "four deaf programs"
    )
    started = [int(word) for word in pids.read_text().split()]
    await desk.lifecycle.kill(session)
    assert session.exit is not None and session.exit.signal == signal.SIGKILL
    await desk.lifecycle.worker_left(session)
    # What is dead may wait for init, which takes its time on a busy machine.
    await asyncio.to_thread(wait_until, lambda: not any(map(running, started)), 20, "the end of all of them")
