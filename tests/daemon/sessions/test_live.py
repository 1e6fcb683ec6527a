"""A live session between a real link and recording clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from attn.bundle.bundle import Bundle
from attn.core.subscription import Subscription
from attn.daemon.sessions.attachment import Attachment
from attn.daemon.sessions.live import Session
from attn.daemon.workers.link import WorkerLink, connect
from attn.wire import client_api, worker_api
from attn.wire.client_events import AttachResult, PtyDesync
from attn.wire.client_requests import ClientHello
from attn.wire.client_views import Theme
from tests.daemon.scripted import HEAD, RecordingPeer, ScriptedWorker, spec

DARK = Theme(foreground="#ffffff", background="#000000", cursor="#ffffff", scheme="dark")


class Owner:
    """What the hub would hear."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.news = asyncio.Event()

    def note(self, what: str, value: Any = None) -> None:
        self.calls.append((what, value))
        self.news.set()

    def session_changed(self, session: Session) -> None:
        self.note("changed")

    def session_active(self, session: Session) -> None:
        self.note("active")

    def session_event(self, session: Session, event: dict[str, Any]) -> None:
        self.note("event", event)

    def session_unlinked(self, session: Session) -> None:
        self.note("unlinked")

    def session_screen_wanted(self, session: Session, attachment: Attachment) -> None:
        self.note("wanted", attachment)

    async def until(self, what: str) -> None:
        async with asyncio.timeout(10):
            while what not in [name for name, _ in self.calls]:
                self.news.clear()
                await self.news.wait()


class Stage:
    """One session, its scripted worker, its owner."""

    def __init__(self, worker: ScriptedWorker) -> None:
        self.worker = worker
        self.owner = Owner()
        self.session = Session(bundle=Bundle(worker.path), spec=spec(), owner=self.owner, label="cat")
        self.resized = (24, 80)

    async def link(self) -> None:
        link = await connect(self.worker.path, self.session)
        await link.hello("token", "testdaemon")
        self.session.linked(link, await link.call("info", {}))

    def attach(self, handle: int, **fields: Any) -> RecordingPeer:
        peer = RecordingPeer()
        facts = {
            "history": None, "read_only": False, "rows": None, "cols": None, "visible": True, "used_at_ms": handle,
            "since": None, "subscription": Subscription(1 << 19, 1 << 20),
        }  # fmt: skip
        self.session.attach(Attachment(handle=handle, peer=peer, request_id=handle, **{**facts, **fields}))
        return peer

    async def asked(self, method: str, times: int = 1) -> dict[str, Any]:
        """Wait until the worker was asked; the last such request."""
        await self.worker.until(lambda: len(self.asks(method)) >= times)
        return self.asks(method)[-1]

    def asks(self, method: str) -> list[dict[str, Any]]:
        return [request for request in self.worker.requests if request["method"] == method]

    async def paint(self, offset: int, data: bytes = b"screen", times: int = 1, **head: Any) -> None:
        """Answer the latest wish for a snapshot."""
        asked = (await self.asked("snapshot", times))["id"]
        answer = {"id": asked, "ok": {**HEAD, "offset": offset, **head}}
        self.worker.say(worker_api.RESPONSE, worker_api.pack_json(answer))
        self.worker.say(worker_api.CHUNK, worker_api.pack_chunk(asked, True, data))

    def output(self, offset: int, data: bytes) -> None:
        self.worker.say(worker_api.OUTPUT, worker_api.pack_output(offset, data))

    async def settled(self) -> None:
        """Until everything that was said before has been heard."""
        self.owner.calls.clear()
        self.worker.say(worker_api.EVENT, worker_api.pack_json({"event": "bell"}))
        await self.owner.until("event")


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with ScriptedWorker(tmp_path / "w") as worker:
        worker.answers["attach"] = lambda params: {"offset": 0}
        worker.answers["resize"] = worker.answers["detach"] = worker.answers["theme"] = lambda params: {}
        stage = Stage(worker)
        await stage.link()
        yield stage
        if stage.session.link is not None:
            stage.session.link.close()


