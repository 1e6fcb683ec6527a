"""What a worker decides, without touching the world: who hears what in which order, and how a session ends.

Events go in as method calls, effects come out as values in the order in which they are to happen. The ring's end is
the one clock of a session: output is forwarded in the same step in which it is numbered, so a HEAD that names an
offset stands on every connection exactly between the output before it and the output after it.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Collection, Iterator
from typing import Any, Final, Literal, NamedTuple

from attn.wire import worker_api as api
from attn.worker.ring import Ring

# Keystrokes, pastes and answers to queries that the program has not read yet.
INPUT_MAX_BYTES: Final = 1 << 20
# Answers to queries are typed only while less than this is unread.
ANSWERS_MAX_BYTES: Final = 64 << 10
# Bulk results in work on one connection; a daemon asks for one per attached client.
BULKS_MAX: Final = 32
ACTIVITY_MS: Final = 1000
# After the program's exit a grandchild may hold the terminal open; its last output must not be waited for in vain.
DRAIN_MS: Final = 250

Json = dict[str, Any]
Timer = Literal["activity", "drain"]


class Send(NamedTuple):
    """Put one frame on a connection."""

    connection: int
    kind: int
    payload: bytes


class Close(NamedTuple):
    """End a connection after what was sent on it."""

    connection: int


class Call(NamedTuple):
    """Perform a method and answer with `Host.answer`, `Host.refuse` or `Host.bulk`."""

    connection: int
    request_id: int
    method: str
    params: Json


class Later(NamedTuple):
    """Call `Host.due(timer)` once in `delay_ms`."""

    timer: Timer
    delay_ms: int


class Record(NamedTuple):
    """Put the last screen and the exit on disk, then call `Host.recorded`."""


class Leave(NamedTuple):
    """Nothing is left to do: deliver what is queued and end the process."""


Effect = Send | Close | Call | Later | Record | Leave


class Exit(NamedTuple):
    """How the program ended: one of code and signal is set."""

    code: int | None
    signal: int | None
    at_ms: int


class SliceFailed(Exception):
    """A bulk result cannot be finished."""


class InputRefused(Exception):
    """Nothing of an input was taken: a code, and the reason."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class _Peer:
    __slots__ = ("attached", "told_at_ms", "untold", "welcomed")

    def __init__(self) -> None:
        self.welcomed = self.attached = self.untold = False
        self.told_at_ms = -ACTIVITY_MS


class _Bulk(NamedTuple):
    connection: int
    request_id: int
    slices: Iterator[bytes]


class _Input(NamedTuple):
    data: bytes
    connection: int
    request_id: int


