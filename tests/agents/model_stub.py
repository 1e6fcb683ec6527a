"""A local stand-in for the two model APIs, the only thing of the agents that these tests do not run for real."""

from __future__ import annotations

import json
import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self

from tests.agents import model_apis, model_scripts
from tests.agents.model_apis import Dialect, Json
from tests.agents.model_scripts import Hold, Say, Step

# Between two pieces of a stream: about the pace of a real model.
PACE_S: Final = 0.02
# A test that forgot to release the stream fails by its own time-out first.
HOLD_MAX_S: Final = 90.0
# Requests kept for a failing test to print.
KEPT_REQUESTS: Final = 200


class ModelStub:
    """The running stub. `held` is set while a stream waits for `release`."""

    def __init__(self) -> None:
        self.held = threading.Event()
        self.requests: deque[str] = deque(maxlen=KEPT_REQUESTS)
        self._released = threading.Event()
        self._answers = threading.Condition()
        self._answered: list[str] = []
        self._closing = threading.Event()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, name="model-stub", daemon=True)

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def release(self) -> None:
        """Lets the held stream go on."""
        self._released.set()

    def wait_answered(self, prompt: str, timeout_s: float) -> None:
        """Returns once the whole answer to `prompt` was sent; AssertionError after `timeout_s`."""
        with self._answers:
            if not self._answers.wait_for(lambda: any(prompt in said for said in self._answered), timeout_s):
                raise AssertionError(f"no whole answer to {prompt!r} was sent; requests so far: {list(self.requests)}")

    def answers(self) -> list[str]:
        """The prompts that were answered as a whole, in order."""
        with self._answers:
            return list(self._answered)

    def note_answered(self, prompt: str) -> None:
        """Called by a handler at the end of an answer."""
        with self._answers:
            self._answered.append(prompt)
            self._answers.notify_all()

    def pace(self) -> None:
        """Waits as long as a model takes for a few words."""
        self._closing.wait(PACE_S)

    def hold(self) -> None:
        """Waits for `release`, at most HOLD_MAX_S."""
        self.held.set()
        self._released.wait(HOLD_MAX_S)
        self._released.clear()
        self.held.clear()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._closing.set()
        self._released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, stub: ModelStub) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.stub = stub

    def handle_error(self, request: Any, client_address: Any) -> None:
        """An agent that was killed or interrupted drops its connection; that is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        """Requests are kept by the stub instead of printed."""
        self.server.stub.requests.append(format % args)

    def do_GET(self) -> None:
        if self.path.split("?")[0].endswith("/models"):
            models = [{"id": "stub-model", "object": "model", "created": 0, "owned_by": "stub"}]
            self._answer(200, {"object": "list", "data": models, "has_more": False})
        else:
            self._answer(404, {"error": {"type": "not_found_error", "message": "the stub has no such path"}})

    do_HEAD = do_GET  # noqa: N815 - the name http.server looks for

    def do_POST(self) -> None:
        path = self.path.split("?")[0]
        request = json.loads(self._body() or b"{}")
        if path.endswith("/responses"):
            prompt = model_apis.openai_prompt(request)
            aside = "Stub title" if model_apis.openai_wants_title(request) else None
            self._converse(request, prompt, aside, model_apis.openai_events)
        elif path.endswith("/messages"):
            prompt = model_apis.anthropic_prompt(request)
            self._converse(request, prompt, model_apis.anthropic_aside(request), model_apis.anthropic_events)
        elif path.endswith("/count_tokens"):
            self._answer(200, {"input_tokens": 20})
        else:
            self._answer(404, {"error": {"type": "not_found_error", "message": "the stub has no such path"}})

    def _converse(self, request: Json, prompt: model_scripts.Prompt, aside: str | None, dialect: Dialect) -> None:
        steps: list[Step] = model_scripts.steps(prompt) if aside is None else [Say(aside)]
        if not request.get("stream"):
            self._answer(200, model_apis.anthropic_message(request, steps))
            return
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for number, event in enumerate(dialect(request, steps)):
            if isinstance(event, Hold):
                self.server.stub.hold()
                continue
            self._chunk(f"event: {event['type']}\ndata: {json.dumps(event | {'sequence_number': number})}\n\n")
            self.server.stub.pace()
        self._chunk("")
        if aside is None:
            self.server.stub.note_answered(prompt.text)

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("transfer-encoding", ""):
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _chunk(self, text: str) -> None:
        data = text.encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def _answer(self, status: int, value: Json) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
