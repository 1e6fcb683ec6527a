"""Screens as data, typing with confirmation, waiting."""

from __future__ import annotations

import asyncio

import pytest

from attn.bundle.records import ScreenRecord
from attn.daemon.handlers import screens
from attn.daemon.handlers.desk import Desk
from attn.daemon.sessions.live import Session
from attn.errors import AttnError
from attn.wire import client_api
from attn.wire.client_events import ScreenResult
from attn.wire.client_requests import GetScreen, SpawnSession, WaitSession
from tests.daemon.scripted import RecordingPeer
from tests.daemon.test_hub import add

KEPT = ScreenRecord(
    rows=2, cols=9, cursor_row=0, cursor_col=4, cursor_visible=True, alternate_screen=False, offset=7, taken_at_ms=5,
    format="vt1", title="", vt=b"kept", text="kept\n", cells_json="{}", tail=b"kept",
)  # fmt: skip


async def start(desk: Desk, *argv: str) -> Session:
    return await desk.lifecycle.spawn(SpawnSession(id=1, argv=list(argv), rows=24, cols=80))


async def text(desk: Desk, session: Session) -> str:
    peer = RecordingPeer()
    await screens.get_screen(desk, peer, GetScreen(id=1, session=session.id))
    return b"".join(data for _, _, _, data in peer.frames).decode()


async def test_waiting_sees_history_ends_and_time_outs(desk: Desk) -> None:
    session = await start(desk, "sh", "-c", "seq 1 200; read x; exit 6")
    peer = RecordingPeer()
    found = await screens.wait_session(
        desk, peer, WaitSession(id=1, session=session.id, text="\n2\n3\n", timeout_ms=9000)
    )
    assert found.exit is None
    at_once = WaitSession(id=4, session=session.id, text="\n2\n3\n", timeout_ms=0)
    assert (await screens.wait_session(desk, peer, at_once)).exit is None
    for wanted in (None, "never written"):
        with pytest.raises(AttnError, match="timeout") as raised:
            await screens.wait_session(desk, peer, WaitSession(id=2, session=session.id, text=wanted, timeout_ms=50))
        assert raised.value.exit_status == 4
    waiting = asyncio.create_task(
        screens.wait_session(desk, peer, WaitSession(id=3, session=session.id, text="never written", timeout_ms=9000))
    )
    assert session.link is not None
    session.link.input(b"\r")
    ended = (await waiting).exit
    assert ended is not None and ended.code == 6


async def test_a_prompt_is_found_with_the_blank_behind_it_and_only_at_the_end_of_a_line(desk: Desk) -> None:
    session = await start(desk, "sh", "-c", "printf 'a#b\\nroot# '; read x")
    peer = RecordingPeer()
    prompt = WaitSession(id=1, session=session.id, text="root# ", timeout_ms=9000)
    assert (await screens.wait_session(desk, peer, prompt)).exit is None
    for absent in ("a# ", "  "):
        with pytest.raises(AttnError, match="timeout"):
            wish = WaitSession(id=2, session=session.id, text=absent, timeout_ms=50)
            await screens.wait_session(desk, peer, wish)


async def test_a_kept_screen_is_served_in_the_workers_place(desk: Desk) -> None:
    session, peer = add(desk.hub), RecordingPeer()
    with pytest.raises(AttnError, match="screen_unavailable"):
        await screens.get_screen(desk, peer, GetScreen(id=1, session=session.id))
    session.bundle.write_screen(KEPT)
    await screens.get_screen(desk, peer, GetScreen(id=2, session=session.id))
    result = peer.of(ScreenResult)[0]
    assert (result.source, result.offset, result.fidelity) == ("persisted", 7, "screen")
    assert peer.frames == [
        (client_api.SNAPSHOT, result.handle, 7, b"kept\n"), (client_api.SNAPSHOT_END, result.handle, 7, b""),
    ]  # fmt: skip


async def test_a_screen_waits_for_a_client_that_does_not_read(desk: Desk) -> None:
    session, peer = add(desk.hub), RecordingPeer()
    session.bundle.write_screen(ScreenRecord(**{**KEPT._asdict(), "text": "x" * 300_000}))
    peer.stop_reading()
    sending = asyncio.create_task(screens.get_screen(desk, peer, GetScreen(id=1, session=session.id)))
    async with asyncio.timeout(10):
        while not peer.frames:
            await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not sending.done() and len(peer.frames) == 1
    peer.read_again()
    await sending
    assert sum(len(data) for _, _, _, data in peer.frames) == 300_000


async def test_a_text_that_nobody_can_look_for_any_more_was_not_found(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(*_: object) -> str:
        return ""

    session = add(desk.hub)
    monkeypatch.setattr(screens, "joined_text", nothing)
    desk.hub.session_found(session, False, None)
    assert session.state == "lost"
    with pytest.raises(AttnError, match="session_ended"):
        await screens.wait_session(desk, RecordingPeer(), WaitSession(id=1, session="cat", text="done"))


async def test_a_worker_that_does_not_answer_does_not_end_a_wait(desk: Desk) -> None:
    class Silent:
        async def call(self, method: str, params: object) -> None:
            raise AttnError("worker_unreachable", "on purpose")

    session = add(desk.hub)
    session.link = Silent()  # type: ignore[assignment]
    assert await screens._info(session) is None
    session.link = None
    assert await screens._info(session) is None
