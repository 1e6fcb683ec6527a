"""Beginning, ending, naming and sizing sessions."""

from __future__ import annotations

from attn.core.session import check_size
from attn.daemon.handlers.desk import Desk
from attn.daemon.peer import Peer
from attn.errors import AttnError
from attn.wire.client_events import Ok, ResumeResult, SessionResult, SpawnResult
from attn.wire.client_requests import (
    KillSession,
    ReloadSession,
    RemoveSession,
    RenameSession,
    ResizeSession,
    ResolveSession,
    ResumeSession,
    SpawnSession,
)


async def spawn_session(desk: Desk, peer: Peer, message: SpawnSession) -> SpawnResult:
    session = await desk.lifecycle.spawn(message)
    if peer.hello is not None and peer.hello.theme is not None:
        session.set_theme(peer.hello.theme)
    return SpawnResult(id=message.id, session=session.view())


async def kill_session(desk: Desk, peer: Peer, message: KillSession) -> Ok:
    await desk.lifecycle.kill(desk.session(message.session))
    return Ok(id=message.id)


async def resume_session(desk: Desk, peer: Peer, message: ResumeSession) -> ResumeResult:
    resumed = await desk.lifecycle.resume(desk.session(message.session), message)
    return ResumeResult(id=message.id, session=resumed.session.view(), missing=resumed.missing)


async def reload_session(desk: Desk, peer: Peer, message: ReloadSession) -> ResumeResult:
    resumed = await desk.lifecycle.reload(desk.session(message.session), message)
    return ResumeResult(id=message.id, session=resumed.session.view(), missing=resumed.missing)


async def remove_session(desk: Desk, peer: Peer, message: RemoveSession) -> Ok:
    await desk.lifecycle.remove(desk.session(message.session), force=message.force)
    return Ok(id=message.id)


async def rename_session(desk: Desk, peer: Peer, message: RenameSession) -> Ok:
    await desk.lifecycle.rename(desk.session(message.session), message.label)
    return Ok(id=message.id)


async def resolve_session(desk: Desk, peer: Peer, message: ResolveSession) -> SessionResult:
    return SessionResult(id=message.id, session=desk.session(message.session).view())


async def resize_session(desk: Desk, peer: Peer, message: ResizeSession) -> Ok:
    """Pin the size, or let the clients decide again; answered when the terminal has it."""
    session = desk.session(message.session)
    if message.rows is None and message.cols is None:
        await desk.lifecycle.pin(session, None)
        session.size_wishes(at_once=True)
        return Ok(id=message.id)
    rows, cols = message.rows or 0, message.cols or 0
    check_size(rows, cols)
    link = desk.link(session)
    await desk.lifecycle.pin(session, (rows, cols))
    if (session.rows, session.cols) != (rows, cols):
        await link.call("resize", {"rows": rows, "cols": cols, "width_px": 0, "height_px": 0})
        if session.pinned != (rows, cols):
            raise AttnError("timeout", "another resize came in between", "try again")
    return Ok(id=message.id)
