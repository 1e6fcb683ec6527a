"""A page's end of the WebSocket, in a thread: attaches, applies, acknowledges everything at once, answers nothing."""

from __future__ import annotations

import asyncio
import json
import threading
from types import TracebackType
from typing import Any, Self

import aiohttp

from attn.wire import client_api
from tests.system.conftest import DaemonProcess
from tests.waiting import wait_until

LIMIT_S = 20.0


class WebClient:
    """One page. `attach` returns once its first screen was painted."""

    def __init__(self, daemon: DaemonProcess) -> None:
        wait_until(daemon.home.port.exists, LIMIT_S, "the port")
        self._url = f"ws://127.0.0.1:{daemon.home.port.read_text().strip()}/ws"
        self._token = daemon.home.token.read_text().strip()
        self._orders: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),), name="page")
        self.messages: list[dict[str, Any]] = []
        self.painted = threading.Event()
        self.received_bytes = 0

    def attach(self, session: str, **fields: Any) -> None:
        self.say("attach_session", id=1, session=session, **fields)
        assert self.painted.wait(LIMIT_S), f"nothing was painted: {self.messages}"

    def say(self, kind: str, **fields: Any) -> None:
        self._loop.call_soon_threadsafe(self._orders.put_nowait, {"type": kind, **fields})

    def __enter__(self) -> Self:
        self._thread.start()
        self.say("hello", protocol=client_api.PROTOCOL, build="", client="page")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._orders.put_nowait, None)
        self._thread.join()
        self._loop.close()

    async def _run(self) -> None:
        headers = {"Authorization": f"Bearer {self._token}"}
        async with aiohttp.ClientSession(headers=headers) as http, self._connected(http) as socket:
            reading = asyncio.create_task(self._read(socket))
            while (order := await self._orders.get()) is not None:
                await socket.send_str(json.dumps(order))
            reading.cancel()

    def _connected(self, http: aiohttp.ClientSession) -> Any:
        return http.ws_connect(self._url, max_msg_size=client_api.MAX_MESSAGE_BYTES)

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            if message.type == aiohttp.WSMsgType.TEXT:
                self.messages.append(json.loads(message.data))
                continue
            kind, handle, offset, data = client_api.unpack_binary(message.data)
            self.received_bytes += len(data)
            if kind == client_api.SNAPSHOT:
                continue
            end = offset + len(data) if kind == client_api.OUTPUT else offset
            await socket.send_str(json.dumps({"type": "pty_ack", "handle": handle, "offset": end}))
            if kind == client_api.SNAPSHOT_END:
                self.painted.set()
