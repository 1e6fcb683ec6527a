"""The commands that read what a session shows, type into it, and wait for it."""

from __future__ import annotations

import math
import sys
import time
from typing import Any, Final

import click

from attn.cli.link import ANSWER_TIMEOUT_S, LinkLost
from attn.cli.render import ending, say, show, show_json
from attn.cli.sessions import chosen
from attn.cli.starting import daemon_link
from attn.errors import AttnError
from attn.wire.client_events import ScreenResult, SendResult, WaitResult
from attn.wire.client_requests import GetScreen, SendText, WaitSession
from attn.wire.client_views import ScreenFormat

# Above the daemon's own bounds for a program that is not ready to read and for a text to appear.
SEND_TIMEOUT_S: Final = 45.0
# A wait survives restarts of the daemon, but not a daemon that never stays.
RECONNECTS_MAX: Final = 20
# 23 days. A socket waits for at most 2^31 - 1 ms (poll(2)), of which ANSWER_TIMEOUT_S is the daemon's.
WAIT_MAX_S: Final = 2_000_000


@click.command("screen")
@click.argument("session")
@click.option(
    "--format",
    "screen_format",
    type=click.Choice(["text", "ansi", "cells", "html"]),
    default="text",
    show_default=True,
    help="text: the visible rows. ansi: exactly the bytes that an attach sends. cells: JSON. html: a page's part.",
)
@click.option(
    "--scrollback",
    metavar="N",
    type=click.IntRange(min=0),
    help="Lines of history above the screen; default 0, for ansi all. After the end cells and html have none.",
)
def screen_command(session: str, screen_format: ScreenFormat, scrollback: int | None) -> None:
    """Print what a session shows, also after its program ended."""
    history = None if scrollback is None and screen_format == "ansi" else scrollback or 0
    with daemon_link() as link:
        request = GetScreen(id=0, session=chosen(link, session).id, format=screen_format, history=history)
        result = link.request(request, ScreenResult)
        for part in link.payload(result):
            sys.stdout.buffer.write(part)
        if result.fidelity == "tail":
            say(f"[{session}: the end of the raw output, not the exact screen: no emulator keeps it]")
    sys.stdout.buffer.flush()


@click.command("send")
@click.argument("session")
@click.argument("text")
@click.option("--enter", is_flag=True, help="Press Enter after it.")
@click.option(
    "--confirm", is_flag=True, help="Succeed only once the text stands on the screen (exit 3 if it does not)."
)
def send_command(session: str, text: str, enter: bool, confirm: bool) -> None:
    """Type TEXT into a session, as a paste."""
    with daemon_link() as link:
        request = SendText(id=0, session=chosen(link, session).id, text=text, enter=enter, confirm=confirm)
        link.request(request, SendResult, SEND_TIMEOUT_S)


class Seconds(click.FloatRange):
    """A time that can be waited for."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        seconds: float = super().convert(value, param, ctx)
        if math.isnan(seconds):  # neither below nor above any bound
            self.fail(f"{value} is not in the range {self._describe_range()}.", param, ctx)
        return seconds


@click.command("wait")
@click.argument("session")
@click.option("--exit", "for_exit", is_flag=True, help="Until its program ends.")
@click.option("--for", "text", metavar="TEXT", help="Until TEXT stands on the screen or in the scrollback.")
@click.option(
    "--timeout",
    "timeout_s",
    metavar="S",
    type=Seconds(min=0, max=WAIT_MAX_S),
    help="Give up (exit 4) after S seconds.",
)
@click.option("--json", "as_json", is_flag=True, help='Print {"exit": {code, signal, at_ms} or null}.')
def wait_command(session: str, for_exit: bool, text: str | None, timeout_s: float | None, as_json: bool) -> None:
    """Wait until a session ends or shows a text (exit 69 when it ends without it)."""
    if for_exit == (text is not None):
        raise click.UsageError("give either --exit or --for TEXT")
    if text == "":
        raise click.UsageError("--for needs a text")
    result = wait_for(session, text, timeout_s)
    if text is not None and result.exit is not None:
        message = f"the program ended ({ending(result.exit)}) without showing {text!r}"
        raise AttnError("session_ended", message, f"look at it with: attn screen {session}")
    if as_json:
        show_json({"exit": result.exit})
    elif for_exit:
        show(ending(result.exit))


def wait_for(ref: str, text: str | None, timeout_s: float | None) -> WaitResult:
    """Wait through restarts of the daemon. Raises AttnError `timeout`."""
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    for attempt in range(RECONNECTS_MAX):
        try:
            return _wait_once(ref, text, deadline)
        except LinkLost:
            if attempt == RECONNECTS_MAX - 1 or (deadline is not None and time.monotonic() > deadline):
                raise
    raise AssertionError("the last attempt returns or raises")


def _wait_once(ref: str, text: str | None, deadline: float | None) -> WaitResult:
    remaining_s = None if deadline is None else max(0.0, deadline - time.monotonic())
    with daemon_link() as link:
        request = WaitSession(
            id=0,
            session=chosen(link, ref).id,
            text=text,
            timeout_ms=None if remaining_s is None else int(remaining_s * 1000),
        )
        try:
            return link.request(request, WaitResult, None if remaining_s is None else remaining_s + ANSWER_TIMEOUT_S)
        except AttnError as error:
            if error.code == "timeout" and not error.remedy:
                error.remedy = f"look at it with: attn screen {request.session}"
            raise
