"""The page's WebSocket behind a unix socket: what knows the one can be tested over the other.

Nothing is kept: a side that is not read holds up the other.
"""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import aiohttp

from attn.paths import Home
from attn.wire import client_api, framing


def serve(path: Path, home: Home) -> None:
    """Listen at `path`, in a thread that ends with the process; every connection there is one WebSocket at `home`."""
    listening = threading.Event()
    threading.Thread(target=asyncio.run, args=(_serve(path, home, listening),), daemon=True).start()
    assert listening.wait(20), "the bridge did not come up"


async def _serve(path: Path, home: Home, listening: threading.Event) -> None:
    url = f"ws://127.0.0.1:{home.port.read_text().strip()}/ws"
    headers = {"Authorization": f"Bearer {home.token.read_text().strip()}"}

    async def bridge(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with (
            aiohttp.ClientSession(headers=headers) as http,
            http.ws_connect(url, max_msg_size=client_api.MAX_MESSAGE_BYTES) as web,
        ):
            asking = asyncio.create_task(_ask(reader, web))
            async for message in web:
                kind = client_api.JSON if message.type == aiohttp.WSMsgType.TEXT else client_api.BINARY
                data = message.data.encode() if kind == client_api.JSON else message.data
                writer.write(framing.encode(kind, data))
                await writer.drain()
            asking.cancel()
        writer.close()

    async with await asyncio.start_unix_server(bridge, path) as server:
        listening.set()
        await server.serve_forever()


async def _ask(reader: asyncio.StreamReader, web: aiohttp.ClientWebSocketResponse) -> None:
    decoder = framing.Decoder()
    while data := await reader.read(1 << 16):
        for kind, payload in decoder.feed(data):
            if kind == client_api.JSON:
                await web.send_str(payload.decode())
            else:
                await web.send_bytes(payload)
