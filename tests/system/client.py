"""A small blocking client of the client protocol: one unix socket, collected messages, true streams."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from attn.wire import client_api, framing

# Generous: the machine may be busy, and nothing waits this long when all is well.
LIMIT_S = 20.0
Json = dict[str, Any]


class Refused(Exception):
    """The daemon answered a request with `error`."""

    def __init__(self, body: Json) -> None:
        super().__init__(f"{body['code']}: {body['message']}")
        self.code: str = body["code"]
        self.body = body


class Closed(Exception):
    """The daemon closed the connection."""


@dataclass
class Stream:
    """What one attach received. `data` is what the client would have applied since the last fresh start."""

    handle: int
    results: list[Json] = field(default_factory=list)
    payload: bytearray = field(default_factory=bytearray)
    payloads: list[bytes] = field(default_factory=list)
    data: bytearray = field(default_factory=bytearray)
    offset: int = 0
    gaps: int = 0
    received_bytes: int = 0

    @property
    def painted(self) -> bool:
        """Every announced payload arrived whole."""
        return bool(self.results) and len(self.payloads) == len(self.results)


class Client:
    """One connection. `acknowledge` as a page does: everything that arrives is applied at once."""

    def __init__(self, path: Path, *, acknowledge: bool = True) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(LIMIT_S)
        try:
            self.socket.connect(str(path))
        except OSError:
            self.socket.close()
            raise
        self.acknowledge = acknowledge
        self.decoder = framing.Decoder()
        self.events: list[Json] = []
        self.replies: dict[int, Json] = {}
        self.streams: dict[int, Stream] = {}
        self.sessions: dict[str, Json] = {}
        self.conditions: list[Json] = []
        self.hello_body: Json = {}
        self.last_id = 0

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    # -- sending

    def send(self, kind: str, **fields: Any) -> None:
        """One JSON message."""
        self.send_frame(client_api.JSON, json.dumps({"type": kind, **fields}).encode())

    def send_frame(self, kind: int, payload: bytes) -> None:
        self.socket.sendall(framing.encode(kind, payload))

    def hello(self, **fields: Any) -> Json:
        """Introduce ourselves and wait until the list of sessions is whole."""
        self.send("hello", **{"protocol": client_api.PROTOCOL, "build": "test", "client": "test", **fields})
        self.until(lambda: self.hello_body)
        self.until(lambda: not self.hello_body["recovering"])
        return self.hello_body

    def ask(self, kind: str, **fields: Any) -> int:
        """Send a request; its id."""
        self.last_id += 1
        self.send(kind, id=self.last_id, **fields)
        return self.last_id

    def result(self, request_id: int, limit_s: float = LIMIT_S) -> Json:
        """The answer to a request. Raises Refused."""
        self.until(lambda: request_id in self.replies, limit_s)
        body = self.replies.pop(request_id)
        if body["type"] == "error":
            raise Refused(body)
        return body

    def request(self, kind: str, **fields: Any) -> Json:
        return self.result(self.ask(kind, **fields))

    def spawn(self, *argv: str, **fields: Any) -> Json:
        """Start a program; its session."""
        session: Json = self.request("spawn_session", argv=list(argv), **fields)["session"]
        self.sessions.setdefault(session["id"], session)  # what is broadcast may come after the answer
        return session

    def attach(self, session: str, **fields: Any) -> Stream:
        """Attach and wait for the whole payload."""
        handle = self.request("attach_session", session=session, **fields)["handle"]
        stream = self.streams[handle]
        self.until(lambda: stream.painted)
        return stream

    def type(self, stream: Stream, data: bytes, request_id: int = 0) -> None:
        self.send_frame(client_api.BINARY, client_api.pack_binary(client_api.INPUT, stream.handle, request_id, data))

    def screen(self, session: str, form: str = "text", history: int | None = 0) -> tuple[Json, bytes]:
        """A screen as data."""
        result = self.request("get_screen", session=session, format=form, history=history)
        stream = self.streams[result["handle"]]
        self.until(lambda: stream.payloads)
        return result, stream.payloads[0]

    # -- receiving

    def until(self, done: Callable[[], object], limit_s: float = LIMIT_S) -> None:
        """Receive until `done()` is true. Raises TimeoutError, Closed."""
        deadline = time.monotonic() + limit_s
        while not done():
            self.socket.settimeout(max(deadline - time.monotonic(), 0.001))
            data = self.socket.recv(1 << 18)
            if not data:
                raise Closed
            for kind, payload in self.decoder.feed(data):
                self._take(kind, payload)

    def until_output(self, stream: Stream, needle: bytes, limit_s: float = LIMIT_S) -> None:
        searched = fresh = 0

        def found() -> bool:
            """Only what is new is looked through: a client that searches a whole flood again does not keep up."""
            nonlocal searched, fresh
            if fresh != len(stream.payloads):
                searched, fresh = 0, len(stream.payloads)
            at = stream.data.find(needle, max(0, searched - len(needle)))
            searched = len(stream.data)
            return at >= 0

        self.until(found, limit_s)

    def event(self, kind: str, **fields: Any) -> Json:
        """The first event of that kind with those fields."""

        def matching() -> list[Json]:
            wanted = {"type": kind, **fields}.items()
            return [event for event in self.events if wanted <= {k: v for k, v in event.items() if _plain(v)}.items()]

        self.until(matching)
        return matching()[0]

    def state(self, session: str) -> str:
        return str(self.sessions[session]["state"])

    def _take(self, kind: int, payload: bytes) -> None:
        if kind == client_api.BINARY:
            self._take_binary(*client_api.unpack_binary(payload))
            return
        body = json.loads(payload)
        self._keep(body)
        if body["type"] in ("attach_result", "screen_result"):
            stream = self.streams.setdefault(body["handle"], Stream(body["handle"]))
            stream.results.append(body)
            stream.payload.clear()
        if body.get("id") and body["type"] != "hello":
            self.replies[body["id"]] = body
        else:
            self.events.append(body)

    def _keep(self, body: Json) -> None:
        match body["type"]:
            case "hello":
                self.hello_body = body
                self.sessions = {session["id"]: session for session in body["sessions"]}
                self.conditions = body["conditions"]
            case "sessions_ready":
                self.hello_body["recovering"] = False
                self.sessions = {session["id"]: session for session in body["sessions"]}
            case "session_changed":
                self.sessions[body["session"]["id"]] = body["session"]
            case "session_removed":
                self.sessions.pop(body["session"], None)
            case "conditions_changed":
                self.conditions = body["conditions"]

    def _take_binary(self, kind: int, handle: int, offset: int, data: bytes) -> None:
        stream = self.streams[handle]
        stream.received_bytes += len(data)
        if kind == client_api.OUTPUT:
            stream.gaps += offset != stream.offset
            stream.data += data
            stream.offset = offset + len(data)
        else:
            stream.payload += data
            if kind == client_api.SNAPSHOT_END:
                stream.payloads.append(bytes(stream.payload))
                if stream.results[-1].get("payload") != "delta":
                    stream.data.clear()
                stream.data += stream.payload
                stream.offset = offset
        if self.acknowledge and kind != client_api.SNAPSHOT:
            self.send("pty_ack", handle=handle, offset=stream.offset)


def _plain(value: object) -> bool:
    return isinstance(value, str | int | bool | None)
