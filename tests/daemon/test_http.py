"""The web side: files from memory, and a WebSocket client that reads or does not."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest

from attn.daemon import auth, http
from attn.daemon.http import Asset, Site, WebPeer, page_build
from attn.daemon.peer import CONGESTED_BYTES, Peer
from attn.wire import client_api
from attn.wire.client_events import Ok
from attn.wire.client_views import StoreView


class Stage:
    """A served site and what its clients said."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)
        self.received: list[tuple[int, bytes]] = []
        self.news, self.left = asyncio.Event(), asyncio.Event()
        self.store = StoreView(state="ok", path="", last_good_backup=None)
        self.site = Site(
            port=self.listener.getsockname()[1], token="secret", daemon_id="d", logins=auth.Logins(),
            received=self.hear, gone=lambda peer: self.left.set(), health=lambda: (self.store, []),
            assets={"/": Asset(b"<html>", "text/html"), "/assets/a.js": Asset(b"1", "text/javascript")},
        )  # fmt: skip
        self.url = f"http://127.0.0.1:{self.site.port}"

    def hear(self, peer: Peer, kind: int, payload: bytes) -> None:
        self.received.append((kind, payload))
        self.news.set()

    def connect(self, session: aiohttp.ClientSession) -> aiohttp.client._WSRequestContextManager:
        return session.ws_connect(f"{self.url}/ws", headers={"Authorization": "Bearer secret"})


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    made = Stage()
    stop = await http.serve(made.site, made.listener)
    yield made
    await stop()


@pytest.fixture
async def browser() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_the_page_comes_from_memory(stage: Stage, browser: aiohttp.ClientSession) -> None:
    async with browser.get(f"{stage.url}/assets/a.js") as answer:
        assert (answer.status, answer.content_type, await answer.read()) == (200, "text/javascript", b"1")
    for path in ("/assets/../a.js", "/assets/b.js", "/etc/passwd"):
        async with browser.get(f"{stage.url}{path}") as answer:
            assert answer.status == 404
    stage.site.assets.clear()
    async with browser.get(f"{stage.url}/") as answer:
        assert (answer.status, (await answer.json())["code"]) == (503, "page_missing")


async def test_a_store_that_keeps_nothing_shows(stage: Stage, browser: aiohttp.ClientSession) -> None:
    for state, status, required in (
        ("ok", "ok", 200), ("degraded", "degraded", 503), ("ephemeral", "ok", 503), ("migrating", "ok", 503),
    ):  # fmt: skip
        stage.store = StoreView(state=state, path="", last_good_backup=None)
        async with browser.get(f"{stage.url}/health") as answer:
            assert (answer.status, (await answer.json())["status"]) == (200, status)
        async with browser.get(f"{stage.url}/health?require=store") as answer:
            assert answer.status == required, state


async def test_messages_pass_in_order(stage: Stage, browser: aiohttp.ClientSession) -> None:
    async with stage.connect(browser) as ws:
        await ws.send_str("{}")
        await ws.send_bytes(b"x")
        while len(stage.received) < 2:
            stage.news.clear()
            await asyncio.wait_for(stage.news.wait(), 10)
        assert stage.received == [(client_api.JSON, b"{}"), (client_api.BINARY, b"x")]
        (peer,) = stage.site.sockets
        peer.send(Ok(id=1))
        peer.send_binary(client_api.OUTPUT, 2, 3, b"data")
        assert await ws.receive_json() == {"type": "ok", "id": 1}
        assert client_api.unpack_binary(await ws.receive_bytes()) == (client_api.OUTPUT, 2, 3, b"data")
        peer.close()
        assert (await ws.receive()).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
    await asyncio.wait_for(stage.left.wait(), 10)
    assert stage.site.sockets == set()


async def test_a_page_that_does_not_read_is_congested_until_it_does(
    stage: Stage, browser: aiohttp.ClientSession
) -> None:
    async with stage.connect(browser) as ws:
        await ws.send_str("{}")
        await asyncio.wait_for(stage.news.wait(), 10)
        (peer,) = stage.site.sockets
        piece, count = bytes(1 << 16), 2 * CONGESTED_BYTES >> 16
        for _ in range(count):
            peer.send_binary(client_api.OUTPUT, 1, 0, piece)
        assert peer.congested
        for _ in range(count):
            await ws.receive_bytes()
        await asyncio.wait_for(peer.drained(), 10)
    await asyncio.wait_for(stage.left.wait(), 10)


async def test_a_page_that_vanishes_while_it_is_behind_is_gone(stage: Stage, browser: aiohttp.ClientSession) -> None:
    async with stage.connect(browser) as ws:
        await ws.send_str("{}")
        await asyncio.wait_for(stage.news.wait(), 10)
        (peer,) = stage.site.sockets
        for _ in range(2 * CONGESTED_BYTES >> 16):
            peer.send_binary(client_api.OUTPUT, 1, 0, bytes(1 << 16))
        assert peer.congested
        await ws.send_str("{}")  # the reader is now waiting for room
        assert ws._conn is not None and ws._conn.transport is not None
        ws._conn.transport.abort()
        await asyncio.wait_for(stage.left.wait(), 10)


async def test_connections_are_bounded(
    stage: Stage, browser: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "PAGE_CONNECTIONS_MAX", 1)
    async with stage.connect(browser):
        with pytest.raises(aiohttp.WSServerHandshakeError) as raised:
            await stage.connect(browser)
        assert raised.value.status == 503


async def test_what_is_sent_after_the_end_goes_nowhere() -> None:
    peer = WebPeer(aiohttp.web.WebSocketResponse())
    peer.finished()
    peer.send(Ok(id=1))
    assert not peer.congested and not peer._queue


def test_the_build_names_itself() -> None:
    assert page_build({}) == ""
    assert page_build({"/build.json": Asset(b'{"build":"abc"}', "application/json")}) == "abc"
    assert page_build({"/build.json": Asset(b"[]", "application/json")}) == ""


@pytest.mark.parametrize("body", [b'{"nonce":"\\ud800"}', b"[" * 4000, b'{"nonce":7}', b"\xff"])
async def test_a_login_that_makes_no_sense_is_no_login(
    stage: Stage, browser: aiohttp.ClientSession, body: bytes
) -> None:
    stage.site.logins.offer("right", 0)
    headers = {"X-Attn": "1", "Content-Type": "application/json", "Origin": stage.url}
    async with browser.post(f"{stage.url}/login", data=body, headers=headers) as answer:
        assert (answer.status, (await answer.json())["code"]) == (401, "unauthorized")
