"""Watching and typing, from messages to the session."""

from __future__ import annotations

import pytest

from attn.daemon.handlers import streams
from attn.daemon.handlers.desk import Desk
from attn.daemon.sessions.frames import FrameFeed
from attn.daemon.sessions.live import Session
from attn.errors import AttnError
from attn.wire import client_api
from attn.wire.client_events import Error
from attn.wire.client_requests import AttachSession, DetachSession, PtyAck, PtyKeys, PtyResize, SetTheme
from attn.wire.client_views import Theme
from tests.daemon.scripted import RecordingPeer
from tests.daemon.test_hub import add

DARK = Theme(foreground="#ffffff", background="#000000", cursor="#ffffff", scheme="dark")


@pytest.fixture
def session(desk: Desk) -> Session:
    return add(desk.hub)


async def attached(desk: Desk, peer: RecordingPeer, **fields: object) -> int:
    await streams.attach_session(desk, peer, AttachSession(id=1, session="cat", **fields))  # type: ignore[arg-type]
    return max(peer.handles)


async def test_handles_are_never_reused(desk: Desk, session: Session) -> None:
    peer = RecordingPeer()
    first = await attached(desk, peer)
    await streams.detach_session(desk, peer, DetachSession(id=2, handle=first))
    assert peer.handles == set() and session.attachments == {} and desk.hub.handles == {}
    assert await attached(desk, peer) > first
    with pytest.raises(AttnError, match="unknown_handle"):
        await streams.detach_session(desk, peer, DetachSession(id=3, handle=first))


async def test_attaches_are_bounded_and_windows_shrink(
    desk: Desk, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = RecordingPeer()
    for _ in range(streams.FULL_WINDOWS + 1):
        await attached(desk, peer)
    windows = [attachment.subscription._window for attachment in session.attachments.values()]  # type: ignore[union-attr]
    assert windows == [client_api.ACK_WINDOW_BYTES] * streams.FULL_WINDOWS + [streams.SMALL_WINDOW_BYTES]
    monkeypatch.setattr(streams, "ATTACHMENTS_MAX", streams.FULL_WINDOWS + 1)
    with pytest.raises(AttnError, match="too_many_requests"):
        await attached(desk, peer)


async def test_sizes_views_and_colours_are_kept(desk: Desk, session: Session) -> None:
    peer = RecordingPeer()
    handle = await attached(desk, peer, rows=30, cols=90, as_="cells")
    attachment = session.attachments[handle]
    assert isinstance(attachment.subscription, FrameFeed)
    streams.pty_resize(desk, peer, PtyResize(handle=handle, rows=10, cols=40, visible=False))
    assert (attachment.rows, attachment.cols, attachment.visible) == (10, 40, False)
    with pytest.raises(AttnError, match="invalid_size"):
        streams.pty_resize(desk, peer, PtyResize(handle=handle, rows=0, cols=40))
    streams.set_theme(desk, peer, SetTheme(theme=DARK))
    assert session.theme == DARK and peer.hello is not None and peer.hello.theme == DARK


async def test_a_second_attach_of_a_client_is_no_newer_use_of_it(desk: Desk, session: Session) -> None:
    peer, other = RecordingPeer(), RecordingPeer()
    first = session.attachments[await attached(desk, peer, rows=30, cols=90)]
    first.used_at_ms -= 5000
    typed = session.attachments[await attached(desk, other, rows=40, cols=120)]
    second = session.attachments[await attached(desk, peer, rows=30, cols=90)]
    assert second.used_at_ms == first.used_at_ms < typed.used_at_ms


async def test_messages_for_other_handles_do_nothing(desk: Desk, session: Session) -> None:
    handle = await attached(desk, RecordingPeer())
    stranger = RecordingPeer()
    streams.pty_ack(desk, stranger, PtyAck(handle=handle, offset=99))
    streams.pty_keys(desk, stranger, PtyKeys(handle=handle, events=[]))
    streams.pty_resize(desk, stranger, PtyResize(handle=handle, rows=9, cols=9))
    assert session.attachments[handle].rows is None and stranger.told == []


def test_input_for_an_unknown_handle_is_late_or_an_error(desk: Desk) -> None:
    peer = RecordingPeer()
    streams.pty_input(desk, peer, client_api.pack_binary(client_api.INPUT, 9, 0, b"x"))
    assert peer.told == []
    streams.pty_input(desk, peer, client_api.pack_binary(client_api.INPUT, 9, 5, b"x"))
    assert [(error.id, error.code) for error in peer.of(Error)] == [(5, "unknown_handle")]
    for frame, code in (
        (b"short", "bad_message"),
        (client_api.pack_binary(client_api.OUTPUT, 9, 0, b""), "unknown_message"),
    ):
        with pytest.raises(AttnError, match=code):
            streams.pty_input(desk, peer, frame)


async def test_typing_needs_a_worker_and_leave(desk: Desk, session: Session) -> None:
    peer = RecordingPeer()
    watching = await attached(desk, peer, read_only=True)
    streams.pty_input(desk, peer, client_api.pack_binary(client_api.INPUT, watching, 0, b"x"))
    typing = await attached(desk, peer)
    streams.pty_input(desk, peer, client_api.pack_binary(client_api.INPUT, typing, 0, b"x"))
    assert [error.code for error in peer.of(Error)] == ["read_only", "worker_unreachable"]
    assert peer.of(Error)[1].retryable