class Host:
    """The state of one session's worker, apart from its emulator."""

    def __init__(self, methods: Collection[str], first_offset: int = 0) -> None:
        self.ring = Ring(first=first_offset)
        self.exit: Exit | None = None
        self.last_output_at_ms: int | None = None
        self.dropped_inputs = 0
        self.accepted_bytes = 0
        """Bytes for the program that were queued so far."""
        self.taken_bytes = 0
        """How many of those the terminal took."""
        self._methods = methods
        self._peers: dict[int, _Peer] = {}
        self._bulks: deque[_Bulk] = deque()
        self._input: deque[_Input] = deque()
        self._input_bytes = 0
        self._written = 0
        self._closed = False
        self._finished = False
        self._recorded = False
        self._told = False
        self._ladder = False

    # -- connections ---------------------------------------------------------------------------------------------

    @property
    def connections(self) -> int:
        return len(self._peers)

    def connected(self, connection: int) -> None:
        self._peers[connection] = _Peer()

    def disconnected(self, connection: int) -> None:
        """Forget a connection with all that it waits for; what it typed is still typed."""
        self._peers.pop(connection, None)
        self._bulks = deque(bulk for bulk in self._bulks if bulk.connection != connection)

    def welcome(self, connection: int) -> None:
        """The peer proved that it may speak."""
        self._peers[connection].welcomed = True

    def received(self, connection: int, kind: int, payload: bytes) -> list[Effect]:
        """One frame from a peer."""
        peer = self._peers[connection]
        try:
            if kind == api.REQUEST:
                return self._request(connection, peer, api.unpack_json(payload))
            if kind == api.INPUT and peer.welcomed:
                return self._input_frame(connection, *api.unpack_input(payload))
        except ValueError:
            return [Close(connection)]
        # A kind of a later minor is not for us; before hello nothing is.
        return [] if peer.welcomed else [Close(connection)]

    def _input_frame(self, connection: int, request_id: int, data: bytes) -> list[Effect]:
        try:
            return self.type(data, connection, request_id)
        except InputRefused as refused:
            return self.refuse(connection, request_id, refused.code, str(refused)) if request_id else []

    def _request(self, connection: int, peer: _Peer, message: Json) -> list[Effect]:
        request_id, method, params = message.get("id"), message.get("method"), message.get("params", {})
        if type(request_id) is not int or not 0 < request_id <= 0xFFFFFFFF or not isinstance(params, dict):
            raise ValueError("a request has an id and params")
        if not peer.welcomed and method != "hello":
            return [*self.refuse(connection, request_id, "unauthorized", "hello comes first"), Close(connection)]
        if not isinstance(method, str) or method not in self._methods:
            return self.refuse(connection, request_id, "unknown_method", f"this worker knows no {method!r}")
        if method == "attach":
            peer.attached, peer.untold = True, False
            return self.answer(connection, request_id, {"offset": self.ring.end})
        if method == "detach":
            peer.attached = False
            return self.answer(connection, request_id, {})
        return [Call(connection, request_id, method, params)]

    def answer(self, connection: int, request_id: int, ok: Json) -> list[Effect]:
        """The RESPONSE of success; nothing when the peer is gone."""
        return self._respond(connection, {"id": request_id, "ok": ok})

    def refuse(self, connection: int, request_id: int, code: str, message: str) -> list[Effect]:
        """The RESPONSE of failure."""
        return self._respond(connection, {"id": request_id, "error": {"code": code, "message": message}})

    def _respond(self, connection: int, body: Json) -> list[Effect]:
        return [Send(connection, api.RESPONSE, api.pack_json(body))] if connection in self._peers else []

    def event(self, name: str, **fields: object) -> list[Effect]:
        """An EVENT to every peer."""
        payload = api.pack_json({"event": name, **fields})
        return [Send(number, api.EVENT, payload) for number, peer in self._peers.items() if peer.welcomed]

    # -- output --------------------------------------------------------------------------------------------------

    def output(self, data: bytes, at_ms: int) -> list[Effect]:
        """The program wrote `data` at `at_ms` (ms since 1970)."""
        offset = self.ring.end
        self.ring.append(data)
        self.last_output_at_ms = at_ms
        payload = b""
        effects: list[Effect] = []
        for number, peer in self._peers.items():
            if peer.attached:
                payload = payload or api.pack_output(offset, data)
                effects.append(Send(number, api.OUTPUT, payload))
            elif peer.welcomed and not peer.untold:
                peer.untold = True
                effects.append(Later("activity", max(0, min(ACTIVITY_MS, peer.told_at_ms + ACTIVITY_MS - at_ms))))
        return effects

    def _tell_activity(self, at_ms: int) -> list[Effect]:
        payload = api.pack_json({"event": "activity", "offset": self.ring.end, "at_ms": self.last_output_at_ms})
        effects: list[Effect] = []
        for number, peer in self._peers.items():
            if peer.untold:
                peer.untold, peer.told_at_ms = False, at_ms
                effects.append(Send(number, api.EVENT, payload))
        return effects

    # -- bulk results --------------------------------------------------------------------------------------------

    def bulk(self, connection: int, request_id: int, head: Json, slices: Iterator[bytes]) -> list[Effect]:
        """HEAD now, the slices as CHUNKs by `step`; an empty last one ends them."""
        peer = self._peers.get(connection)
        if peer is None:
            return []
        if sum(bulk.connection == connection for bulk in self._bulks) >= BULKS_MAX:
            return self.refuse(connection, request_id, "busy", f"{BULKS_MAX} screens are being sent already")
        self._bulks.append(_Bulk(connection, request_id, slices))
        return self.answer(connection, request_id, head)

    @property
    def bulks(self) -> int:
        """How many bulk results are unfinished."""
        return len(self._bulks)

    def step(self, takes: Callable[[int], bool]) -> list[Effect]:
        """One slice of the next bulk result whose connection `takes` more, in turn; nothing when none does."""
        for _ in range(len(self._bulks)):
            bulk = self._bulks.popleft()
            if not takes(bulk.connection):
                self._bulks.append(bulk)
                continue
            try:
                data = next(bulk.slices, None)
            except SliceFailed:
                return [Close(bulk.connection)]
            if data is None:
                return [Send(bulk.connection, api.CHUNK, api.pack_chunk(bulk.request_id, True, b""))]
            self._bulks.append(bulk)
            return [
                Send(bulk.connection, api.CHUNK, api.pack_chunk(bulk.request_id, False, data[at : at + step]))
                for step in (api.CHUNK_MAX_BYTES,)
                for at in range(0, len(data), step)
            ]
        return []

    # -- input ---------------------------------------------------------------------------------------------------

    def type(self, data: bytes, connection: int = 0, request_id: int = 0) -> list[Effect]:
        """Queue bytes for the program, behind all others: keys, pastes and answers to queries share one order.

        Raises InputRefused over INPUT_MAX_BYTES and after the end; then none of `data` is typed.
        """
        if self.exit is not None:
            self.dropped_inputs += 1
            raise InputRefused("exited", "the program has ended")
        if self._input_bytes + len(data) > INPUT_MAX_BYTES:
            self.dropped_inputs += 1
            raise InputRefused("input_full", f"the program has not read {self._input_bytes} bytes yet")
        self._input.append(_Input(data, connection, request_id))
        self._input_bytes += len(data)
        self.accepted_bytes += len(data)
        return self.typed(0) if not data else []

    def reply(self, answers: bytes) -> list[Effect]:
        """Queue a terminal's answers, in the same order as all that is typed.

        A program that asks and never reads gets no more of them, so that there is room for what a person types. Of
        answers that came at once it gets the first ones, each whole.
        """
        room = ANSWERS_MAX_BYTES - self._input_bytes if self.exit is None else 0
        if len(answers) > room:
            self.dropped_inputs += 1
            answers = answers[: _end_of_answers(answers, room)]
        return self.type(answers) if answers else []

    @property
    def pending_input(self) -> memoryview:
        """What the PTY is to get next; empty when there is nothing."""
        return memoryview(self._input[0].data)[self._written :] if self._input else memoryview(b"")

    def typed(self, count: int) -> list[Effect]:
        """The PTY took `count` bytes of `pending_input`."""
        self._written += count
        self._input_bytes -= count
        self.taken_bytes += count
        effects: list[Effect] = []
        while self._input and self._written == len(self._input[0].data):
            done = self._input.popleft()
            self._written = 0
            if done.request_id:
                effects += self.answer(done.connection, done.request_id, {"written": len(done.data)})
        return effects

    # -- the end -------------------------------------------------------------------------------------------------

    def terminal_closed(self) -> list[Effect]:
        """No process has the terminal open any more."""
        self._closed = True
        return self._finish() if self.exit is not None else []

    def program_exited(self, ended: Exit) -> list[Effect]:
        """The program is gone; its terminal may still hold output, or be held by a grandchild."""
        self.exit = ended
        effects: list[Effect] = []
        for waiting in self._input:
            if waiting.request_id:
                effects += self.refuse(waiting.connection, waiting.request_id, "exited", "the program has ended")
        self._input.clear()
        self._input_bytes = self._written = 0
        return [*effects, *(self._finish() if self._closed else [Later("drain", DRAIN_MS)])]

    def _finish(self) -> list[Effect]:
        if self._finished:
            return []
        self._finished = True
        return [Record()]

    def recorded(self) -> list[Effect]:
        """Exit and screen are on disk, or nobody will ever ask for them."""
        self._recorded = True
        return [*self.tell_exit(), *self._goodbye()]

    def tell_exit(self) -> list[Effect]:
        """The end of the program, once: also before it is on disk, when the disk takes nothing."""
        assert self.exit is not None
        if self._told:
            return []
        self._told = True
        code, signal, at_ms = self.exit
        facts = {"code": code, "signal": signal, "at_ms": at_ms, "last_output_at_ms": self.last_output_at_ms}
        return self.event("exit", offset=self.ring.end, **facts)

    def ladder(self, running: bool) -> list[Effect]:
        """The process tree is being ended (`running`), or that is over: the worker stays as long as it takes."""
        self._ladder = running
        return self._goodbye()

    def _goodbye(self) -> list[Effect]:
        if not self._recorded or self._ladder:
            return []
        return [*self.event("goodbye"), Leave()]

    def due(self, timer: Timer, at_ms: int) -> list[Effect]:
        """A timer that `Later` asked for; `at_ms` as in `output`."""
        return self._tell_activity(at_ms) if timer == "activity" else self._finish()


def _end_of_answers(answers: bytes, limit_bytes: int) -> int:
    """Where the last of the whole answers ends that are in the first bytes. Each begins with ESC, some end with ST."""
    starts = (match.start() for match in re.finditer(rb"\x1b(?!\\)", answers[: max(limit_bytes, 0) + 2]))
    return max((at for at in starts if at <= limit_bytes), default=0)
