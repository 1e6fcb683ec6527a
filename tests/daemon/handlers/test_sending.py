"""Typing for scripts: confirmed before Enter, and found however the program draws it."""

from __future__ import annotations

import pytest

from attn.daemon.handlers import screens, sending
from attn.daemon.handlers.desk import Desk
from attn.daemon.handlers.sending import appearances
from attn.errors import AttnError
from attn.wire.client_requests import SendText, WaitSession
from tests.daemon.handlers.test_screens import start, text
from tests.daemon.scripted import RecordingPeer

LONG = "please look at the parser once more and tell me why 漢字 and 👋 are wider than the other characters are"
DRAWN = """\
╭──────────────────────────────────────╮
│ > please look at the parser once     │
│   more and tell me why 漢字 and 👋   │
│   are wider than the other           │
│   characters are                     │
╰──────────────────────────────────────╯
"""


async def test_typing_is_confirmed_before_enter(desk: Desk) -> None:
    session = await start(desk, "cat")
    peer = RecordingPeer()
    sent = await sending.send_text(
        desk, peer, SendText(id=1, session=session.id, text="hello", enter=True, confirm=True)
    )
    assert sent.result == "confirmed"
    await screens.wait_session(desk, peer, WaitSession(id=2, session=session.id, text="hello\nhello", timeout_ms=9000))
    sent = await sending.send_text(desk, peer, SendText(id=3, session=session.id, text="more"))
    assert sent.result == "typed"


async def test_what_is_not_echoed_is_not_confirmed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "CONFIRM_LIMIT_S", 0.3)
    session = await start(desk, "sh", "-c", "stty -echo; echo hello ready; read x; echo got $x; cat")
    peer = RecordingPeer()
    await screens.wait_session(desk, peer, WaitSession(id=1, session=session.id, text="ready", timeout_ms=9000))
    with pytest.raises(AttnError, match="not_confirmed") as raised:
        await sending.send_text(desk, peer, SendText(id=2, session=session.id, text="hello", enter=True, confirm=True))
    assert raised.value.exit_status == 3 and "Enter was not typed" in raised.value.remedy
    assert "got" not in await text(desk, session)


@pytest.mark.parametrize(
    ("screen", "sent", "times"),
    [
        (DRAWN, LONG, 1),
        (DRAWN, "please look", 1),
        (DRAWN, "please look\nat the parser", 1),
        (DRAWN, "something else", 0),
        ("$ echo one\none\n", "one", 2),
        ("> tab\x20\x20gone", "tab\x1b\tgone", 1),
        ("› [Pasted Content 4000 chars]", "x" * 4000, 1),
        ("> [Pasted text #2 +19 lines]", "line\n" * 20, 1),
        ("> a[Pastedly]", "x" * 4000, 0),
    ],
)
def test_a_text_is_found_however_it_is_drawn(screen: str, sent: str, times: int) -> None:
    assert appearances(screen, sent) == times


async def test_a_text_that_the_terminal_wraps_is_confirmed(desk: Desk) -> None:
    session = await start(desk, "cat")
    wish = SendText(id=1, session=session.id, text=f"{LONG} {LONG} 漢字", confirm=True)
    assert (await sending.send_text(desk, RecordingPeer(), wish)).result == "confirmed"


async def test_a_text_over_the_bound_is_refused_before_it_is_typed(desk: Desk) -> None:
    session = await start(desk, "cat")
    wish = SendText(id=1, session=session.id, text="x" * (sending.TEXT_MAX_BYTES + 1))
    with pytest.raises(AttnError, match="message_too_large"):
        await sending.send_text(desk, RecordingPeer(), wish)
