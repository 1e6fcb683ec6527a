"""Workers are found, proved to be the right ones, and asked again."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from attn.bundle import identity
from attn.bundle.records import WorkerRecord
from attn.daemon.handlers.desk import Desk
from attn.daemon.lifecycle import reaching
from attn.daemon.lifecycle.reaching import Reached
from attn.daemon.sessions.live import Session, now_ms
from attn.errors import AttnError
from attn.wire import framing, worker_api
from attn.worker.program.ending import LADDER
from attn.worker.server import LEAVE_MS
from tests.daemon.lifecycle.test_lifecycle import wish
from tests.daemon.scripted import ScriptedWorker
from tests.daemon.test_hub import add

Json = dict[str, Any]


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


async def test_a_worker_is_found_where_it_listens(desk: Desk, tmp_path: Path) -> None:
    """$XDG_RUNTIME_DIR of this daemon need not be that of the one that started the worker."""
    session = await desk.lifecycle.spawn(wish("cat"))
    assert session.link is not None
    session.link.close()
    session.link = None
    desk.hub.home = replace(desk.hub.home, sockets=tmp_path)
    assert await desk.lifecycle.reach(session)


async def test_a_worker_on_its_way_is_not_lost(desk: Desk) -> None:
    session = add(desk.hub, created_at_ms=now_ms())
    assert not await desk.lifecycle.reach(session)
    assert session.state == "unreachable"


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


def test_removing_outlasts_the_kill_ladder() -> None:
    ladder_ms = sum(grace_ms for _, grace_ms in LADDER)
    assert ladder_ms + LEAVE_MS < reaching.LEAVE_LIMIT_S * 1000


def listening(desk: Desk, session: Session, **fields: Any) -> None:
    """worker.json names this very process as the worker, with `fields` otherwise."""
    me = os.getpid()
    facts = {"pid": me, "start_time": identity.start_time(me), "boot_id": identity.boot_id(), **fields}
    record = WorkerRecord(
        socket=str(desk.hub.home.root / session.id), protocol_min=1, protocol_max=1, build="", snapshot_format="",
        child_pid=1, **facts,
    )  # fmt: skip
    session.bundle.write_worker(record)


async def test_the_process_that_worker_json_names_is_believed(desk: Desk) -> None:
    session = add(desk.hub)
    listening(desk, session)
    async with ScriptedWorker(desk.hub.home.root / session.id):
        assert await desk.lifecycle.reach(session)
    assert session.state == "running" and session.pid == 42


@pytest.mark.parametrize("forged", [{"pid": os.getppid()}, {"start_time": 1}, {"boot_id": "another boot"}])
async def test_a_process_that_is_not_the_worker_is_not_spoken_to(desk: Desk, forged: Json) -> None:
    """A reused pid, a socket that somebody else took, a bundle of before the reboot."""
    session = add(desk.hub)
    listening(desk, session, **forged)
    lock = session.bundle.acquire_lock()
    async with ScriptedWorker(desk.hub.home.root / session.id) as worker:
        assert not await desk.lifecycle.reach(session)
        assert worker.requests == [] and session.state == "unreachable"
    os.close(lock)


LIES: list[tuple[str, Json]] = [
    ("hello", {"session_id": "zzzzzzzzzz", "build": "b", "pid": 41, "features": []}),
    ("hello", {"session_id": "abcdefghij", "build": "b", "pid": "many", "features": []}),
    ("hello", {"session_id": "abcdefghij", "build": "b", "pid": 41, "features": 7}),
    ("hello", {"code": "wrong_daemon", "message": "not yours"}),
    ("info", {"pid": None, "rows": 1, "cols": 1, "offset": 0, "exit": None}),
    ("info", {"pid": 1, "rows": 1, "cols": 1, "offset": "x", "exit": None}),
    ("info", {"pid": 1, "rows": 1, "cols": 1, "offset": 0, "exit": {"code": 0}}),
    ("info", {}),
]


@pytest.mark.parametrize(("method", "answer"), LIES)
async def test_a_worker_that_lies_is_unreachable_and_nothing_worse(desk: Desk, method: str, answer: Json) -> None:
    session = add(desk.hub)
    lock = session.bundle.acquire_lock()
    path = desk.hub.home.worker_socket(session.id)
    async with ScriptedWorker(path) as worker:
        worker.answers["hello"] = lambda params: {"session_id": session.id, "build": "b", "pid": 41, "features": []}
        worker.answers[method] = lambda params: answer
        assert not await desk.lifecycle.reach(session)
    assert (session.state, session.link) == ("unreachable", None)
    os.close(lock)


def talker(said: bytes) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """Something that listens, says `said` and nothing more."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        while await reader.read(1 << 16):
            continue
        writer.close()

    return talk


NONSENSE = [
    framing.encode(worker_api.RESPONSE, b"[1,2]"),
    framing.encode(worker_api.RESPONSE, b'{"id":1,"ok":"no"}'),
    framing.encode(worker_api.RESPONSE, b'{"id":1,"error":"no"}'),
    framing.encode(worker_api.RESPONSE, b'{"id":{}}'),
    framing.encode(worker_api.RESPONSE, b"\0" * 50)[:20],
    b"\xff" * 9,
]


@pytest.mark.parametrize("said", NONSENSE)
async def test_a_worker_that_talks_nonsense_delays_nobody(desk: Desk, said: bytes) -> None:
    session = add(desk.hub)
    lock = session.bundle.acquire_lock()
    server = await asyncio.start_unix_server(talker(said), desk.hub.home.worker_socket(session.id))
    async with asyncio.timeout(10):
        assert not await desk.lifecycle.reach(session)
    assert session.state == "unreachable"
    server.close()
    os.close(lock)


async def test_what_is_said_before_the_greeting_is_not_heard(desk: Desk) -> None:
    session = add(desk.hub)
    lock = session.bundle.acquire_lock()
    said = framing.encode(worker_api.EVENT, b'{"event":"exit","code":0,"signal":null,"at_ms":1}')
    said += framing.encode(worker_api.OUTPUT, worker_api.pack_output(0, b"x"))
    server = await asyncio.start_unix_server(talker(said), desk.hub.home.worker_socket(session.id))
    assert not await desk.lifecycle.reach(session)
    assert session.state == "unreachable" and session.exit is None and session.offset == 0
    server.close()
    os.close(lock)


async def test_nobody_listens(desk: Desk) -> None:
    """A socket that was bound and never served, as of a worker that was killed at once."""
    session = add(desk.hub, argv=["/no/such/program"])
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(desk.hub.home.worker_socket(session.id)))
    assert not await desk.lifecycle.reach(session)
    assert session.state == "lost" and not desk.hub.home.worker_socket(session.id).exists()
