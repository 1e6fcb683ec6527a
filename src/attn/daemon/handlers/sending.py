"""Typing a text into a session for a script or another agent, and making sure that it arrived."""

from __future__ import annotations

import asyncio
import re
from typing import Final

from attn.daemon.handlers.desk import Desk
from attn.daemon.handlers.screens import LOOK_EVERY_S, WAIT_HISTORY_LINES, joined_text
from attn.daemon.peer import Peer
from attn.daemon.sessions.live import Session
from attn.errors import AttnError
from attn.wire import worker_api
from attn.wire.client_events import SendResult
from attn.wire.client_requests import SendText

TEXT_MAX_BYTES: Final = worker_api.CHUNK_MAX_BYTES * 8
CONFIRM_LIMIT_S: Final = 2.0
# How long the worker waits for a program that has not put its terminal in raw mode yet.
READY_LIMIT_MS: Final = 5000
# Above that, what a program may take to read the text, and the pause before Enter.
SEND_LIMIT_S: Final = 15.0
# How much of the end of a text is looked for: a composer of a few rows scrolls, but shows where its cursor is.
NEEDLE_CHARS: Final = 60

# A program that draws an input box wraps at words, indents and frames; only its characters are the text's own.
# Control characters are not typed at all.
_BETWEEN: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2500-\u259f]+")
# What Codex and Claude Code show in place of a long paste: `[Pasted Content 1234 chars]`, `[Pasted text #1 +20 lines]`.
_PLACEHOLDER: Final = re.compile(r"\[Pasted(?:Content|text)[^\[\]]{1,40}\]")


async def send_text(desk: Desk, peer: Peer, message: SendText) -> SendResult:
    """Type a text; with `confirm` Enter follows only once the text stands on the screen."""
    session = desk.session(message.session)
    link = desk.link(session)
    if len(message.text.encode()) > TEXT_MAX_BYTES:
        raise AttnError("message_too_large", "the text is over 512 KiB", "send a file's path in place of its text")
    before = await _seen(desk, session, message.text) if message.confirm else 0
    params = {"text": message.text, "enter": message.enter and not message.confirm, "ready_ms": READY_LIMIT_MS}
    await link.call("send", params, limit_s=SEND_LIMIT_S)
    if not message.confirm:
        return SendResult(id=message.id, result="typed")
    try:
        async with asyncio.timeout(CONFIRM_LIMIT_S):
            while squeezed(message.text) and await _seen(desk, session, message.text) <= before:
                await asyncio.sleep(LOOK_EVERY_S)
    except TimeoutError as error:
        raise AttnError(
            "not_confirmed",
            f"the text was typed into {session.label}, but did not appear on its screen within {CONFIRM_LIMIT_S:g} s",
            f"look with attn screen {session.id}" + ("; Enter was not typed" if message.enter else ""),
        ) from error
    if message.enter:
        # Its text stands there: it reads.
        await link.call("send", {"text": "", "enter": True, "ready_ms": 0}, limit_s=SEND_LIMIT_S)
    return SendResult(id=message.id, result="confirmed")


async def _seen(desk: Desk, session: Session, text: str) -> int:
    return appearances(await joined_text(desk, session, WAIT_HISTORY_LINES), text)


def squeezed(text: str) -> str:
    """A text without what a program may put between its characters when it draws them."""
    return _BETWEEN.sub("", text)


def appearances(screen: str, text: str) -> int:
    """How often the end of `text` stands on `screen`, or what stands for a long paste: pure."""
    shown = squeezed(screen)
    return shown.count(squeezed(text)[-NEEDLE_CHARS:]) + len(_PLACEHOLDER.findall(shown))
