"""A small blocking client of the worker protocol, and the start of real workers through a real spawner."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attn
from attn.bundle.bundle import Bundle
from attn.bundle.records import Meta, Spec
from attn.wire import framing
from attn.wire import worker_api as api
from attn.wire.launch import pack_request
from tests.waiting import wait_until

DAEMON_ID = "test-daemon"
# Generous: the machine may be busy, and nothing waits this long when all is well.
LIMIT_S = 20.0
ENV = {"PATH": "/usr/local/bin:/usr/bin:/bin", "TERM": "xterm-256color", "HOME": "/", "LANG": "C.UTF-8", "PS1": "$ "}


class Refused(Exception):
    """The worker answered with an error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class Gone(Exception):
    """The worker closed the connection."""


class Client:
    """One connection. Collects output and events while it waits for answers."""

    def __init__(self, path: str, *, receive_buffer: int | None = None) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(LIMIT_S)
        try:
            self.socket.connect(path)
        except OSError:
            self.socket.close()
            raise
        self.decoder = framing.Decoder()
        self.last_id = 0
        self.frames: list[tuple[int, bytes]] = []
        self.output = bytearray()
        self.next_offset: int | None = None
        self.gaps = 0
        self.events: list[dict[str, Any]] = []
        self.answers: dict[int, dict[str, Any]] = {}
        self.chunks: dict[int, bytearray] = {}
        self.finished: set[int] = set()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def pump(self, timeout_s: float) -> None:
        """Take what arrives within `timeout_s`. Raises Gone, TimeoutError."""
        ready, _, _ = select.select([self.socket], [], [], max(0.0, timeout_s))
        if not ready:
            raise TimeoutError("the worker said nothing")
        data = self.socket.recv(1 << 16)
        if not data:
            raise Gone
        for kind, payload in self.decoder.feed(data):
            self._take(kind, payload)

    def _take(self, kind: int, payload: bytes) -> None:
        if kind == api.OUTPUT:
            offset, data = api.unpack_output(payload)
            if self.next_offset is not None and offset != self.next_offset:
                self.gaps += 1
            self.next_offset = offset + len(data)
            self.output += data
        elif kind == api.EVENT:
            self.events.append(api.unpack_json(payload))
        elif kind == api.RESPONSE:
            body = api.unpack_json(payload)
            self.answers[body["id"]] = body
        elif kind == api.CHUNK:
            request_id, last, data = api.unpack_chunk(payload)
            self.chunks.setdefault(request_id, bytearray()).extend(data)
            if last:
                self.finished.add(request_id)

    def until(self, done: Callable[[], object], limit_s: float = LIMIT_S) -> None:
        """Pump until `done()` is true. Raises TimeoutError, Gone."""
        deadline = time.monotonic() + limit_s
        while not done():
            self.pump(deadline - time.monotonic())

    def ask(self, method: str, **params: Any) -> int:
        self.last_id += 1
        body = api.pack_json({"id": self.last_id, "method": method, "params": params})
        self.socket.sendall(framing.encode(api.REQUEST, body))
        return self.last_id

    def result(self, request_id: int, limit_s: float = LIMIT_S) -> dict[str, Any]:
        self.until(lambda: request_id in self.answers, limit_s)
        body = self.answers.pop(request_id)
        if "error" in body:
            raise Refused(body["error"]["code"], body["error"]["message"])
        answer: dict[str, Any] = body["ok"]
        return answer

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        return self.result(self.ask(method, **params))

    def fetch(self, method: str, **params: Any) -> tuple[dict[str, Any], bytes]:
        """A method with a bulk result: HEAD and payload."""
        request_id = self.ask(method, **params)
        head = self.result(request_id)
        self.until(lambda: request_id in self.finished)
        return head, bytes(self.chunks.pop(request_id))

    def type(self, data: bytes, request_id: int = 0) -> None:
        self.socket.sendall(framing.encode(api.INPUT, api.pack_input(request_id, data)))

    def text(self, history: int | None = 0) -> str:
        return self.fetch("screen", format="text", history=history)[1].decode()

    def wait_text(self, needle: str, limit_s: float = LIMIT_S) -> str:
        """Until `needle` stands on the screen."""
        deadline = time.monotonic() + limit_s
        while needle not in (shown := self.text(None)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{needle!r} is not on the screen:\n{shown[-2000:]}")
            try:
                self.until(self._something_after(len(self.events)), 0.2)
            except TimeoutError:
                continue
        return shown

    def _something_after(self, seen: int) -> Callable[[], bool]:
        return lambda: len(self.events) > seen

    def event(self, name: str, limit_s: float = LIMIT_S) -> dict[str, Any]:
        self.until(lambda: any(event["event"] == name for event in self.events), limit_s)
        return next(event for event in self.events if event["event"] == name)


class Session:
    """One started session: its bundle, its worker, its program."""

    def __init__(self, bundle: Bundle, socket_path: str, worker_pid: int, child_pid: int) -> None:
        self.bundle = bundle
        self.socket_path = socket_path
        self.worker_pid = worker_pid
        self.child_pid = child_pid

    def connect(self, *, attach: bool = False, receive_buffer: int | None = None) -> Client:
        client = Client(self.socket_path, receive_buffer=receive_buffer)
        try:
            client.call("hello", **hello(self.bundle.control()))
            if attach:
                client.next_offset = client.call("attach")["offset"]
        except BaseException:
            client.socket.close()
            raise
        return client


def hello(token: str, daemon_id: str = DAEMON_ID) -> dict[str, Any]:
    return {"token": token, "daemon_id": daemon_id, "protocol": [1, 1], "build": attn.__version__}


class LaunchFailed(Exception):
    """The worker reported an error instead of a running program."""

    def __init__(self, line: str) -> None:
        super().__init__(line)
        self.code = line.split()[1]


class Launcher:
    """A spawner (or none: then workers are exec'd), and the bundles of the sessions that it started."""

    def __init__(self, root: Path, *, by_exec: bool = False) -> None:
        self.root = root
        self.sessions: list[Session] = []
        self.process: subprocess.Popen[bytes] | None = None
        self.executed: list[subprocess.Popen[bytes]] = []
        self.greeting = ""
        if not by_exec:
            self.channel, theirs = socket.socketpair()
            self.process = _execute("attn.worker.spawner", theirs)
            self.greeting = _line(self.channel)

    def start(
        self,
        *argv: str,
        rows: int = 24,
        cols: int = 80,
        env: Mapping[str, str] = ENV,
        cwd: str = "/",
        emulator: bool = True,
    ) -> Session:
        """A session that runs `argv`. Raises LaunchFailed."""
        session_id = f"s{len(list(self.root.iterdir())):09d}"
        bundle = Bundle(self.root / session_id)
        spec = Spec(
            session_id=session_id, daemon_id=DAEMON_ID, argv=list(argv), cwd=cwd, env_names=sorted(env), agent="",
            label=session_id, rows=rows, cols=cols, created_at_ms=0, build=attn.__version__, emulator=emulator,
        )  # fmt: skip
        bundle.create(spec, Meta(label=session_id, order=0))
        path = str(self.root / f"{session_id[-4:]}.s")
        record = pack_request(
            session_id=session_id, bundle_dir=str(bundle.path), socket_path=path, rows=rows, cols=cols,
            scrollback_lines=10_000, emulator=emulator, umask=0o022, cwd=cwd, argv=list(argv), env=env,
        )  # fmt: skip
        line = self.order(record)
        if not line.startswith("ok "):
            raise LaunchFailed(line or "error nothing")
        _, worker_pid, child_pid = line.split()
        session = Session(bundle, path, int(worker_pid), int(child_pid))
        self.sessions.append(session)
        return session

    def order(self, record: bytes) -> str:
        """Hand over one order; the line that the worker reports, empty when it died."""
        report, theirs = socket.socketpair()
        channel, fallback = (self.channel, None) if self.process is not None else socket.socketpair()
        if fallback is not None:
            self.executed.append(_execute("attn.worker.server", fallback))
        sent = socket.send_fds(channel, [record], [theirs.fileno()])
        channel.sendall(record[sent:])
        theirs.close()
        if fallback is not None:
            channel.close()
        with report:
            return _line(report)

    def close(self) -> None:
        """End the spawner and whatever its sessions still run; wait for all of it."""
        if self.process is not None:
            self.channel.close()
            self.process.wait(LIMIT_S)
        for session in self.sessions:
            end(session)
        for process in self.executed:
            process.wait(LIMIT_S)


def end(session: Session) -> None:
    """End a session's programs and wait until its worker is gone."""
    try:
        with session.connect() as client:
            client.call("remove")
    except (OSError, Gone, Refused):
        pass  # it is over already
    wait_until(lambda: not (session.bundle.path.exists() and session.bundle.lock_held()), LIMIT_S, "the worker's end")


def alive(pid: int) -> bool:
    """Does a process run (a zombie does not)?"""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except FileNotFoundError:
        return False
    return stat[stat.rindex(b")") + 2 :].split()[0] not in (b"Z", b"X")


def _execute(module: str, theirs: socket.socket) -> subprocess.Popen[bytes]:
    command: Sequence[str] = [sys.executable, "-I", "-m", module, str(theirs.fileno())]
    process = subprocess.Popen(
        command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, cwd="/", start_new_session=True,
        env={**os.environ, "ATTN_HOME": "/nonexistent"},
    )  # fmt: skip
    theirs.close()
    return process


def _line(channel: socket.socket) -> str:
    channel.settimeout(LIMIT_S)
    data = b""
    while not data.endswith(b"\n"):
        piece = channel.recv(4096)
        if not piece:
            break
        data += piece
    channel.settimeout(None)
    return data.decode().strip()


def gone(session: Session) -> None:
    wait_until(lambda: not session.bundle.lock_held(), LIMIT_S, "the worker to leave")
