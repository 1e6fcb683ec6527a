"""Requests that change sessions."""

from __future__ import annotations

import pytest

from attn.daemon.handlers import sessions
from attn.daemon.handlers.desk import Desk
from attn.errors import AttnError
from attn.wire import client_requests as wire
from tests.daemon.scripted import RecordingPeer


async def test_a_pinned_size_holds_until_it_is_taken_back(desk: Desk) -> None:
    peer = RecordingPeer()
    wish = wire.SpawnSession(id=1, argv=["cat"], rows=24, cols=80)
    session_id = (await sessions.spawn_session(desk, peer, wish)).session.id
    session = desk.session(session_id)
    assert (
        await sessions.resize_session(desk, peer, wire.ResizeSession(id=2, session=session_id, rows=50, cols=99))
    ).id == 2
    assert session.link is not None
    info = await session.link.call("info", {})
    assert (info["rows"], info["cols"], session.pinned) == (50, 99, (50, 99))
    await sessions.resize_session(desk, peer, wire.ResizeSession(id=3, session=session_id))
    assert session.pinned is None
    with pytest.raises(AttnError, match="invalid_size"):
        await sessions.resize_session(desk, peer, wire.ResizeSession(id=4, session=session_id, rows=50))
    await sessions.rename_session(desk, peer, wire.RenameSession(id=5, session=session_id, label="new"))
    found = await sessions.resolve_session(desk, peer, wire.ResolveSession(id=6, session="new"))
    assert (found.id, found.session.id, found.session.label) == (6, session_id, "new")
    await sessions.kill_session(desk, peer, wire.KillSession(id=7, session="new"))
    with pytest.raises(AttnError, match="session_ended"):
        await sessions.resize_session(desk, peer, wire.ResizeSession(id=8, session="new", rows=50, cols=50))
    await sessions.remove_session(desk, peer, wire.RemoveSession(id=9, session="new"))
    assert desk.hub.sessions == {}
