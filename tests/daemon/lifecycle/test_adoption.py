"""What stands on disk when the daemon starts, and what becomes of it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator

import pytest

from attn.bundle import identity
from attn.bundle.records import ExitRecord, WorkerRecord
from attn.daemon.handlers.desk import Desk
from attn.daemon.lifecycle import adoption
from attn.daemon.lifecycle.adoption import Adoption
from attn.daemon.lifecycle.reaching import Reached
from attn.daemon.sessions.live import Session, now_ms
from attn.errors import AttnError
from attn.wire.client_requests import SpawnSession
from tests.daemon.scripted import bundle


@pytest.fixture
async def starting(desk: Desk) -> AsyncIterator[Desk]:
    """A daemon that has not looked yet."""
    desk.hub.recovering = True
    yield desk


def states(desk: Desk) -> dict[str, str]:
    return {session.id: session.state for session in desk.hub.sessions.values()}


async def test_a_live_worker_is_adopted_with_its_pid(desk: Desk) -> None:
    session = await desk.lifecycle.spawn(SpawnSession(id=1, argv=["cat"], label="mine"))
    assert session.link is not None
    session.link.close()
    desk.hub.sessions.clear()
    desk.hub.recovering = True
    await Adoption(desk.hub, desk.lifecycle).run()
    again = desk.hub.sessions[session.id]
    assert again is not session
    assert (again.state, again.pid, again.label) == ("running", session.pid, "mine")
    assert desk.hub.recovery == {"recovered": 1}


async def test_every_way_to_be_gone(starting: Desk) -> None:
    run = starting.hub.home.run
    ended = bundle(run, "aaaaaaaaaa", created_at_ms=now_ms())
    ended.write_exit(ExitRecord(code=4, signal=None, offset=10, at_ms=50, last_output_at_ms=45))
    (ended.path / "screen").write_bytes(b"kept")
    ended.write_worker(WorkerRecord(1, 1, "", "", 1, 1, "0.0.9", "", 2))
    here = WorkerRecord(1, 1, identity.boot_id(), "", 1, 1, "", "", 2)
    for session_id, program in (("bbbbbbbbbb", "/no/such/program"), ("cccccccccc", "/bin/cat")):
        bundle(run, session_id, argv=[program], created_at_ms=now_ms()).write_worker(here)
    bundle(run, "dddddddddd", created_at_ms=now_ms())
    held = bundle(run, "eeeeeeeeee").acquire_lock()
    (bundle(run, "ffffffffff").path / "spec.json").write_text("{")
    try:
        await Adoption(starting.hub, starting.lifecycle).run()
    finally:
        os.close(held)
    assert states(starting) == {
        "aaaaaaaaaa": "exited", "bbbbbbbbbb": "lost", "cccccccccc": "recoverable", "dddddddddd": "unreachable",
        "eeeeeeeeee": "unreachable",
    }  # fmt: skip
    view = starting.hub.sessions["aaaaaaaaaa"].view()
    assert (view.last_output_at_ms, view.snapshot, view.worker_build) == (45, True, "0.0.9")
    assert starting.hub.sessions["aaaaaaaaaa"].view().exit is not None
    assert starting.hub.recovery == {
        "recreated": 5, "exited": 1, "lost": 2, "unreachable": 2, "quarantined": 1,
    }  # fmt: skip
    condition = starting.hub.conditions["bundle_quarantined"]
    assert condition.path is not None and os.listdir(condition.path)


async def test_a_row_without_a_bundle_is_not_dropped(starting: Desk) -> None:
    gone = bundle(starting.hub.home.run, "aaaaaaaaaa", argv=["/no/such/program"])
    await Adoption(starting.hub, starting.lifecycle).run()
    session = starting.hub.sessions["aaaaaaaaaa"]
    session.state = "running"
    starting.hub.index.save(session)
    await starting.hub.index.saved()
    gone.remove()
    starting.hub.sessions.clear()
    await Adoption(starting.hub, starting.lifecycle).run()
    assert states(starting) == {"aaaaaaaaaa": "lost"}
    assert starting.hub.sessions["aaaaaaaaaa"].view().argv == ["/no/such/program"]


async def test_the_bundle_wins_over_the_row(starting: Desk) -> None:
    made = bundle(starting.hub.home.run, "aaaaaaaaaa")
    await Adoption(starting.hub, starting.lifecycle).run()
    session = starting.hub.sessions["aaaaaaaaaa"]
    made.write_meta(made.meta().__class__(label="from the bundle", order=7, cause="killed"))
    starting.hub.sessions.clear()
    await Adoption(starting.hub, starting.lifecycle).run()
    again = starting.hub.sessions["aaaaaaaaaa"]
    assert session.label != again.label == "from the bundle"
    assert (again.order, again.cause) == (7, "killed")


async def test_all_workers_are_asked_at_once(starting: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """None of them is heard before every one was asked: however many hang, they cost the time of one."""
    ids = [letter * 10 for letter in "abcd"]
    locks = [bundle(starting.hub.home.run, session_id).acquire_lock() for session_id in ids]
    asked: list[str] = []
    everybody = asyncio.Event()

    async def connect(session: Session) -> Reached:
        asked.append(session.id)
        if len(asked) == len(ids):
            everybody.set()
        await everybody.wait()
        raise AttnError("worker_unreachable", "it has nothing to say")

    monkeypatch.setattr(starting.lifecycle, "connect", connect)
    monkeypatch.setattr(adoption, "ANSWER_LIMIT_S", 3600.0)
    try:
        await asyncio.wait_for(Adoption(starting.hub, starting.lifecycle).run(), 30)
    finally:
        for lock in locks:
            os.close(lock)
    assert states(starting) == dict.fromkeys(ids, "unreachable")
