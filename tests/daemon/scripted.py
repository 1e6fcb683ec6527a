"""The two ends of the daemon in unit tests: a client that records, a worker that follows a script."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attn.bundle.bundle import Bundle
from attn.bundle.records import Meta, Spec
from attn.daemon.peer import Peer
from attn.wire import client_api, framing, worker_api
from attn.wire.client_requests import ClientHello

Json = dict[str, Any]
HEAD: Json = {
    "payload": "snapshot", "format": "vt1", "fidelity": "screen", "rows": 24, "cols": 80,
    "cursor": {"row": 0, "col": 0, "visible": True}, "alternate_screen": False, "offset": 0, "taken_at_ms": 1,
    "total_bytes": None,
}  # fmt: skip


class RecordingPeer(Peer):
    """A client that keeps what it is told, and reads or not as the test says."""

    kind = "unix"

    def __init__(self, *, hello: bool = True) -> None:
        super().__init__()
        self.told: list[Any] = []
        self.frames: list[tuple[int, int, int, bytes]] = []
        self.closed = False
        if hello:
            self.hello = ClientHello(protocol=1, build="test", client="test")

    def _write(self, kind: int, payload: bytes) -> None:
        if kind == client_api.JSON:
            self.told.append(client_api.daemon_decoder.decode(payload))
        else:
            self.frames.append(client_api.unpack_binary(payload))

    def stop_reading(self) -> None:
        self._set_congested(True)

    def read_again(self) -> None:
        self._set_congested(False)

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def of(self, kind: type) -> list[Any]:
        return [message for message in self.told if isinstance(message, kind)]


def spec(session_id: str = "abcdefghij", **fields: Any) -> Spec:
    """Launch facts of a session."""
    facts: Json = {
        "session_id": session_id, "daemon_id": "testdaemon", "argv": ["/bin/cat"], "cwd": "/", "env_names": [],
        "agent": "program", "label": "cat", "rows": 24, "cols": 80, "created_at_ms": 1000,
    }  # fmt: skip
    return Spec(**{**facts, **fields})


def bundle(run: Path, session_id: str = "abcdefghij", **fields: Any) -> Bundle:
    """A bundle on disk whose worker never came."""
    made = Bundle(run / session_id)
    facts = spec(session_id, **fields)
    made.create(facts, Meta(label=facts.label, order=0))
    return made


class ScriptedWorker:
    """A unix socket that answers requests as `answers` says; a method without an answer stays silent."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.requests: list[Json] = []
        self.inputs: list[tuple[int, bytes]] = []
        self.answers: dict[str, Callable[[Json], Json | None]] = {
            "hello": lambda params: {"session_id": path.name, "build": "b", "pid": 41, "features": ["info"]},
            "info": lambda params: {
                "pid": 42, "rows": 24, "cols": 80, "offset": 0, "title": "", "emulator": True,
                "last_output_at_ms": None, "exit": None,
            },
        }  # fmt: skip
        self.heard = asyncio.Condition()
        self._writer: asyncio.StreamWriter | None = None
        self._older: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> ScriptedWorker:
        self._server = await asyncio.start_unix_server(self._serve, self.path)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        for writer in (*self._older, self._writer):
            if writer is not None:
                writer.close()
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._writer is not None:
            self._older.append(self._writer)
        self._writer = writer
        decoder = framing.Decoder()
        while data := await reader.read(1 << 16):
            for kind, payload in decoder.feed(data):
                self._take(kind, payload)
            async with self.heard:
                self.heard.notify_all()

    def _take(self, kind: int, payload: bytes) -> None:
        if kind == worker_api.INPUT:
            self.inputs.append(worker_api.unpack_input(payload))
            return
        body = worker_api.unpack_json(payload)
        self.requests.append(body)
        answer = self.answers.get(body["method"], lambda params: None)(body["params"])
        if answer is not None:
            key = "error" if "code" in answer else "ok"
            self.say(worker_api.RESPONSE, worker_api.pack_json({"id": body["id"], key: answer}))

    def say(self, kind: int, payload: bytes) -> None:
        assert self._writer is not None
        self._writer.write(framing.encode(kind, payload))

    def hang_up(self) -> None:
        if self._writer is not None:
            self._writer.close()

    async def until(self, done: Callable[[], object]) -> None:
        async with self.heard, asyncio.timeout(10):
            await self.heard.wait_for(lambda: bool(done()))
