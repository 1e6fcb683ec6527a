"""Screens as data, and waiting until one shows a text."""

from __future__ import annotations

import asyncio
from typing import Final, Literal

from attn.bundle.files import BundleDamaged
from attn.daemon.handlers.desk import Desk
from attn.daemon.peer import Peer
from attn.daemon.sessions.kept import kept
from attn.daemon.sessions.live import Session
from attn.daemon.workers.link import Json
from attn.errors import AttnError
from attn.wire import client_api, worker_api
from attn.wire.client_events import ScreenResult, WaitResult
from attn.wire.client_requests import GetScreen, WaitSession
from attn.wire.client_views import Cursor

Source = Literal["live", "persisted"]

LOOK_EVERY_S: Final = 0.05
# History that is searched again while waiting for a text; the first look takes all of it.
WAIT_HISTORY_LINES: Final = 1000


async def get_screen(desk: Desk, peer: Peer, message: GetScreen) -> None:
    """Live from the worker, else from the bundle; the bytes follow the answer, paced by how the client reads."""
    session = desk.session(message.session)
    head, data, source = await _screen(desk, session, message.format, message.history)
    handle = desk.hub.new_handle()
    result = ScreenResult(
        id=message.id, handle=handle, rows=head["rows"], cols=head["cols"], cursor=Cursor(**head["cursor"]),
        alternate_screen=head["alternate_screen"], offset=head["offset"], fidelity=head["fidelity"],
        source=source, taken_at_ms=head["taken_at_ms"],
    )  # fmt: skip
    peer.send(result)
    step = worker_api.CHUNK_MAX_BYTES
    for start in range(0, len(data), step):
        peer.send_binary(client_api.SNAPSHOT, handle, head["offset"], data[start : start + step])
        await peer.drained()
    peer.send_binary(client_api.SNAPSHOT_END, handle, head["offset"], b"")


async def wait_session(desk: Desk, peer: Peer, message: WaitSession) -> WaitResult:
    """`exit` null: the text stands there; set: the program ended (without the text, if one was given)."""
    session = desk.session(message.session)
    seconds = None if message.timeout_ms is None else message.timeout_ms / 1000
    if message.text is not None and _stands(message.text, await joined_text(desk, session, None)):
        return WaitResult(id=message.id, exit=None)
    try:
        async with asyncio.timeout(seconds):
            if message.text is not None and await _appears(desk, session, message.text):
                return WaitResult(id=message.id, exit=None)
            await session.ended.wait()
            if message.text is not None and session.exit is None:
                raise AttnError(
                    "session_ended", f"{session.label} is {session.state}, and the text is not on its screen"
                )
    except TimeoutError as error:
        what = "the text did not appear" if message.text is not None else "it still runs"
        raise AttnError(
            "timeout", f"{session.label}: {what} within {seconds:g} s", "give a longer --timeout"
        ) from error
    return WaitResult(id=message.id, exit=session.exit)


def _stands(text: str, shown: str) -> bool:
    """Whether a text is shown; a screen has no blanks at the end of a line, so those of a prompt are there unseen."""
    written = text.rstrip(" ")
    return text in shown or (written not in ("", text) and f"{written}\n" in f"{shown}\n")


async def _appears(desk: Desk, session: Session, text: str) -> bool:
    """Look whenever something was written; False when the program ended."""
    clock = asyncio.get_running_loop()
    while True:
        ended, offset, began_s = session.ended.is_set(), session.offset, clock.time()
        if _stands(text, await joined_text(desk, session, WAIT_HISTORY_LINES)):
            return True
        if ended:
            return False
        # At most a fifth of the worker's time goes into looking, however much is written.
        pause_s = max(LOOK_EVERY_S, 4 * (clock.time() - began_s))
        while True:
            await asyncio.sleep(pause_s)
            info = await _info(session)
            if session.ended.is_set() or (info is not None and info["offset"] != offset):
                break


async def _info(session: Session) -> Json | None:
    """What the worker says of itself; None while it does not answer, which may pass."""
    try:
        return None if session.link is None else await session.link.call("info", {})
    except AttnError as error:
        if error.code != "worker_unreachable":
            raise
        return None


async def joined_text(desk: Desk, session: Session, history: int | None) -> str:
    """What a session shows below `history` lines of scrollback (None: all), soft wraps joined."""
    _, data, _ = await _screen(desk, session, "joined", history)
    return data.decode(errors="replace")


async def _screen(desk: Desk, session: Session, form: str, history: int | None) -> tuple[Json, bytes, Source]:
    """HEAD, bytes and source of a screen. Raises AttnError `screen_unavailable`."""
    if session.link is not None:
        try:
            return *await session.link.fetch("screen", {"format": form, "history": history}), "live"
        except AttnError as error:
            if error.code != "worker_unreachable":
                raise
    try:
        screen = await desk.hub.disk(session.bundle.screen)
    except (OSError, BundleDamaged) as error:
        raise AttnError("screen_unavailable", f"the kept screen of {session.label} is not readable: {error}") from error
    if screen is None:
        raise AttnError("screen_unavailable", f"no screen of {session.label} was kept", "see persist_screen")
    return *kept(screen, form, history), "persisted"
