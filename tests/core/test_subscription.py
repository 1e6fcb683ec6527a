"""Delivery to one client, as a state machine against a model of a worker, a wire and a client."""

from __future__ import annotations

import os
from collections import deque

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from attn.core import subscription
from attn.core.subscription import OUTPUT, SNAPSHOT, SNAPSHOT_END, Desync, RequestSnapshot, Send, Subscription
from attn.wire import client_api

WINDOW = 40
BACKLOG = 30
RING = 25
FULL = "ATTN_TEST_FULL" in os.environ


def test_kinds_are_those_of_the_wire() -> None:
    assert (OUTPUT, SNAPSHOT, SNAPSHOT_END) == (client_api.OUTPUT, client_api.SNAPSHOT, client_api.SNAPSHOT_END)


def attached(window: int = 1000, backlog: int = 1000, offset: int = 0, payload: bytes = b"screen") -> Subscription:
    """A subscription whose client has acknowledged its first snapshot."""
    sub = Subscription(window, backlog)
    assert sub.start() == [RequestSnapshot(None, None)]
    sub.on_head(offset)
    assert sub.on_chunk(payload, True) == [Send(SNAPSHOT_END, offset, payload)]
    assert sub.on_ack(offset) == []
    assert sub.in_flight_bytes == 0
    return sub


def test_a_client_that_keeps_up_gets_every_chunk_itself() -> None:
    sub = attached()
    offset = 0
    for size in (1, 5, 900):
        data = b"x" * size
        [effect] = sub.on_output(offset, data)
        assert isinstance(effect, Send) and effect.data is data and effect.offset == offset
        offset += size
        assert sub.on_ack(offset) == []
    assert sub.in_flight_bytes == 0


def test_output_before_the_head_is_left_to_the_snapshot_and_output_during_it_follows_it() -> None:
    sub = Subscription(1000, 1000)
    sub.start()
    assert sub.on_output(0, b"abc") == []
    sub.on_head(3)
    assert sub.on_chunk(b"one", False) == [Send(SNAPSHOT, 3, b"one")]
    assert sub.on_output(3, b"de") == []
    assert sub.on_chunk(b"two", True) == [Send(SNAPSHOT_END, 3, b"two"), Send(OUTPUT, 3, b"de")]


def test_a_slow_client_is_told_once_and_gets_a_snapshot_when_it_has_drained() -> None:
    sub = attached(window=10, backlog=10)
    assert sub.on_output(0, b"a" * 10) == [Send(OUTPUT, 0, b"a" * 10)]
    assert sub.on_output(10, b"b" * 10) == []
    assert sub.on_output(20, b"c") == [Desync("backlog")]
    assert sub.on_output(21, b"d" * 50) == []
    assert sub.on_ack(4) == []
    assert sub.on_ack(10) == [RequestSnapshot(10, "backlog")]
    sub.on_head(71)
    assert sub.on_chunk(b"now", True) == [Send(SNAPSHOT_END, 71, b"now")]
    assert sub.on_output(71, b"e") == [Send(OUTPUT, 71, b"e")]


def test_snapshot_bytes_hold_back_output_until_they_are_acknowledged() -> None:
    sub = Subscription(10, 100)
    sub.start()
    sub.on_head(5)
    sub.on_chunk(b"s" * 50, True)
    assert sub.in_flight_bytes == 50
    assert sub.on_output(5, b"live") == []
    assert sub.on_ack(5) == [Send(OUTPUT, 5, b"live")]


def test_a_client_that_was_away_goes_on_from_what_it_shows() -> None:
    sub = Subscription(100, 100)
    assert sub.start(since=7) == [RequestSnapshot(7, None)]
    sub.on_head(12)
    assert sub.on_chunk(b"hello", True) == [Send(SNAPSHOT_END, 12, b"hello")]


def test_a_link_that_comes_back_without_a_gap_is_not_noticed() -> None:
    sub = attached()
    sub.on_output(0, b"abc")
    assert sub.on_link_lost() == []
    assert sub.on_link_ready(3) == []
    assert sub.on_output(3, b"d") == [Send(OUTPUT, 3, b"d")]


def test_a_gap_after_a_lost_link_is_filled_from_where_the_client_is() -> None:
    sub = attached()
    sub.on_output(0, b"abc")
    sub.on_link_lost()
    assert sub.on_link_ready(9) == [Desync("worker")]
    assert sub.on_ack(3) == [RequestSnapshot(3, "worker")]


