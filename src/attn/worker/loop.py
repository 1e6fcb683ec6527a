"""The world's side of a worker's loop: descriptors that became ready, clocks that ran out, sockets with frames."""

from __future__ import annotations

import errno
import os
import select
import signal
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from attn.wire import framing
from attn.wire.launch import LENGTH, RECORD_MAX_BYTES, TAKEN_BACK
from attn.worker.listening import accept, listen_again

# A daemon reads all the time. One that left this much unread is gone or broken: it is cut off, and finds the truth
# again by a snapshot. Nothing that is less than a lost connection may cost a session memory or time.
OUT_MAX_BYTES: Final = 8 << 20
_READ_BYTES: Final = 64 << 10
# More connections than a daemon, its successor and some probes need.
CONNECTIONS_MAX: Final = 16
# While nobody is connected, whether the socket's name still stands is looked at this often.
LOOK_MS: Final = 5000
# One sendmsg takes this many frames; the kernel's own limit is 1024 (IOV_MAX).
_GATHER_FRAMES: Final = 64
# What a watched descriptor is ready for.
READ: Final = 1
WRITE: Final = 2
_DESCRIPTOR: Final = struct.Struct("i")


def now_ms() -> int:
    """Milliseconds of a clock that never jumps: for deadlines only."""
    return time.monotonic_ns() // 1_000_000


def wall_ms() -> int:
    """Milliseconds since 1970: for what people and files are told."""
    return time.time_ns() // 1_000_000


