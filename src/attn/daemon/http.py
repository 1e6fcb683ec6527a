"""HTTP and WebSocket, the only module that knows aiohttp; imported after the unix socket listens (it takes 300 ms).

`/` and the page's files are public (they hold no secret), `/health` tells no session, `/login` takes a one-time
nonce, `/ws` needs the cookie of a login or the home's token. Every answer passes the checks of `attn.daemon.auth`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import mimetypes
import socket
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from importlib import resources
from typing import Final

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web
from aiohttp.typedefs import Handler, Middleware

import attn
from attn.daemon import auth
from attn.daemon.peer import CONGESTED_BYTES, Peer, Received
from attn.wire import client_api
from attn.wire.client_views import Condition, StoreView

log = logging.getLogger(__name__)

LOGIN_BODY_MAX_BYTES: Final = 4096
PAGE_CONNECTIONS_MAX: Final = 64
SHUTDOWN_LIMIT_S: Final = 1.0
_WEBSOCKET_KINDS: Final = {WSMsgType.TEXT: client_api.JSON, WSMsgType.BINARY: client_api.BINARY}


@dataclass(frozen=True)
class Asset:
    """One file of the page."""

    data: bytes
    content_type: str


@dataclass
class Site:
    """What the HTTP side needs to know of the daemon."""

    port: int
    token: str
    daemon_id: str
    logins: auth.Logins
    received: Received
    gone: Callable[[Peer], None]
    health: Callable[[], tuple[StoreView, list[Condition]]]
    assets: dict[str, Asset] = field(default_factory=dict)
    sockets: set[WebPeer] = field(default_factory=set)


class WebPeer(Peer):
    """A client on the WebSocket. A task of its own writes, so that order holds and nobody waits for it."""

    kind = "web"

    def __init__(self, socket: web.WebSocketResponse) -> None:
        super().__init__()
        self._socket = socket
        self._queue: deque[tuple[int, bytes]] = deque()
        self._queued_bytes = 0
        self._wake = asyncio.Event()
        self._closing = False

    def _write(self, kind: int, payload: bytes) -> None:
        if self._closing:
            return
        self._queue.append((kind, payload))
        self._queued_bytes += len(payload)
        if self._queued_bytes > CONGESTED_BYTES:
            self._set_congested(True)
        self._wake.set()

    async def write_loop(self) -> None:
        """Send what is queued until the connection ends."""
        try:
            while not self._closing or self._queue:
                await self._wake.wait()
                self._wake.clear()
                while self._queue:
                    await self._send(*self._queue.popleft())
            await self._socket.close()
        finally:
            self.finished()

    async def _send(self, kind: int, payload: bytes) -> None:
        if kind == client_api.BINARY:
            await self._socket.send_bytes(payload)
        else:
            await self._socket.send_str(payload.decode())
        self._queued_bytes -= len(payload)
        if self.congested and self._queued_bytes < CONGESTED_BYTES // 2:
            self._set_congested(False)

    def finished(self) -> None:
        """Nothing is written any more: whoever waits for room may go on."""
        self._closing = True
        self._queue.clear()
        self._later.clear()
        self._set_congested(False)
        self._wake.set()

    def close(self) -> None:
        self._closing = True
        self._wake.set()

    def abort(self) -> None:
        self.finished()


def load_assets() -> dict[str, Asset]:
    """The files of the built page, by URL path; empty when the page was not built."""
    root = resources.files("attn.daemon").joinpath("page")
    if not root.is_dir():
        return {}
    found: dict[str, Asset] = {}
    waiting = [("/", root)]
    while waiting:
        prefix, directory = waiting.pop()
        for entry in directory.iterdir():
            if entry.is_dir():
                waiting.append((f"{prefix}{entry.name}/", entry))
            else:
                kind = mimetypes.guess_type(entry.name)[0] or "application/octet-stream"
                found[prefix + entry.name] = Asset(entry.read_bytes(), kind)
    if "/index.html" in found:
        found["/"] = found["/index.html"]
    return found


def page_build(assets: dict[str, Asset]) -> str:
    """The name that the page's build gave itself; a page of another build reloads itself. Empty without one."""
    record = assets.get("/build.json")
    try:
        return str(json.loads(record.data)["build"]) if record is not None else ""
    except (ValueError, KeyError, TypeError) as error:
        log.error("build.json of the page is damaged: %s", error)
        return ""


async def serve(site: Site, listener: socket.socket) -> Callable[[], Awaitable[None]]:
    """Answer requests on `listener` from now on; the result ends it."""
    app = web.Application(middlewares=[_guard(site)], client_max_size=LOGIN_BODY_MAX_BYTES)
    app.router.add_get("/ws", partial(_websocket, site))
    app.router.add_get("/health", partial(_health, site))
    app.router.add_post("/login", partial(_login, site))
    app.router.add_get("/{path:.*}", partial(_asset, site))
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=SHUTDOWN_LIMIT_S)
    await runner.setup()
    await web.SockSite(runner, listener).start()

    async def stop() -> None:
        for peer in list(site.sockets):
            peer.close()
        await runner.cleanup()

    return stop