async def test_an_attach_gets_one_snapshot_and_then_the_output(stage: Stage) -> None:
    peer = stage.attach(7)
    await stage.paint(3)
    stage.output(0, b"old")
    stage.output(3, b"new")
    await stage.settled()
    results = peer.of(AttachResult)
    assert [(result.id, result.handle, result.offset, result.source) for result in results] == [(7, 7, 3, "live")]
    assert peer.frames == [(client_api.SNAPSHOT_END, 7, 3, b"screen"), (client_api.OUTPUT, 7, 3, b"new")]
    assert len(stage.asks("attach")) == len(stage.asks("snapshot")) == 1


async def test_the_last_detach_stops_the_stream(stage: Stage) -> None:
    one, two = stage.attach(1), stage.attach(2)
    assert one.handles == {1} and two.handles == {2}
    stage.session.detach(1)
    assert stage.asks("detach") == []
    stage.session.detach(2)
    await stage.asked("detach")
    stage.attach(3)
    await stage.asked("attach", 2)


async def test_late_answers_for_a_detached_client_are_ignored(stage: Stage) -> None:
    peer = stage.attach(1)
    await stage.asked("snapshot")
    stage.session.detach(1)
    await stage.paint(0)
    await stage.settled()
    assert peer.told == [] and peer.frames == []


async def test_the_client_used_last_decides_the_size(stage: Stage) -> None:
    stage.attach(1, rows=30, cols=90)
    assert (await stage.asked("resize"))["params"]["rows"] == 30
    stage.attach(2, rows=50, cols=100)
    assert (await stage.asked("resize", 2))["params"]["rows"] == 50
    stage.session.attachments[1].used_at_ms = 10
    stage.session.size_wishes(at_once=True)
    assert (await stage.asked("resize", 3))["params"]["rows"] == 30
    stage.attach(3, rows=10, cols=40, read_only=True)
    await stage.settled()
    assert len(stage.asks("resize")) == 3


async def test_a_resize_sends_a_frame_first_and_the_history_later(stage: Stage) -> None:
    peer = stage.attach(1, history=500)
    await stage.paint(0)
    await stage.settled()
    stage.session.acknowledged(1, 0)
    stage.worker.say(worker_api.EVENT, worker_api.pack_json({"event": "resized", "rows": 9, "cols": 70, "offset": 0}))
    assert (await stage.asked("snapshot", 2))["params"]["history"] == 0
    assert [desync.reason for desync in peer.of(PtyDesync)] == ["resized"]
    await stage.paint(0, times=2)
    await stage.settled()
    stage.session.acknowledged(1, 0)
    assert (await stage.asked("snapshot", 3))["params"]["history"] == 500
    assert (stage.session.view().rows, stage.session.view().cols) == (9, 70)


async def test_who_waits_while_nobody_answers_gets_what_was_kept(stage: Stage) -> None:
    peer = stage.attach(1)
    await stage.asked("snapshot")
    stage.worker.hang_up()
    await stage.owner.until("unlinked")
    assert peer.told == []
    stage.session.settle()
    assert stage.owner.calls[-1][0] == "wanted"
    stage.session.show_persisted(stage.owner.calls[-1][1], None)
    result = peer.of(AttachResult)[0]
    assert (result.id, result.source, result.payload) == (1, "persisted", "none")


async def test_after_a_new_link_only_what_is_missing_is_sent(stage: Stage) -> None:
    peer = stage.attach(1)
    await stage.paint(0)
    stage.output(0, b"abc")
    await stage.settled()
    stage.session.acknowledged(1, 3)
    stage.worker.hang_up()
    await stage.owner.until("unlinked")
    stage.worker.answers["attach"] = lambda params: {"offset": 3}
    await stage.link()
    await stage.asked("attach", 2)
    stage.output(3, b"def")
    await stage.settled()
    assert peer.frames[-1] == (client_api.OUTPUT, 1, 3, b"def")
    assert len(peer.of(AttachResult)) == 1 and peer.of(PtyDesync) == []


