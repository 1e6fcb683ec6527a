"""The client's end of the socket, driven by bytes put into the other end of a socket pair."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import msgspec
import pytest

from attn.cli.link import Frame, Link, LinkLost
from attn.errors import AttnError
from attn.wire import client_api, framing
from attn.wire.client_events import (
    ConditionsChanged,
    DaemonHello,
    Error,
    Ok,
    ScreenResult,
    SessionsReady,
    StopResult,
)
from attn.wire.client_requests import ClientHello, KillSession, RenameSession, StopDaemon
from attn.wire.client_views import Condition, Cursor, Message

HELLO = DaemonHello(
    protocol=1, protocol_min=1, version="0.1.0", daemon_id="d", recovering=False, sessions=[], conditions=[]
)
CONDITION = Condition(code="c", severity="error", title="t", detail="", commands=[], since_ms=0)


def frame(*messages: Message) -> bytes:
    return b"".join(framing.encode(client_api.JSON, client_api.encoder.encode(message)) for message in messages)


def binary(kind: int, handle: int, offset: int, data: bytes) -> bytes:
    return framing.encode(client_api.BINARY, client_api.pack_binary(kind, handle, offset, data))


@pytest.fixture
def pair() -> Iterator[tuple[Link, socket.socket]]:
    ours, daemons = socket.socketpair()
    with Link(ours) as link, daemons:
        yield link, daemons


@pytest.fixture
def greeted(pair: tuple[Link, socket.socket]) -> tuple[Link, socket.socket]:
    link, daemon = pair
    daemon.sendall(frame(HELLO))
    link.greet(1)
    daemon.recv(65536)
    return link, daemon


def test_both_sides_say_hello(pair: tuple[Link, socket.socket]) -> None:
    link, daemon = pair
    daemon.sendall(frame(HELLO))
    link.greet(1)
    assert link.hello == HELLO
    [(kind, payload)] = framing.Decoder().feed(daemon.recv(65536))
    message = client_api.client_decoder.decode(payload)
    assert kind == client_api.JSON
    assert isinstance(message, ClientHello)
    assert message.protocol == client_api.PROTOCOL


@pytest.mark.parametrize(("lowest", "highest"), [(2, 3), (0, 0)])
def test_without_a_common_version_the_remedy_is_a_restart(
    pair: tuple[Link, socket.socket], lowest: int, highest: int
) -> None:
    link, daemon = pair
    future = msgspec.to_builtins(HELLO) | {"protocol": highest, "protocol_min": lowest, "version": "9.9"}
    daemon.sendall(framing.encode(client_api.JSON, msgspec.json.encode(future)))
    with pytest.raises(AttnError) as caught:
        link.greet(1)
    assert caught.value.code == "protocol_mismatch"
    assert caught.value.remedy == "run: attn daemon restart"
    assert "9.9" in caught.value.message


def test_a_hello_of_another_shape_is_a_mismatch_too(pair: tuple[Link, socket.socket]) -> None:
    link, daemon = pair
    daemon.sendall(framing.encode(client_api.JSON, b'{"type":"hello","protocol":7,"protocol_min":7}'))
    with pytest.raises(AttnError, match="protocol_mismatch"):
        link.greet(1)


def test_a_refusal_in_place_of_hello_is_raised(pair: tuple[Link, socket.socket]) -> None:
    link, daemon = pair
    daemon.sendall(frame(Error(id=0, code="unauthorized", message="no")))
    with pytest.raises(AttnError, match="unauthorized: no"):
        link.greet(1)


def test_a_daemon_that_says_nothing_is_lost(pair: tuple[Link, socket.socket]) -> None:
    with pytest.raises(LinkLost, match="does not answer"):
        pair[0].greet(0.01)


def test_recovery_is_waited_for_even_when_it_ends_in_the_same_read(pair: tuple[Link, socket.socket]) -> None:
    link, daemon = pair
    daemon.sendall(frame(msgspec.structs.replace(HELLO, recovering=True), SessionsReady(sessions=[])))
    link.greet(1)
    link.wait_recovered(1)
    assert not link.hello.recovering


def test_a_recovery_that_does_not_end_is_told(pair: tuple[Link, socket.socket]) -> None:
    link, daemon = pair
    daemon.sendall(frame(msgspec.structs.replace(HELLO, recovering=True)))
    link.greet(1)
    with pytest.raises(AttnError, match="daemon_recovering"):
        link.wait_recovered(0.01)


def test_a_reply_is_found_among_events_and_frames(greeted: tuple[Link, socket.socket]) -> None:
    link, daemon = greeted
    daemon.sendall(
        frame(ConditionsChanged(conditions=[CONDITION]), Ok(id=77))
        + binary(client_api.OUTPUT, 5, 0, b"x")
        + framing.encode(client_api.JSON, b'{"type":"event_of_a_later_version","session":"s"}')
        + frame(StopResult(id=1, sessions_running=3))
    )
    assert link.request(StopDaemon(id=0), StopResult).sessions_running == 3
    assert link.hello.conditions == [CONDITION]


def test_an_error_keeps_its_code_and_remedy(greeted: tuple[Link, socket.socket]) -> None:
    link, daemon = greeted
    daemon.sendall(frame(Error(id=1, code="unknown_session", message="no x", remedy="run: attn ls")))
    with pytest.raises(AttnError) as caught:
        link.request(KillSession(id=0, session="x"), Ok)
    assert (caught.value.code, caught.value.remedy, caught.value.exit_status) == ("unknown_session", "run: attn ls", 64)


def test_a_reply_of_a_later_version_is_an_error_not_silence(greeted: tuple[Link, socket.socket]) -> None:
    link, daemon = greeted
    daemon.sendall(framing.encode(client_api.JSON, b'{"type":"better_result","id":1}'))
    with pytest.raises(AttnError, match="protocol_mismatch"):
        link.request(KillSession(id=0, session="x"), Ok)


def test_requests_are_numbered(greeted: tuple[Link, socket.socket]) -> None:
    link, daemon = greeted
    daemon.sendall(frame(Ok(id=1), Ok(id=2)))
    link.request(KillSession(id=0, session="x"), Ok)
    link.request(KillSession(id=0, session="y"), Ok)
    sent = [client_api.client_decoder.decode(payload) for _, payload in framing.Decoder().feed(daemon.recv(65536))]
    assert [(message.id, message.session) for message in sent] == [(1, "x"), (2, "y")]


def test_the_bytes_of_a_screen_follow_its_result(greeted: tuple[Link, socket.socket]) -> None:
    link, daemon = greeted
    result = ScreenResult(
        id=1,
        handle=9,
        rows=2,
        cols=2,
        cursor=Cursor(row=0, col=0, visible=True),
        alternate_screen=False,
        offset=4,
        fidelity="screen",
        source="live",
        taken_at_ms=0,
    )
    daemon.sendall(binary(client_api.SNAPSHOT, 9, 4, b"ab") + binary(client_api.SNAPSHOT, 8, 4, b"no"))
    daemon.sendall(frame(ConditionsChanged(conditions=[])) + binary(client_api.SNAPSHOT_END, 9, 4, b"cd"))
    assert link.payload(result, 1) == [b"ab", b"cd"]


def test_a_closed_connection_is_lost(greeted: tuple[Link, socket.socket]) -> None:
    link, daemon = greeted
    daemon.close()
    with pytest.raises(LinkLost) as caught:
        link.request(KillSession(id=0, session="x"), Ok)
    assert caught.value.exit_status == 69


def test_a_frame_over_the_bound_is_refused_on_both_sides(greeted: tuple[Link, socket.socket]) -> None:
    link, daemon = greeted
    with pytest.raises(AttnError, match="message_too_large"):
        link.send(RenameSession(id=1, session="x", label="l" * client_api.MAX_MESSAGE_BYTES))
    daemon.sendall(framing.HEADER.pack(framing.MAX_PAYLOAD_BYTES + 1, client_api.JSON))
    with pytest.raises(LinkLost, match="cannot be read"):
        link.receive()


def test_a_non_blocking_link_gives_what_is_there(greeted: tuple[Link, socket.socket]) -> None:
    link, daemon = greeted
    link.set_nonblocking()
    assert link.arrived() == []
    error = Error(id=4, code="c", message="m")
    daemon.sendall(binary(client_api.OUTPUT, 1, 7, b"data") + frame(error))
    assert link.arrived() == [Frame(client_api.OUTPUT, 1, 7, b"data"), error]


def test_a_non_blocking_link_keeps_what_the_socket_does_not_take(greeted: tuple[Link, socket.socket]) -> None:
    link, daemon = greeted
    link.set_nonblocking()
    sent = b"k" * (900 << 10)
    link.send_input(1, sent)
    assert link.unsent_bytes > 0
    decoder, frames = framing.Decoder(), []
    while not frames:
        frames = decoder.feed(daemon.recv(1 << 20))
        link.flush()
    assert client_api.unpack_binary(frames[0][1]) == (client_api.INPUT, 1, 0, sent)


def test_a_daemon_that_never_reads_is_lost(greeted: tuple[Link, socket.socket]) -> None:
    link, _ = greeted
    link.set_nonblocking()
    with pytest.raises(LinkLost, match="does not read"):
        for _ in range(8):
            link.send_input(1, b"k" * (900 << 10))


@pytest.mark.parametrize("step", [1, 2, 3, 7])
def test_frames_may_arrive_in_pieces(greeted: tuple[Link, socket.socket], step: int) -> None:
    link, daemon = greeted
    data = binary(client_api.OUTPUT, 1, 0, b"\x1b[1mbold") + frame(Ok(id=1))
    for start in range(0, len(data), step):
        daemon.sendall(data[start : start + step])
    assert link.receive() == Frame(client_api.OUTPUT, 1, 0, b"\x1b[1mbold")
    assert link.receive() == Ok(id=1)


def test_bytes_that_are_no_text_are_refused_in_words(pair: tuple[Link, socket.socket]) -> None:
    with pytest.raises(AttnError, match="is not UTF-8"):
        pair[0].ask(RenameSession(id=0, session="s", label="\udcff"))
