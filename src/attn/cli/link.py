"""A client's end of the daemon's unix socket: greetings, requests with their answers, and the frames between."""

from __future__ import annotations

import socket
import time
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self, TypeVar

import msgspec

from attn import __version__
from attn.errors import AttnError
from attn.wire import client_api, framing
from attn.wire.client_events import (
    ConditionsChanged,
    DaemonHello,
    DaemonMessage,
    Error,
    ScreenResult,
    SessionsReady,
)
from attn.wire.client_requests import ClientHello, ClientMessage
from attn.wire.client_views import Message, Request

# One read; a whole acknowledgement window fits in a few.
RECEIVE_BYTES: Final = 256 << 10
# What may wait for a daemon that does not read: one message and some keys. More means that it hangs.
OUTGOING_MAX_BYTES: Final = 2 << 20
# Greeting and ordinary requests; those that wait by their nature say so themselves.
ANSWER_TIMEOUT_S: Final = 10.0

Answer = TypeVar("Answer", bound=Message)


class Frame(NamedTuple):
    """One binary frame: terminal bytes of the attach or screen with this `handle`."""

    kind: int
    handle: int
    offset: int
    data: bytes


class LinkLost(AttnError):
    """The daemon went away or stopped answering. Whatever was asked last may or may not have been done."""

    def __init__(self, message: str) -> None:
        super().__init__("daemon_unreachable", message, "run: attn status")