def redirect(errors: int) -> None:
    """Standard error becomes the descriptor `errors`, the other two lead nowhere; `errors` is closed."""
    nothing = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    for source, target in ((nothing, 0), (nothing, 1), (errors, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(errors)


_notes_left = 200
"""Lines that `note` may still write: `worker.err` is bounded over a worker's life."""


def note(text: str) -> None:
    """One line for `worker.err`: what nobody else can be told. On a full disk it is dropped, and nothing else fails."""
    if _may_note():
        try:
            os.write(2, f"{wall_ms()} {text}\n".encode(errors="replace"))
        except OSError:
            return


def note_failure() -> None:
    """The exception that is being handled, with its traceback, for `worker.err`."""
    if _may_note():
        sys.excepthook(*sys.exc_info())  # the interpreter's own: the module `traceback` would cost every fork


def _may_note() -> bool:
    global _notes_left  # noqa: PLW0603 - standard error is one a process as well
    _notes_left -= 1
    return _notes_left >= 0


def take_signals() -> None:
    """Handle signals as a worker does. The spawner does it once for all: enum members would cost every fork."""
    for number in (signal.SIGHUP, signal.SIGPIPE, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, _woken)


def _woken(number: int, frame: object) -> None:
    """The loop hears of it through the pipe."""


def signal_pipe() -> tuple[int, int]:
    """A pipe into which each signal that is handled puts its number: the end to read, and the one that is written."""
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    signal.set_wakeup_fd(ends[1], warn_on_full_buffer=False)
    return ends


class Loop:
    """Runs callbacks when descriptors are ready and when named timers are due; bounded by what is registered.

    On poll(2) itself: a worker has a dozen descriptors, and each layer above it costs every worker memory.
    """

    def __init__(self) -> None:
        self._poll = select.poll()
        self._watched: dict[int, tuple[int, Callable[[int], None]]] = {}
        self._timers: dict[str, tuple[int, Callable[[], None]]] = {}
        self.max_us = 0
        """The longest turn so far without its waiting, in microseconds."""

    def watch(self, file: int, ready: Callable[[int], None], *, readable: bool = True, writable: bool = False) -> None:
        """Call `ready(events)` whenever `file` can be read or written, whichever is asked for; replaces the last."""
        events = readable * READ | writable * WRITE
        if not events:
            self.forget(file)
            return
        if file not in self._watched or self._watched[file][0] != events:
            self._poll.register(file, readable * select.POLLIN | writable * select.POLLOUT)
        self._watched[file] = events, ready

    def forget(self, file: int) -> None:
        """Stop watching; to be called before the descriptor is closed."""
        if self._watched.pop(file, None) is not None:
            self._poll.unregister(file)

    def after(self, name: str, delay_ms: int, due: Callable[[], None]) -> None:
        """Call `due()` once in `delay_ms`; replaces the timer of the same name."""
        self._timers[name] = (now_ms() + delay_ms, due)

    def waits(self, name: str) -> bool:
        return name in self._timers

    def cancel(self, name: str) -> None:
        self._timers.pop(name, None)

    def turn(self, *, idle: bool) -> None:
        """Wait for something (not at all unless `idle`), then run what is ready and what is due."""
        timeout_ms: int | None = 0
        if idle:
            timeout_ms = None
            if self._timers:
                timeout_ms = max(0, min(due for due, _ in self._timers.values()) - now_ms())
        happened = self._poll.poll(timeout_ms)
        began_ns = time.monotonic_ns()
        for file, flags in happened:
            # An earlier callback of this turn may have closed this one.
            if file in self._watched:
                wanted, ready = self._watched[file]
                # An error or the other side's end is for whoever reads or writes next to see.
                ready(wanted & (bool(flags & ~select.POLLOUT) * READ | bool(flags & ~select.POLLIN) * WRITE))
        now = now_ms()
        for name in [name for name, (due, _) in self._timers.items() if due <= now]:
            entry = self._timers.pop(name, None)
            if entry is not None:
                entry[1]()
        self.max_us = max(self.max_us, (time.monotonic_ns() - began_ns) // 1000)


def receive_order(channel: socket.socket) -> tuple[bytes, int] | None:
    """The next order on `channel` and the descriptor to report on; None when the daemon is gone.

    Without a descriptor of its own the report goes to `channel`. Raises ValueError when it is no order.
    """
    # socket.recv_fds forgets its flags in Python 3.11, and the program must not inherit the descriptor.
    flags = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
    prefix, rights, _, _ = channel.recvmsg(LENGTH.size, socket.CMSG_SPACE(_DESCRIPTOR.size), flags)
    if not prefix:
        return None
    descriptors = [
        _DESCRIPTOR.unpack_from(data)[0]
        for level, kind, data in rights
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)
    ]
    prefix += _exactly(channel, LENGTH.size - len(prefix))
    (size,) = LENGTH.unpack(prefix)
    if size > RECORD_MAX_BYTES:
        raise ValueError(f"an order of {size} bytes is over the bound of {RECORD_MAX_BYTES}")
    return _exactly(channel, size), descriptors[0] if descriptors else os.dup(channel.fileno())


def heed(report: int) -> None:
    """Raises OSError when who gave the order gave up waiting for its report: a person was told that nothing runs.

    A daemon that merely ended takes nothing back: the next one finds the session.
    """
    ready, _, _ = select.select([report], [], [], 0)
    if ready and os.read(report, len(TAKEN_BACK)) == TAKEN_BACK:
        raise OSError(errno.ECANCELED, "the order was taken back, since it took too long")


def _exactly(channel: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = channel.recv(size - len(data))
        if not piece:
            raise ValueError("the order was cut off")
        data += piece
    return bytes(data)


class Disconnected(Exception):
    """The peer went away, broke the framing, or does not read."""


class Connection:
    """One peer: whole frames in, frames queued out. Never blocks; holds at most OUT_MAX_BYTES plus one frame."""

    def __init__(self, peer: socket.socket) -> None:
        self.socket = peer
        self.queued_bytes = 0
        self._queue: deque[bytes | memoryview] = deque()
        self._decoder = framing.Decoder()

    def receive(self) -> list[tuple[int, bytes]]:
        """The frames that are complete now. Raises Disconnected."""
        try:
            data = self.socket.recv(_READ_BYTES)
        except BlockingIOError:
            return []
        except OSError as error:
            raise Disconnected(error.strerror) from error
        if not data:
            raise Disconnected("closed by the peer")
        try:
            return self._decoder.feed(data)
        except framing.FramingError as error:
            raise Disconnected(str(error)) from error

    def send(self, kind: int, payload: bytes) -> None:
        """Queue one frame and write what the socket takes. Raises Disconnected, also when the peer does not read."""
        frame = framing.encode(kind, payload)
        self._queue.append(frame)
        self.queued_bytes += len(frame)
        self.flush()
        if self.queued_bytes > OUT_MAX_BYTES:
            raise Disconnected(f"{self.queued_bytes} bytes are unread")

    def flush(self) -> None:
        """Write what the socket takes. Raises Disconnected."""
        queue = self._queue
        while queue:
            try:
                if len(queue) == 1:
                    sent = self.socket.send(queue[0])
                else:
                    sent = self.socket.sendmsg([queue[index] for index in range(min(len(queue), _GATHER_FRAMES))])
            except BlockingIOError:
                return
            except OSError as error:
                raise Disconnected(error.strerror) from error
            self.queued_bytes -= sent
            while sent:
                first = queue.popleft()
                if sent < len(first):
                    queue.appendleft(memoryview(first)[sent:])
                    break
                sent -= len(first)


class Owner(Protocol):
    """Who hears what peers do."""

    def connected(self, number: int) -> None: ...
    def received(self, number: int, kind: int, payload: bytes) -> None: ...
    def disconnected(self, number: int) -> None: ...
    def drained(self) -> None:
        """Some peer took bytes that were queued for it."""


class Peers:
    """The connections to one listening socket, numbered from 1; a number is never used again."""

    def __init__(self, loop: Loop, listener: socket.socket, owner: Owner) -> None:
        self._loop = loop
        self._listener = listener
        self._owner = owner
        self._connections: dict[int, Connection] = {}
        self._last = 0
        loop.watch(listener.fileno(), self._arrived)
        loop.after("look", LOOK_MS, self._look)

    def queued_bytes(self, number: int) -> int:
        """What a peer has not taken yet."""
        return self._connections[number].queued_bytes

    def most_queued_bytes(self) -> int:
        """What the slowest peer has not taken yet."""
        return max((connection.queued_bytes for connection in self._connections.values()), default=0)

    def send(self, number: int, kind: int, payload: bytes) -> None:
        """One frame to a peer; nothing when it is gone, and it goes when it does not read."""
        connection = self._connections.get(number)
        if connection is None:
            return
        try:
            connection.send(kind, payload)
        except Disconnected as reason:
            note(f"connection {number} is over: {reason}")
            self.close(number)
        else:
            self._watch(number, connection)

    def close(self, number: int) -> None:
        """End a connection; the socket still delivers what it took."""
        connection = self._connections.pop(number, None)
        if connection is not None:
            self._loop.forget(connection.socket.fileno())
            connection.socket.close()
            self._owner.disconnected(number)
            self._look()

    def stop_listening(self) -> None:
        self._loop.cancel("look")
        self._loop.forget(self._listener.fileno())
        self._listener.close()

    def _look(self) -> None:
        """Whoever comes next needs our name in the file system; a cleaner, or the end of a login, may have taken it."""
        path = os.fsencode(self._listener.getsockname()) if self._listener.fileno() >= 0 else b""
        if self._connections or not path:
            return
        self._loop.after("look", LOOK_MS, self._look)
        try:
            os.lstat(path)  # whatever stands there now is not ours to remove
        except FileNotFoundError:
            fresh = listen_again(path)
            if fresh is not None:
                self.stop_listening()
                self._listener = fresh
                self._loop.watch(fresh.fileno(), self._arrived)
                self._look()

    def _arrived(self, _: int) -> None:
        peer = accept(self._listener)
        if peer is None:
            return
        if len(self._connections) >= CONNECTIONS_MAX:
            peer.close()
            return
        self._last += 1
        connection = self._connections[self._last] = Connection(peer)
        self._owner.connected(self._last)
        self._watch(self._last, connection)

    def _watch(self, number: int, connection: Connection) -> None:
        writable = connection.queued_bytes > 0
        self._loop.watch(
            connection.socket.fileno(), lambda events: self._ready(number, connection, events), writable=writable
        )

    def _ready(self, number: int, connection: Connection, events: int) -> None:
        try:
            if events & WRITE:
                connection.flush()
                self._watch(number, connection)
                self._owner.drained()
            if events & READ:
                for kind, payload in connection.receive():
                    if number not in self._connections:
                        return
                    self._owner.received(number, kind, payload)
        except Disconnected:
            self.close(number)