async def test_the_colours_follow_the_person(stage: Stage) -> None:
    peer = stage.attach(1)
    peer.hello = ClientHello(protocol=1, build="", client="", theme=DARK)
    stage.session.used(stage.session.attachments[1])
    stage.session.used(stage.session.attachments[1])
    assert (await stage.asked("theme"))["params"]["scheme"] == "dark"
    await stage.settled()
    assert len(stage.asks("theme")) == 1


async def test_titles_are_cleaned_and_told(stage: Stage) -> None:
    stage.owner.calls.clear()
    stage.worker.say(worker_api.EVENT, worker_api.pack_json({"event": "title", "title": "a\u202e\x1bb"}))
    await stage.owner.until("changed")
    assert stage.session.view().title == "ab"


async def test_a_link_that_was_lost_before_it_was_used_is_lost(stage: Stage) -> None:
    link = await connect(stage.worker.path, stage.session)
    info = await link.call("info", {})
    stage.worker.hang_up()
    async with asyncio.timeout(10):
        while not link.lost:
            await asyncio.sleep(0)
    assert stage.session.link is not None and stage.session.state == "running"
    before = stage.session.link
    stage.session.linked(link, info)
    assert stage.session.link is None and stage.owner.calls[-1][0] == "unlinked"
    before.close()


async def test_an_end_that_was_told_before_the_link_was_used_stays(stage: Stage) -> None:
    stage.session.state = "exited"
    stage.session.ended.set()
    assert stage.session.link is not None
    stage.session.linked(stage.session.link, await stage.session.link.call("info", {}))
    assert stage.session.state == "exited"


async def test_a_worker_that_does_not_let_us_follow_is_asked_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.attach(1)
    await stage.paint(0)
    await stage.settled()
    stage.worker.hang_up()
    await stage.owner.until("unlinked")
    stage.owner.calls.clear()
    stage.worker.answers["attach"] = lambda params: None
    monkeypatch.setattr(WorkerLink.request, "__kwdefaults__", {"limit_s": 0.01})
    await stage.link()
    await stage.owner.until("unlinked")


async def test_history_that_falls_due_while_a_frame_is_awaited_still_comes(stage: Stage) -> None:
    stage.attach(1, history=500)
    await stage.paint(0)
    await stage.settled()
    stage.session.acknowledged(1, 0)
    stage.worker.say(worker_api.EVENT, worker_api.pack_json({"event": "resized", "rows": 9, "cols": 70, "offset": 0}))
    assert (await stage.asked("snapshot", 2))["params"]["history"] == 0
    assert stage.session._history_timer is not None
    stage.session._history_timer.cancel()
    stage.session._send_history()
    await stage.paint(0, times=2)
    await stage.settled()
    stage.session.acknowledged(1, 0)
    assert (await stage.asked("snapshot", 3))["params"]["history"] == 500


async def test_a_title_found_at_a_new_link_is_cleaned(stage: Stage) -> None:
    assert stage.session.link is not None
    info = await stage.session.link.call("info", {})
    stage.session.linked(stage.session.link, {**info, "title": "a\u202e\x1b]b"})
    assert stage.session.view().title == "a]b"


async def test_a_snapshot_in_an_unknown_format_is_no_snapshot_and_the_output_goes_on(stage: Stage) -> None:
    peer = stage.attach(1)
    await stage.paint(5, b"who knows", format="vt9")
    stage.output(5, b"live")
    await stage.settled()
    [head] = peer.of(AttachResult)
    assert (head.payload, head.fidelity, head.format, head.offset) == ("none", "none", "vt9", 5)
    assert peer.frames == [(client_api.SNAPSHOT_END, 1, 5, b""), (client_api.OUTPUT, 1, 5, b"live")]
    assert len(stage.asks("snapshot")) == 1 and peer.of(PtyDesync) == []


async def test_a_worker_that_makes_too_many_screens_is_asked_again(stage: Stage) -> None:
    peer = stage.attach(1)
    asked = (await stage.asked("snapshot"))["id"]
    refusal = {"id": asked, "error": {"code": "busy", "message": "32 screens are being sent already"}}
    stage.worker.say(worker_api.RESPONSE, worker_api.pack_json(refusal))
    await stage.paint(0, times=2)
    await stage.settled()
    assert [head.payload for head in peer.of(AttachResult)] == ["snapshot"]