def test_a_snapshot_cut_off_by_the_link_is_asked_for_again_without_waiting() -> None:
    sub = Subscription(10, 10)
    sub.start()
    sub.on_head(5)
    sub.on_chunk(b"half", False)
    assert sub.on_link_lost() == [Desync("worker")]
    assert sub.on_chunk(b"late", True) == []
    assert sub.on_link_ready(9) == [RequestSnapshot(None, "worker")]


def test_after_half_of_the_missing_bytes_nobody_knows_where_the_client_is() -> None:
    sub = Subscription(100, 100)
    sub.start(since=7)
    sub.on_head(12)
    sub.on_chunk(b"he", False)
    sub.on_link_lost()
    assert sub.on_link_ready(12) == [RequestSnapshot(None, "worker")]


def test_a_resize_drops_what_was_meant_for_the_old_size() -> None:
    sub = attached(window=10)
    sub.on_output(0, b"a" * 10)
    sub.on_output(10, b"b")
    assert sub.restart("resized") == [Desync("resized")]
    assert sub.backlog_bytes == 0
    assert sub.on_ack(10) == [RequestSnapshot(None, "resized")]
    assert sub.restart("resized") == []


def test_a_resize_in_the_middle_of_a_snapshot_is_followed_by_another_one() -> None:
    sub = Subscription(100, 100)
    sub.start()
    sub.on_head(5)
    assert sub.restart("resized") == [Desync("resized")]
    assert sub.restart("resized") == []
    assert sub.on_output(5, b"x") == []
    assert sub.on_chunk(b"old", True) == [Send(SNAPSHOT_END, 5, b"old")]
    assert sub.on_ack(5) == [RequestSnapshot(None, "resized")]


def test_an_acknowledgement_of_bytes_never_sent_counts_for_no_more_than_was_sent() -> None:
    sub = attached(window=10)
    sub.on_output(0, b"a" * 10)
    sub.on_ack(10_000)
    assert sub.in_flight_bytes == 0
    sub.on_output(10, b"b" * 10)
    assert sub.in_flight_bytes == 10


