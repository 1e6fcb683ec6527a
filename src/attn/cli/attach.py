"""`attn attach`: a session in the person's own terminal."""

from __future__ import annotations

import os
from typing import Final

import click

from attn import config
from attn.cli.native.attachment import NativeAttachment
from attn.cli.native.terminal.console import Console
from attn.cli.native.terminal.keys import DetachKey
from attn.cli.render import report, say, tell_conditions
from attn.cli.sessions import chosen
from attn.cli.starting import connect, found_home
from attn.errors import AttnError
from attn.wire.client_views import SessionView

EXIT_NOT_ATTACHED: Final = 255


@click.command("attach")
@click.argument("session")
@click.option("--read-only", is_flag=True, help="Look only: keys are not typed, and the size is left alone.")
def attach_command(session: str, read_only: bool) -> int:
    """Show a session in this terminal. Ctrl-\\ twice within half a second detaches.

    Exits with 0 when detached, with the program's own status when it ended (128 + n for a signal), with 254 when
    the session was lost from sight, with 255 when it could not be attached.
    """
    return attach_to(session, read_only=read_only)


def require_terminal() -> None:
    """Raises AttnError `not_a_terminal`."""
    Console()


def attach_to(ref: str, *, read_only: bool) -> int:
    """Attach until the person detaches or the program ends; the exit status."""
    try:
        console = Console()
        home = found_home()
        settings = config.load(home, os.environ)
        link = connect(home)
        session = chosen(link, ref)
        _refuse_nested(session)
        tell_conditions(link)
        key = DetachKey(settings.detach_byte, settings.detach_key[-1])
        attachment = NativeAttachment(
            home, session.id, console, key, read_only=read_only, clipboard=settings.osc52_write
        )
        attachment.start(link)
    except AttnError as error:
        report(error)
        return EXIT_NOT_ATTACHED
    end = attachment.run()
    if end.error is not None:
        report(end.error)
    else:
        say(f"[{session.label}: {end.words}]")
    return end.status


def _refuse_nested(session: SessionView) -> None:
    """A session that shows itself would feed its own output for ever."""
    if os.environ.get("ATTN_SESSION") == session.id:
        raise AttnError(
            "nested_attach",
            f"this terminal is inside {session.label} ({session.id}) already",
            "attach it from another terminal, or open the page with: attn open",
        )
