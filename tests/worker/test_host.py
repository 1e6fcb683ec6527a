"""The decisions of a worker: order, bounds, the end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attn.wire import worker_api as api
from attn.worker import host as host_module
from attn.worker.host import Call, Close, Effect, Exit, Host, InputRefused, Later, Leave, Record, Send, SliceFailed

METHODS = {"hello", "attach", "detach", "snapshot", "info"}


def make(*connections: int) -> Host:
    host = Host(METHODS)
    for connection in connections:
        host.connected(connection)
        host.welcome(connection)
    return host


def ask(host: Host, connection: int, method: str, request_id: int = 1, **params: Any) -> list[Effect]:
    return host.received(connection, api.REQUEST, api.pack_json({"id": request_id, "method": method, "params": params}))


def answers(effects: list[Effect]) -> list[Any]:
    return [api.unpack_json(e.payload) for e in effects if isinstance(e, Send) and e.kind in (api.RESPONSE, api.EVENT)]


# -- who may speak ---------------------------------------------------------------------------------------------------


def test_nothing_is_served_before_hello() -> None:
    host = Host(METHODS)
    host.connected(1)
    refused, closed = ask(host, 1, "info")
    assert answers([refused])[0]["error"]["code"] == "unauthorized"
    assert closed == Close(1)
    assert host.received(1, api.INPUT, api.pack_input(0, b"rm -rf /\r")) == [Close(1)]
    assert not host.pending_input
    assert ask(host, 1, "hello", token="t") == [Call(1, 1, "hello", {"token": "t"})]


@pytest.mark.parametrize(
    "payload", [b"", b"x", b"[]", b'{"id":0}', b'{"id":"1"}', b'{"id":4294967296}', b'{"id":true}']
)
def test_a_request_that_is_none_ends_the_connection(payload: bytes) -> None:
    assert make(1).received(1, api.REQUEST, payload) == [Close(1)]


def test_an_unknown_method_is_an_answer_and_an_unknown_kind_is_ignored() -> None:
    host = make(1)
    assert answers(ask(host, 1, "levitate", 7)) == [
        {"id": 7, "error": {"code": "unknown_method", "message": "this worker knows no 'levitate'"}}
    ]
    assert host.received(1, 99, b"from the future") == []


def test_a_peer_that_went_away_is_not_answered() -> None:
    host = make(1)
    host.disconnected(1)
    assert host.answer(1, 5, {}) == []
    assert host.refuse(1, 5, "x", "y") == []
    assert host.bulk(1, 5, {}, iter([b"x"])) == []


# -- output ----------------------------------------------------------------------------------------------------------


def test_output_goes_to_those_attached_from_their_offset_on() -> None:
    host = make(1, 2)
    host.output(b"before", 0)
    assert answers(ask(host, 1, "attach")) == [{"id": 1, "ok": {"offset": 6}}]
    sent = [e for e in host.output(b"after", 0) if isinstance(e, Send)]
    assert sent == [Send(1, api.OUTPUT, api.pack_output(6, b"after"))]
    ask(host, 1, "detach")
    assert not any(isinstance(e, Send) for e in host.output(b"x", 0))


def test_those_not_attached_hear_of_activity_once_a_second() -> None:
    host = make(1)
    assert host.output(b"a", 5000) == [Later("activity", 0)]
    assert answers(host.due("activity", 5000)) == [{"event": "activity", "offset": 1, "at_ms": 5000}]
    assert host.output(b"b", 5300) == [Later("activity", 700)]
    assert host.output(b"c", 5900) == []
    assert answers(host.due("activity", 6000)) == [{"event": "activity", "offset": 3, "at_ms": 5900}]
    assert host.due("activity", 6000) == []


def test_a_clock_that_jumps_back_does_not_silence_activity() -> None:
    host = make(1)
    host.output(b"a", 10_000_000)
    host.due("activity", 10_000_000)
    assert host.output(b"b", 5) == [Later("activity", 1000)]


# -- bulk results ----------------------------------------------------------------------------------------------------


def run_bulks(host: Host) -> list[tuple[int, int, bool, bytes]]:
    chunks = []
    while effects := host.step(lambda _: True):
        chunks += [(e.connection, *api.unpack_chunk(e.payload)) for e in effects if isinstance(e, Send)]
    return chunks


def test_a_bulk_result_is_head_then_chunks_of_bounded_size() -> None:
    host = make(1)
    assert answers(host.bulk(1, 9, {"payload": "snapshot"}, iter([b"a" * 100_000, b"b"]))) == [
        {"id": 9, "ok": {"payload": "snapshot"}}
    ]
    chunks = run_bulks(host)
    assert b"".join(data for *_, data in chunks) == b"a" * 100_000 + b"b"
    assert [last for _, _, last, _ in chunks] == [False, False, False, True]
    assert max(len(data) for *_, data in chunks) <= api.CHUNK_MAX_BYTES
    assert host.bulks == 0


def test_bulk_results_take_turns_and_wait_for_slow_connections() -> None:
    host = make(1, 2)
    host.bulk(1, 1, {}, iter([b"1"] * 3))
    host.bulk(2, 2, {}, iter([b"2"] * 3))
    order = [host.step(lambda _: True)[0].connection for _ in range(4)]  # type: ignore[union-attr]
    assert order == [1, 2, 1, 2]
    assert {e.connection for _ in range(2) for e in host.step(lambda c: c == 2)} == {2}  # type: ignore[union-attr]
    assert host.step(lambda c: c == 2) == []
    assert host.bulks == 1


def test_a_bulk_result_that_fails_ends_its_connection() -> None:
    def broken() -> Iterator[bytes]:
        yield b"x"
        raise SliceFailed("no")

    host = make(1)
    host.bulk(1, 1, {}, broken())
    host.step(lambda _: True)
    assert host.step(lambda _: True) == [Close(1)]
    assert host.bulks == 0


def test_bulk_results_are_bounded_and_end_with_their_connection() -> None:
    host = make(1, 2)
    for number in range(host_module.BULKS_MAX):
        host.bulk(1, number + 1, {}, iter([b"x"]))
    assert answers(host.bulk(1, 99, {}, iter([])))[0]["error"]["code"] == "busy"
    assert "ok" in answers(host.bulk(2, 1, {}, iter([])))[0]
    host.disconnected(1)
    assert host.bulks == 1


ACTIONS = st.one_of(
    st.tuples(st.just("output"), st.binary(min_size=1, max_size=20)),
    st.tuples(st.sampled_from(["attach", "detach", "snapshot"]), st.sampled_from([1, 2])),
    st.tuples(st.just("step"), st.just(0)),
)


@given(st.lists(ACTIONS, max_size=60))
def test_every_connection_sees_the_stream_in_order_and_each_head_at_its_offset(actions: list[tuple[str, Any]]) -> None:
    """On a connection, output is contiguous from `attach` on, and a HEAD stands exactly at its offset."""
    host = make(1, 2)
    effects: list[Effect] = []
    for number, (action, value) in enumerate(actions, 1):
        if action == "output":
            effects += host.output(value, 0)
        elif action == "step":
            effects += host.step(lambda _: True)
        elif action == "snapshot":
            effects += host.bulk(value, number, {"offset": host.ring.end}, iter([b"s"]))
        else:
            effects += ask(host, value, action, number)
    whole, expected = host.ring.since(0), {1: -1, 2: -1}
    for effect in effects:
        if not isinstance(effect, Send):
            continue
        if effect.kind == api.OUTPUT:
            offset, data = api.unpack_output(effect.payload)
            assert offset == expected[effect.connection]
            assert whole is not None and whole[offset : offset + len(data)] == data
            expected[effect.connection] = offset + len(data)
        elif effect.kind == api.RESPONSE:
            offset = api.unpack_json(effect.payload)["ok"].get("offset")
            if offset is not None:
                assert offset >= expected[effect.connection]
                expected[effect.connection] = offset


# -- input -----------------------------------------------------------------------------------------------------------


def drain(host: Host, step: int) -> tuple[bytes, list[Any]]:
    taken, told = b"", []
    while pending := host.pending_input:
        piece = bytes(pending[:step])
        taken += piece
        told += answers(host.typed(len(piece)))
    return taken, told


def test_input_keeps_one_order_and_each_is_answered_when_all_of_it_is_taken() -> None:
    host = make(1)
    host.received(1, api.INPUT, api.pack_input(4, b"abc"))
    host.type(b"\x1b[1;1R")
    host.received(1, api.INPUT, api.pack_input(0, b"d"))
    host.received(1, api.INPUT, api.pack_input(5, b"ef"))
    assert answers(host.typed(2)) == []
    taken, told = drain(host, 1)
    assert b"ab" + taken == b"abc\x1b[1;1Rdef"
    assert told == [{"id": 4, "ok": {"written": 3}}, {"id": 5, "ok": {"written": 2}}]


def test_empty_input_is_answered_in_its_turn() -> None:
    host = make(1)
    assert answers(host.received(1, api.INPUT, api.pack_input(4, b""))) == [{"id": 4, "ok": {"written": 0}}]
    host.type(b"x")
    assert host.received(1, api.INPUT, api.pack_input(5, b"")) == []
    assert drain(host, 1) == (b"x", [{"id": 5, "ok": {"written": 0}}])


def test_input_that_nobody_reads_is_bounded_and_refused_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_module, "INPUT_MAX_BYTES", 10)
    host = make(1)
    host.type(b"12345678")
    assert answers(host.received(1, api.INPUT, api.pack_input(6, b"abc")))[0]["error"]["code"] == "input_full"
    assert host.received(1, api.INPUT, api.pack_input(0, b"abc")) == []
    host.type(b"ab")
    assert drain(host, 3)[0] == b"12345678ab"
    host.type(b"again")
    assert host.dropped_inputs == 2


def test_what_a_peer_typed_before_it_left_is_still_typed() -> None:
    host = make(1)
    host.received(1, api.INPUT, api.pack_input(3, b"ls\r"))
    host.disconnected(1)
    assert drain(host, 10) == (b"ls\r", [])


# -- the end ---------------------------------------------------------------------------------------------------------

ENDED = Exit(3, None, 77)


def test_the_exit_is_recorded_before_it_is_told_and_told_once() -> None:
    host = make(1)
    host.output(b"bye", 0)
    assert host.program_exited(ENDED) == [Later("drain", host_module.DRAIN_MS)]
    host.output(b"!", 0)
    assert host.terminal_closed() == [Record()]
    assert host.due("drain", 0) == []
    assert host.terminal_closed() == []
    *told, leave = host.recorded()
    assert answers(told) == [
        {"event": "exit", "code": 3, "signal": None, "at_ms": 77, "last_output_at_ms": 0, "offset": 4},
        {"event": "goodbye"},
    ]
    assert leave == Leave()


def test_a_grandchild_that_holds_the_terminal_delays_the_end_only_so_long() -> None:
    host = make(1)
    host.program_exited(ENDED)
    assert host.due("drain", 0) == [Record()]


def test_a_terminal_that_closed_first_needs_no_draining() -> None:
    host = make(1)
    assert host.terminal_closed() == []
    assert host.program_exited(ENDED) == [Record()]


def test_the_worker_stays_until_the_whole_tree_is_ended() -> None:
    host = make(1)
    assert host.ladder(True) == []
    host.program_exited(ENDED)
    host.terminal_closed()
    assert answers(host.recorded()) == [
        {"event": "exit", "code": 3, "signal": None, "at_ms": 77, "last_output_at_ms": None, "offset": 0}
    ]
    assert host.ladder(False)[-1] == Leave()


def test_a_ladder_that_ends_before_the_program_keeps_the_worker() -> None:
    host = make(1)
    host.ladder(True)
    assert host.ladder(False) == []


def test_input_after_the_end_is_refused_and_waiting_input_is_answered() -> None:
    host = make(1)
    host.received(1, api.INPUT, api.pack_input(3, b"never read"))
    assert answers(host.program_exited(ENDED))[0]["error"]["code"] == "exited"
    assert not host.pending_input
    with pytest.raises(InputRefused, match="ended"):
        host.type(b"x")


def test_of_answers_that_came_at_once_the_first_ones_are_typed_each_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_module, "ANSWERS_MAX_BYTES", 20)
    host = make()
    host.reply(b"\x1b[?62;4c\x1b]11;rgb:0/0/0\x1b\\")  # the second one would end one byte too far, with its ST
    assert bytes(host.pending_input) == b"\x1b[?62;4c" and host.dropped_inputs == 1
    host.reply(b"\x1b[0n\x1b[1;1R")
    host.reply(b"\x1b[0n")
    assert host.accepted_bytes == len(b"\x1b[?62;4c\x1b[0n\x1b[1;1R") and host.dropped_inputs == 2