class Delivery(RuleBasedStateMachine):
    """A worker with a ring, a wire in order, and a client that applies frames when it gets to them."""

    def __init__(self) -> None:
        super().__init__()
        self.sub = Subscription(WINDOW, BACKLOG)
        self.stream = bytearray()  # all the program ever wrote
        self.linked = True
        self.request: RequestSnapshot | None = None
        self.chunks: deque[tuple[bytes, bool]] | None = None  # of the fresh start being read from the worker
        self.wire: deque[tuple[str, int, bytes]] = deque()
        self.shown: bytes | None = None  # what the client's screen was fed with
        self.partial = b""
        self.delta = False
        self.unacked: deque[int] = deque()
        self.snapshots = 0
        self.desyncs_since_head = 0
        self.disturbed = False
        self.largest_payload = 0
        self.links_lost = 0
        self.perform(self.sub.start())

    def perform(self, effects: list[subscription.Effect]) -> None:
        for effect in effects:
            match effect:
                case Send(kind, offset, data):
                    self.wire.append((str(kind), offset, data))
                case RequestSnapshot():
                    assert self.request is None and self.chunks is None, "two fresh starts at once"
                    self.request = effect
                case Desync():
                    self.desyncs_since_head += 1
                    assert self.desyncs_since_head <= 1, "said twice"
                    self.disturbed = True

    @rule(data=st.binary(min_size=1, max_size=15))
    def write(self, data: bytes) -> None:
        offset = len(self.stream)
        self.stream += data
        if self.linked:
            self.perform(self.sub.on_output(offset, data))

    @precondition(lambda self: self.linked and self.request is not None)
    @rule(parts=st.integers(1, 3))
    def head(self, parts: int) -> None:
        assert self.request is not None
        offset, since = len(self.stream), self.request.since
        in_ring = since is not None and offset - RING <= since <= offset
        payload = bytes(self.stream[since:]) if in_ring else bytes(self.stream)
        self.wire.append(("delta" if in_ring else "snapshot", offset, b""))
        self.perform(self.sub.on_head(offset))
        step = max(1, -(-len(payload) // parts))
        pieces = [payload[i : i + step] for i in range(0, len(payload), step)] or [b""]
        self.chunks = deque((piece, i == len(pieces) - 1) for i, piece in enumerate(pieces))
        self.largest_payload = max(self.largest_payload, len(payload))
        self.request = None
        self.snapshots += 1
        self.desyncs_since_head = 0

    @precondition(lambda self: self.chunks)
    @rule()
    def chunk(self) -> None:
        assert self.chunks
        piece, last = self.chunks.popleft()
        if last:
            self.chunks = None
        self.perform(self.sub.on_chunk(piece, last))

    @precondition(lambda self: self.wire)
    @rule()
    def client_applies(self) -> None:
        kind, offset, data = self.wire.popleft()
        if kind in ("snapshot", "delta"):
            self.partial = b""
            self.delta = kind == "delta"
        elif kind in (str(SNAPSHOT), str(SNAPSHOT_END)):
            if self.delta:
                assert self.shown is not None
                self.shown += data  # a delta is applied as it comes and cannot be taken back
            else:
                self.partial += data
            if kind == str(SNAPSHOT_END):
                self.shown = self.shown if self.delta else self.partial
                assert self.shown is not None and len(self.shown) == offset
                self.unacked.append(offset)
        else:
            assert self.shown is not None and offset == len(self.shown), "a gap or a repeated byte"
            self.shown += data
            self.unacked.append(len(self.shown))

    @precondition(lambda self: self.unacked)
    @rule()
    def client_acknowledges(self) -> None:
        self.perform(self.sub.on_ack(self.unacked.popleft()))

    @precondition(lambda self: self.linked)
    @rule()
    def lose_link(self) -> None:
        self.linked, self.request, self.chunks, self.disturbed = False, None, None, True
        self.links_lost += 1
        self.perform(self.sub.on_link_lost())

    @precondition(lambda self: not self.linked)
    @rule()
    def link_again(self) -> None:
        self.linked = True
        self.perform(self.sub.on_link_ready(len(self.stream)))

    @rule()
    def resize(self) -> None:
        self.disturbed = True
        self.perform(self.sub.restart("resized"))

    @invariant()
    def true_prefix(self) -> None:
        if self.shown is not None:
            assert self.shown == self.stream[: len(self.shown)]

    @invariant()
    def bounded_queue(self) -> None:
        assert self.sub.backlog_bytes <= BACKLOG
        ahead = sum(len(data) for kind, _, data in self.wire if kind == str(OUTPUT))
        assert ahead <= WINDOW

    @invariant()
    def at_most_one_snapshot_in_flight(self) -> None:
        heads = sum(kind in ("snapshot", "delta") for kind, _, _ in self.wire)
        assert heads <= 1 + self.links_lost, "another fresh start was sent before the last one was acknowledged"

    @invariant()
    def one_snapshot_for_a_client_that_keeps_up(self) -> None:
        assert self.disturbed or self.snapshots <= 1

    def teardown(self) -> None:
        """Output has stopped: whatever happened before, the client ends with all of it."""
        if not self.linked:
            self.link_again()
        for _ in range(10_000):
            if self.chunks:
                self.chunk()
            elif self.request is not None:
                self.head(2)
            elif self.wire:
                self.client_applies()
            elif self.unacked:
                self.client_acknowledges()
            else:
                break
        assert self.shown == self.stream
        assert self.sub.live and self.sub.in_flight_bytes == 0 and self.sub.backlog_bytes == 0


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=WINDOW), st.integers(1, 4)), max_size=30), st.integers(0, 99))
def test_a_client_that_keeps_up_gets_exactly_one_snapshot(writes: list[tuple[bytes, int]], begin: int) -> None:
    """However it is written, split and acknowledged, as long as no more than a window is on its way."""
    sub = attached(window=WINDOW, backlog=BACKLOG, offset=begin)
    offset, shown = begin, bytearray()
    for data, parts in writes:
        for start in range(0, len(data), step := -(-len(data) // parts)):
            piece = data[start : start + step]
            effects = sub.on_output(offset, piece)
            assert effects == [Send(OUTPUT, offset, piece)]
            offset += len(piece)
            shown += piece
        assert sub.on_ack(offset) == []
    assert shown == b"".join(data for data, _ in writes)
    assert sub.live and sub.backlog_bytes == sub.in_flight_bytes == 0


Delivery.TestCase.settings = settings(max_examples=3000 if FULL else 150, stateful_step_count=60, deadline=None)
TestDelivery = Delivery.TestCase