class Link:
    """A greeted connection.

    hello: the daemon's first message; `hello.sessions` and `hello.conditions` follow what it says later.
    All methods raise LinkLost when the connection ends, and AttnError with the daemon's code when it says no.
    """

    hello: DaemonHello

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._frames = framing.Decoder()
        self._incoming: deque[DaemonMessage | Frame] = deque()  # what one read brought: bounded by RECEIVE_BYTES
        self._outgoing = bytearray()
        self._last_id = 0

    @classmethod
    def open(cls, path: Path, timeout_s: float = ANSWER_TIMEOUT_S) -> Self:
        """Connect and greet. Raises OSError when nobody listens, AttnError `protocol_mismatch`, LinkLost."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(timeout_s)
            sock.connect(str(path))
            link = cls(sock)
            link.greet(timeout_s)
        except BaseException:
            sock.close()
            raise
        return link

    def greet(self, timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        """Say hello and hear it. Raises AttnError `protocol_mismatch` when no version is common."""
        self.send(ClientHello(protocol=client_api.PROTOCOL, build=__version__, client="cli"))
        deadline = time.monotonic() + timeout_s
        frames: list[tuple[int, bytes]] = []
        while not frames:
            frames = self._read(deadline)
        self.hello = _hello(frames[0][1])
        for kind, payload in frames[1:]:
            self._accept(kind, payload)

    def send(self, message: ClientMessage) -> None:
        """Send one message; in non-blocking mode what the socket does not take waits for `flush`."""
        try:
            payload = client_api.encoder.encode(message)
        except UnicodeEncodeError as error:  # bytes of a path or an argument that are no text
            raise AttnError("usage", f"{error.object[:200]!r} is not UTF-8", "give a name that is") from error
        self._put(client_api.JSON, payload)

    def send_input(self, handle: int, data: bytes) -> None:
        """Type `data` into the session of this attach."""
        self._put(client_api.BINARY, client_api.pack_binary(client_api.INPUT, handle, 0, data))

    def request(self, message: Request, answer: type[Answer], timeout_s: float | None = ANSWER_TIMEOUT_S) -> Answer:
        """Ask and wait: `message` gets its id here; frames and events meanwhile only update `hello`.

        Raises AttnError with the code of the daemon's `error`, LinkLost after `timeout_s` (None = wait for ever).
        """
        request_id = self.ask(message)
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            reply = self.receive(deadline)
            if isinstance(reply, Frame) or getattr(reply, "id", None) != request_id:
                continue
            if isinstance(reply, answer):
                return reply
            raise AttnError("bad_message", f"the daemon answered {type(message).__name__} with {type(reply).__name__}")

    def ask(self, message: Request) -> int:
        """Send a request without waiting; returns the id that its answer will carry."""
        self._last_id += 1
        message.id = self._last_id
        self.send(message)  # type: ignore[arg-type]  # every Request is one of ClientMessage
        return message.id

    def receive(self, deadline: float | None = None) -> DaemonMessage | Frame:
        """The next message or frame; `deadline` on the monotonic clock.

        An `error` is raised as AttnError with the daemon's code.
        """
        while not self._incoming:
            for kind, payload in self._read(deadline):
                self._accept(kind, payload)
        item = self._incoming.popleft()
        if isinstance(item, Error):
            raise AttnError(item.code, item.message, item.remedy)
        return item

    def payload(self, result: ScreenResult, timeout_s: float = ANSWER_TIMEOUT_S) -> list[bytes]:
        """The parts of the data that follow a screen_result; `timeout_s` is for each part."""
        parts: list[bytes] = []
        while True:
            item = self.receive(time.monotonic() + timeout_s)
            if isinstance(item, Frame) and item.handle == result.handle:
                parts.append(item.data)
                if item.kind == client_api.SNAPSHOT_END:
                    return parts

    def wait_recovered(self, timeout_s: float) -> None:
        """Return once the daemon has its sessions together. Raises AttnError `daemon_recovering` if it takes longer."""
        deadline = time.monotonic() + timeout_s
        while self.hello.recovering:
            try:
                self.receive(deadline)
            except LinkLost as lost:
                if time.monotonic() < deadline:
                    raise
                message = f"the daemon still looks after its sessions after {timeout_s:.0f} s"
                raise AttnError("daemon_recovering", message, "run the same command again") from lost

    # -- for a loop of one's own ---------------------------------------------------------------------------------

    def set_nonblocking(self) -> None:
        """From here on `send` never waits; watch `fileno`, call `arrived` and `flush`."""
        self._sock.setblocking(False)

    def fileno(self) -> int:
        return self._sock.fileno()

    @property
    def unsent_bytes(self) -> int:
        return len(self._outgoing)

    def arrived(self) -> list[DaemonMessage | Frame]:
        """Everything that is there now, errors included as messages. For non-blocking links."""
        try:
            data = self._sock.recv(RECEIVE_BYTES)
        except BlockingIOError:
            data = None
        except OSError as error:
            raise LinkLost(f"the connection to the daemon broke: {error}") from error
        if data is not None:
            for kind, payload in self._decode(data):
                self._accept(kind, payload)
        items = list(self._incoming)
        self._incoming.clear()
        return items

    def flush(self) -> None:
        """Send what waits, as far as the socket takes it."""
        try:
            while self._outgoing:
                del self._outgoing[: self._sock.send(self._outgoing)]
        except BlockingIOError:
            if len(self._outgoing) > OUTGOING_MAX_BYTES:
                raise LinkLost("the daemon does not read what it is sent") from None
        except OSError as error:
            raise LinkLost(f"the connection to the daemon broke: {error}") from error

    def close(self) -> None:
        self._sock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _put(self, kind: int, payload: bytes) -> None:
        if len(payload) > client_api.MAX_MESSAGE_BYTES:
            message = f"{len(payload)} bytes are too many for one message"
            raise AttnError("message_too_large", message, "send it in parts")
        self._outgoing += framing.encode(kind, payload)
        self.flush()

    def _read(self, deadline: float | None) -> list[tuple[int, bytes]]:
        remaining = None if deadline is None else max(deadline - time.monotonic(), 0.001)
        try:
            self._sock.settimeout(remaining)
            return self._decode(self._sock.recv(RECEIVE_BYTES))
        except TimeoutError as error:
            raise LinkLost("the daemon does not answer") from error
        except OSError as error:
            raise LinkLost(f"the connection to the daemon broke: {error}") from error

    def _decode(self, data: bytes) -> list[tuple[int, bytes]]:
        if not data:
            raise LinkLost("the daemon closed the connection")
        try:
            return self._frames.feed(data)
        except framing.FramingError as error:
            raise LinkLost(f"the daemon's answer cannot be read: {error}") from error

    def _accept(self, kind: int, payload: bytes) -> None:
        if kind == client_api.BINARY:
            self._incoming.append(Frame(*client_api.unpack_binary(payload)))
            return
        message = _message(payload)
        match message:
            case None:
                return
            case SessionsReady():
                self.hello.sessions, self.hello.recovering = message.sessions, False
            case ConditionsChanged():
                self.hello.conditions = message.conditions
        self._incoming.append(message)


class _Envelope(msgspec.Struct):
    """What every message of every version has, to read those that this version does not know."""

    type: str
    id: int = 0
    protocol: int = 0
    protocol_min: int = 0
    version: str = "?"


def _message(payload: bytes) -> DaemonMessage | None:
    """One message; None for an event of a newer daemon, which this client can do without."""
    try:
        message: DaemonMessage = client_api.daemon_decoder.decode(payload)
    except msgspec.ValidationError as error:
        envelope = msgspec.json.decode(payload, type=_Envelope)
        if envelope.id == 0:
            return None
        return Error(
            id=envelope.id,
            code="protocol_mismatch",
            message=f"the daemon's {envelope.type} cannot be read: {error}",
            remedy="run: attn daemon restart",
        )
    return message


def _hello(payload: bytes) -> DaemonHello:
    try:
        first = client_api.daemon_decoder.decode(payload)
    except msgspec.ValidationError:
        first = None
    if isinstance(first, Error):
        raise AttnError(first.code, first.message, first.remedy)
    envelope = msgspec.json.decode(payload, type=_Envelope)
    common = envelope.protocol_min <= client_api.PROTOCOL and envelope.protocol >= client_api.PROTOCOL_MIN
    if isinstance(first, DaemonHello) and common:
        return first
    raise AttnError(
        "protocol_mismatch",
        f"the daemon (attn {envelope.version}) speaks protocol {envelope.protocol_min} to {envelope.protocol}, "
        f"this attn {__version__} speaks {client_api.PROTOCOL_MIN} to {client_api.PROTOCOL}",
        "run: attn daemon restart",
    )
