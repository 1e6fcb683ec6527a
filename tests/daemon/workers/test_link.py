"""One connection to one worker: order, time limits, broken peers."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from attn.daemon.workers.link import WorkerLink, connect
from attn.errors import AttnError
from attn.wire import framing, worker_api
from tests.daemon.scripted import ScriptedWorker


class Owner:
    """Notes what a link says, in order."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.lost = asyncio.Event()
        self.news = asyncio.Event()

    def on_output(self, offset: int, data: bytes) -> None:
        self.heard.append((offset, data))

    def on_event(self, event: dict[str, Any]) -> None:
        self.heard.append(event)
        self.news.set()

    def on_link_lost(self, link: WorkerLink) -> None:
        self.lost.set()


@pytest.fixture
async def worker(tmp_path: Path) -> AsyncIterator[ScriptedWorker]:
    async with ScriptedWorker(tmp_path / "w") as scripted:
        yield scripted


@pytest.fixture
def owner() -> Owner:
    return Owner()


@pytest.fixture
async def link(worker: ScriptedWorker, owner: Owner) -> AsyncIterator[WorkerLink]:
    made = await connect(worker.path, owner)
    await made.hello("token", "daemon")
    yield made
    made.close()


async def test_a_process_of_another_user_is_told_nothing(
    worker: ScriptedWorker, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    somebody = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: somebody)
    with pytest.raises(AttnError, match="permission_denied"):
        await connect(worker.path, owner)
    assert worker.requests == []


async def test_hello_carries_the_secret_and_learns_the_worker(worker: ScriptedWorker, link: WorkerLink) -> None:
    assert worker.requests[0]["params"]["token"] == "token"
    assert (link.build, link.pid, link.features) == ("b", 41, frozenset({"info"}))


async def test_the_head_of_a_snapshot_divides_the_output(
    worker: ScriptedWorker, owner: Owner, link: WorkerLink
) -> None:
    link.request(
        "snapshot", {}, lambda ok, error: owner.heard.append(ok), lambda last, data: owner.heard.append((last, data))
    )
    await worker.until(lambda: len(worker.requests) == 2)
    asked = worker.requests[1]["id"]
    for kind, payload in [
        (worker_api.OUTPUT, worker_api.pack_output(0, b"before")),
        (worker_api.RESPONSE, worker_api.pack_json({"id": asked, "ok": {"offset": 6}})),
        (worker_api.OUTPUT, worker_api.pack_output(6, b"after")),
        (worker_api.CHUNK, worker_api.pack_chunk(asked, False, b"scr")),
        (worker_api.CHUNK, worker_api.pack_chunk(asked, True, b"een")),
        (worker_api.EVENT, worker_api.pack_json({"event": "bell"})),
    ]:
        worker.say(kind, payload)
    await asyncio.wait_for(owner.news.wait(), 10)
    assert owner.heard == [
        (0, b"before"), {"offset": 6}, (6, b"after"), (False, b"scr"), (True, b"een"), {"event": "bell"},
    ]  # fmt: skip


async def test_an_error_answer_has_the_workers_code(worker: ScriptedWorker, link: WorkerLink) -> None:
    worker.answers["resize"] = lambda params: {"code": "invalid_size", "message": "no"}
    with pytest.raises(AttnError, match="invalid_size"):
        await link.call("resize", {})


async def test_a_worker_that_is_silent_is_let_go(worker: ScriptedWorker, link: WorkerLink) -> None:
    with pytest.raises(AttnError, match=r"worker_unreachable: .* health within"):
        await link.call("health", {}, limit_s=0.05)
    with pytest.raises(AttnError, match="the connection to the worker is lost"):
        await link.call("info", {})


async def test_a_program_that_takes_no_input_ends_a_call_and_not_the_link(
    worker: ScriptedWorker, link: WorkerLink
) -> None:
    with pytest.raises(AttnError, match=r"worker_unreachable: .* send within"):
        await link.call("send", {}, limit_s=0.05)
    assert (await link.call("info", {}))["pid"] == 42


async def test_a_bulk_answer_is_collected(worker: ScriptedWorker, link: WorkerLink) -> None:
    worker.answers["screen"] = lambda params: {"rows": 2}
    asked = asyncio.create_task(link.fetch("screen", {}))
    await worker.until(lambda: len(worker.requests) == 2)
    for last, data in ((False, b"one "), (True, b"two")):
        worker.say(worker_api.CHUNK, worker_api.pack_chunk(worker.requests[1]["id"], last, data))
    assert await asked == ({"rows": 2}, b"one two")


async def test_a_bulk_answer_that_stops_is_given_up(worker: ScriptedWorker, link: WorkerLink) -> None:
    worker.answers["screen"] = lambda params: {"rows": 2}
    with pytest.raises(AttnError, match="did not end"):
        await link.fetch("screen", {}, limit_s=0.1)


async def test_a_lost_link_fails_what_is_open(worker: ScriptedWorker, owner: Owner, link: WorkerLink) -> None:
    open_call = asyncio.create_task(link.call("health", {}))
    await worker.until(lambda: len(worker.requests) == 2)
    worker.hang_up()
    with pytest.raises(AttnError, match="went away during health"):
        await open_call
    await asyncio.wait_for(owner.lost.wait(), 10)
    with pytest.raises(AttnError, match="worker_unreachable"):
        await link.call("info", {})
    assert not link.input(b"x")


@pytest.mark.parametrize("garbage", [b"\xff\xff\xff\xff\x03", framing.encode(worker_api.EVENT, b"[]")])
async def test_a_worker_that_breaks_the_protocol_is_dropped(
    worker: ScriptedWorker, owner: Owner, link: WorkerLink, garbage: bytes
) -> None:
    assert worker._writer is not None
    worker._writer.write(garbage)
    await asyncio.wait_for(owner.lost.wait(), 10)


async def test_input_is_cut_into_frames_and_answered_once(worker: ScriptedWorker, link: WorkerLink) -> None:
    paste = bytes(range(256)) * 1024
    assert link.input(paste, lambda ok, error: None)
    await worker.until(lambda: sum(len(data) for _, data in worker.inputs) == len(paste))
    assert b"".join(data for _, data in worker.inputs) == paste
    assert [request_id > 0 for request_id, _ in worker.inputs] == [False, False, False, True]


async def test_nobody_there_is_said_so(tmp_path: Path, owner: Owner) -> None:
    with pytest.raises(AttnError, match="worker_unreachable"):
        await connect(tmp_path / "nobody", owner)
