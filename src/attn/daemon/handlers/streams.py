"""Watching and typing: what flows between one client and one session."""

from __future__ import annotations

import logging
from typing import Final

import msgspec

from attn.core.session import check_size
from attn.core.subscription import Subscription
from attn.daemon.handlers.desk import Desk
from attn.daemon.peer import Peer
from attn.daemon.sessions.attachment import Attachment
from attn.daemon.sessions.frames import FrameFeed
from attn.daemon.sessions.live import BACKLOG_BYTES, now_ms
from attn.daemon.workers.link import Json
from attn.errors import AttnError
from attn.wire import client_api
from attn.wire.client_events import Error, Ok
from attn.wire.client_requests import AttachSession, DetachSession, PtyAck, PtyKeys, PtyResize, SetTheme

log = logging.getLogger(__name__)

# A client attached to very many sessions gets smaller windows, so that what it may leave unread stays bounded.
FULL_WINDOWS: Final = 8
SMALL_WINDOW_BYTES: Final = 64 << 10
ATTACHMENTS_MAX: Final = 256


def error_of(request_id: int, error: AttnError) -> Error:
    """An AttnError as the message that tells it."""
    retryable = error.code in ("daemon_recovering", "too_many_requests", "worker_unreachable")
    return Error(id=request_id, code=error.code, message=error.message, remedy=error.remedy, retryable=retryable)


def pty_input(desk: Desk, peer: Peer, frame: bytes) -> None:
    """An INPUT frame. Raises AttnError `bad_message`, `unknown_message`; other failures answer the frame's id."""
    try:
        kind, handle, request_id, data = client_api.unpack_binary(frame)
    except ValueError as error:
        raise AttnError("bad_message", str(error)) from error
    if kind != client_api.INPUT:
        raise AttnError("unknown_message", f"a client sends no binary frame of kind {kind}")

    def done(ok: Json | None, error: AttnError | None) -> None:
        peer.send(Ok(id=request_id) if error is None else error_of(request_id, error))

    try:
        session, attachment, link = desk.writable(peer, handle)
        if not link.input(data, done if request_id else None):
            raise AttnError("worker_unreachable", f"{session.label} takes no more input now", "try again")
        session.used(attachment)
    except AttnError as error:
        # Without a request id an unknown handle is merely late: the client detached, or the daemon started anew.
        if request_id or error.code != "unknown_handle":
            peer.send(error_of(request_id, error))


def pty_keys(desk: Desk, peer: Peer, message: PtyKeys) -> None:
    if message.handle not in peer.handles:
        return
    session, attachment, link = desk.writable(peer, message.handle)
    link.request("keys", {"events": [msgspec.structs.asdict(event) for event in message.events]}, _logged)
    session.used(attachment)


def pty_ack(desk: Desk, peer: Peer, message: PtyAck) -> None:
    if message.handle in peer.handles:
        desk.hub.handles[message.handle].acknowledged(message.handle, message.offset)


def pty_resize(desk: Desk, peer: Peer, message: PtyResize) -> None:
    if message.handle not in peer.handles:
        return
    check_size(message.rows, message.cols)
    session, attachment = desk.attachment(peer, message.handle)
    attachment.rows, attachment.cols, attachment.visible = message.rows, message.cols, message.visible
    if message.take:
        attachment.used_at_ms = now_ms()
    session.size_wishes()


def set_theme(desk: Desk, peer: Peer, message: SetTheme) -> None:
    if peer.hello is not None:
        peer.hello.theme = message.theme
    watched = [(desk.hub.handles[handle], handle) for handle in peer.handles]
    for session in {session.id: session for session, handle in watched if session.may_type(handle)}.values():
        session.set_theme(message.theme)


async def attach_session(desk: Desk, peer: Peer, message: AttachSession) -> None:
    """The answer, an attach_result, is sent with the HEAD of the snapshot."""
    if peer.gone:
        return  # nobody would ever detach it
    session = desk.session(message.session)
    if (message.rows is None) != (message.cols is None):
        raise AttnError("invalid_size", "rows and cols go together", "give both or none")
    if message.rows is not None and message.cols is not None:
        check_size(message.rows, message.cols)
    if len(peer.handles) >= ATTACHMENTS_MAX:
        raise AttnError("too_many_requests", f"a client attaches to {ATTACHMENTS_MAX} sessions at most", "detach")
    window = client_api.ACK_WINDOW_BYTES if len(peer.handles) < FULL_WINDOWS else SMALL_WINDOW_BYTES
    feed = FrameFeed() if message.as_ == "cells" else Subscription(window, BACKLOG_BYTES)
    # A client that attaches once more, for the scrollback say, did not come anew: another one may have been used since.
    before = [each.used_at_ms for each in session.attachments.values() if each.peer is peer]
    anew = message.used_ms_ago is None
    used_at_ms = max(before, default=now_ms()) if message.used_ms_ago is None else now_ms() - message.used_ms_ago
    attachment = Attachment(
        handle=desk.hub.new_handle(session), peer=peer, request_id=message.id, history=message.history,
        read_only=message.read_only, rows=message.rows, cols=message.cols, visible=message.visible,
        used_at_ms=used_at_ms, since=message.since, subscription=feed,
    )  # fmt: skip
    if anew and peer.hello is not None and peer.hello.theme is not None and not message.read_only:
        session.set_theme(peer.hello.theme)
    session.attach(attachment, anew=anew)


async def detach_session(desk: Desk, peer: Peer, message: DetachSession) -> Ok:
    session, _ = desk.attachment(peer, message.handle)
    desk.hub.detach(session, message.handle)
    return Ok(id=message.id)


def _logged(ok: Json | None, error: AttnError | None) -> None:
    if error is not None:
        log.info("a worker refused keys: %s", error)