def _guard(site: Site) -> Middleware:
    """Host, origin and fetch metadata before anything else, and our headers on every answer, errors too."""
    headers = auth.page_headers()

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        refusal = (
            auth.check_host(request.headers.getall("Host", []), site.port)
            or auth.check_fetch_site(request.headers, request.method)
            or auth.check_origin(request.headers.getall("Origin", []), site.port, required=False)
        )
        try:
            response = _refused(refusal) if refusal else await handler(request)
        except web.HTTPException as error:
            response = _refused(auth.Refusal(error.status, "http", error.reason))
        if not response.prepared:
            response.headers.update(headers)
        return response

    return guard


def _refused(refusal: auth.Refusal) -> web.Response:
    return _json({"code": refusal.code, "message": refusal.message}, refusal.status)


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")


async def _asset(site: Site, request: web.Request) -> web.StreamResponse:
    asset = site.assets.get(request.path)
    if asset is None and request.path == "/":
        return _refused(auth.Refusal(503, "page_missing", "the page is not built: run `make page`, then restart attn"))
    if asset is None:
        return _refused(auth.Refusal(404, "not_found", "nothing is here"))
    return web.Response(body=asset.data, content_type=asset.content_type)


async def _health(site: Site, request: web.Request) -> web.StreamResponse:
    store, conditions = site.health()
    well = store.state in ("ok", "ephemeral", "migrating")
    answer = {
        "status": "ok" if well else "degraded",
        "version": attn.__version__,
        "daemon_id": site.daemon_id,
        "store": store.state,
        "conditions": [{"code": condition.code, "severity": condition.severity} for condition in conditions],
    }
    kept = store.state == "ok"  # in memory, and while it is being opened, nothing is saved
    return _json(answer, 503 if request.query.get("require") == "store" and not kept else 200)


async def _login(site: Site, request: web.Request) -> web.StreamResponse:
    if request.content_type != "application/json" or request.headers.get("X-Attn") != "1":
        return _refused(auth.WRONG_TYPE)
    if refusal := auth.check_origin(request.headers.getall("Origin", []), site.port, required=True):
        return _refused(refusal)
    try:
        body = json.loads(await request.read())
        nonce = body["nonce"] if isinstance(body, dict) and isinstance(body.get("nonce"), str) else ""
    except (ValueError, RecursionError):
        nonce = ""
    if refusal := site.logins.use(nonce, int(time.time() * 1000)):
        return _refused(refusal)
    response = _json({})
    response.set_cookie(
        auth.cookie_name(site.daemon_id),
        auth.cookie_value(site.token, site.daemon_id),
        max_age=auth.COOKIE_LIFETIME_S, path="/", httponly=True, samesite="Strict",
    )  # fmt: skip
    return response


def _authorized(site: Site, request: web.Request) -> auth.Refusal | None:
    """The token needs no Origin (no browser can send it); the cookie needs exactly ours."""
    if auth.bearer_valid(request.headers.get("Authorization"), site.token):
        return None
    if refusal := auth.check_origin(request.headers.getall("Origin", []), site.port, required=True):
        return refusal
    cookie = request.cookies.get(auth.cookie_name(site.daemon_id), "")
    return None if auth.same_secret(cookie, auth.cookie_value(site.token, site.daemon_id)) else auth.UNAUTHORIZED


async def _websocket(site: Site, request: web.Request) -> web.StreamResponse:
    if refusal := _authorized(site, request):
        return _refused(refusal)
    if len(site.sockets) >= PAGE_CONNECTIONS_MAX:
        return _refused(auth.Refusal(503, "too_many_connections", "too many pages are open"))
    # No heartbeat: on loopback the kernel reports a dead peer, and a slow one must not be disconnected.
    ws = web.WebSocketResponse(compress=False, max_msg_size=client_api.MAX_MESSAGE_BYTES, heartbeat=None, timeout=1.0)
    await ws.prepare(request)
    peer = WebPeer(ws)
    site.sockets.add(peer)
    writer = asyncio.create_task(peer.write_loop(), name=f"write-{peer.id}")
    try:
        async for message in ws:
            kind = _WEBSOCKET_KINDS.get(message.type)
            if kind is None:
                break
            data = message.data.encode() if kind == client_api.JSON else message.data
            site.received(peer, kind, data)
            await peer.drained()
    finally:
        site.sockets.discard(peer)
        peer.finished()
        site.gone(peer)
        await _ended(writer)
    if not ws.closed:
        await ws.close(code=WSCloseCode.GOING_AWAY)
    return ws


async def _ended(writer: asyncio.Task[None]) -> None:
    writer.cancel()
    try:
        await writer
    except asyncio.CancelledError:
        return
    except (ConnectionError, RuntimeError) as error:  # the page went away in mid-write
        log.debug("a page's connection ended: %s", error)
