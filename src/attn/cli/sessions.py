"""The commands that make, list, change and end sessions."""

from __future__ import annotations

import os
import shlex
import sys
from typing import Final

import click

from attn.cli.link import Link
from attn.cli.render import say, sessions_table, show, show_json
from attn.cli.starting import daemon_link
from attn.core.session import parse_size, resolve
from attn.errors import AttnError
from attn.wire.client_events import Ok, ResumeResult, SpawnResult
from attn.wire.client_requests import (
    KillSession,
    ReloadSession,
    RemoveSession,
    RenameSession,
    ResizeSession,
    ResumeSession,
    SpawnSession,
)
from attn.wire.client_views import SessionView

# Above what the daemon gives a worker to start a program, and the kill ladder to reach its last rung.
SPAWN_TIMEOUT_S: Final = 30.0
KILL_TIMEOUT_S: Final = 30.0

# What a program needs from the desktop or login that asks for it, and that the daemon's own environment lacks.
CLIENT_NAMES: Final = ("SSH_AUTH_SOCK", "DISPLAY", "WAYLAND_DISPLAY", "LANG")


class NewCommand(click.Command):
    """`new`, which knows whose option it was that it does not know."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given = list(args)  # click takes away what it has read
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if given[0].startswith("-"):
                remedy = "what is meant for the program goes after --, the rest is in: attn new --help"
            else:
                remedy = f"a program and its arguments go after --: attn new -- {shlex.join(given)}"
            raise AttnError("usage", error.format_message(), remedy) from error


@click.command("new", cls=NewCommand)
@click.option("--agent", metavar="NAME", help="codex, claude, copilot, gemini, opencode or shell (the default).")
@click.option("--cwd", metavar="DIR", help="Working directory; default: this one.")
@click.option("--label", metavar="TEXT", help="Name in lists; default: made from agent and directory.")
@click.option("--size", metavar="ROWSxCOLS", help="Default: this terminal's size, else 40x120.")
@click.option("--env", "env", metavar="K=V", multiple=True, help="Environment variable of the program; repeatable.")
@click.option("--attach", is_flag=True, help="Show it in this terminal at once.")
@click.option("--no-emulator", is_flag=True, help="Keep the end of its raw output instead of its screen.")
@click.option("--json", "as_json", is_flag=True, help="Print the session instead of its id.")
@click.argument("argv", nargs=-1, type=click.UNPROCESSED)
def new_command(
    *,
    agent: str | None,
    cwd: str | None,
    label: str | None,
    size: str | None,
    env: tuple[str, ...],
    attach: bool,
    no_emulator: bool,
    as_json: bool,
    argv: tuple[str, ...],
) -> int:
    """Start a session and print its id.

    After `--`, any program runs as a session; with --agent, these are the agent's arguments instead. The program
    runs on when this command, this terminal or the daemon ends.
    """
    rows, cols = parse_size(size) if size else own_size()
    program = list(argv) if argv and agent is None else None
    request = SpawnSession(
        id=0,
        agent=agent or "shell",
        argv=program,
        args=[] if agent is None else list(argv),
        cwd=working_directory(cwd),
        label=label,
        rows=rows,
        cols=cols,
        env=parse_env(env),
        client_env=client_environment(os.environ),
        parent=os.environ.get("ATTN_SESSION") or None,
        emulator=not no_emulator,
    )
    if attach:
        return _start_attached(request)
    with daemon_link() as link:
        session = link.request(request, SpawnResult, SPAWN_TIMEOUT_S).session
    show_json(session) if as_json else show(session.id)
    return 0


def _start_attached(request: SpawnSession) -> int:
    from attn.cli.attach import attach_to, require_terminal

    require_terminal()  # before a program runs that nobody would see
    with daemon_link() as link:
        session = link.request(request, SpawnResult, SPAWN_TIMEOUT_S).session
    return attach_to(session.id, read_only=False)


def working_directory(given: str | None) -> str:
    """The absolute path of `given`, or of where we are. Raises AttnError `directory_missing` where that is gone."""
    try:
        return os.path.abspath(os.path.expanduser(given or "."))
    except OSError as error:
        message = f"the current directory cannot be used: {error.strerror}"
        remedy = "cd to a directory that stands, or give an absolute one with --cwd"
        raise AttnError("directory_missing", message, remedy) from error


def own_size() -> tuple[int | None, int | None]:
    """Rows and columns of the terminal on stdout, (None, None) when there is none or it has no size."""
    try:
        size = os.get_terminal_size(sys.stdout.fileno())
    except (OSError, ValueError):
        return None, None
    return (size.lines, size.columns) if size.lines > 1 and size.columns > 1 else (None, None)


def parse_env(pairs: tuple[str, ...]) -> dict[str, str]:
    """`K=V` texts -> a dict. Raises AttnError `invalid_env`."""
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name or "\0" in pair:
            raise AttnError("invalid_env", f"{pair!r} is not K=V", "write --env NAME=value")
        found[name] = value
    return found


def client_environment(environ: os._Environ[str]) -> dict[str, str]:
    """The variables of this client that follow it into the program (DESIGN §2)."""
    return {name: value for name, value in environ.items() if name in CLIENT_NAMES or name.startswith("LC_")}


@click.command("ls")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def ls_command(as_json: bool) -> None:
    """List the sessions."""
    with daemon_link() as link:
        sessions = sorted(link.hello.sessions, key=lambda session: (session.order, session.created_at_ms))
    if as_json:
        show_json(sessions)
    elif sessions:
        for line in sessions_table(sessions):
            sys.stdout.write(line + "\n")
    elif sys.stdout.isatty():
        show("no sessions; start one with: attn new")


def chosen(link: Link, ref: str) -> SessionView:
    """The session that a person means. Raises AttnError `unknown_session`, `ambiguous_session`."""
    session_id = resolve(link.hello.sessions, ref)
    return next(session for session in link.hello.sessions if session.id == session_id)


@click.command("resize")
@click.argument("session")
@click.argument("size", metavar="[ROWSxCOLS]", required=False)
@click.option("--auto", is_flag=True, help="Let the most recently used window decide again.")
def resize_command(session: str, size: str | None, auto: bool) -> None:
    """Pin the size of a session, or free it with --auto."""
    if (size is None) != auto:
        raise click.UsageError("give either ROWSxCOLS or --auto")
    rows, cols = parse_size(size) if size else (None, None)
    with daemon_link() as link:
        link.request(ResizeSession(id=0, session=chosen(link, session).id, rows=rows, cols=cols), Ok)


@click.command("rename")
@click.argument("session")
@click.argument("label")
def rename_command(session: str, label: str) -> None:
    """Change the label of a session."""
    with daemon_link() as link:
        link.request(RenameSession(id=0, session=chosen(link, session).id, label=label), Ok)


@click.command("kill")
@click.argument("session")
def kill_command(session: str) -> None:
    """End the program of a session; its last screen stays until `attn rm`."""
    with daemon_link() as link:
        link.request(KillSession(id=0, session=chosen(link, session).id), Ok, KILL_TIMEOUT_S)


@click.command("rm")
@click.argument("session")
@click.option("--force", is_flag=True, help="End its program first if it runs.")
def rm_command(session: str, force: bool) -> None:
    """Forget an ended session and erase its screen."""
    with daemon_link() as link:
        link.request(RemoveSession(id=0, session=chosen(link, session).id, force=force), Ok, KILL_TIMEOUT_S)


_ENV = click.option(
    "--env", "env", metavar="K=V", multiple=True, help="Environment variable of the program; repeatable."
)


@click.command("resume")
@click.argument("session")
@_ENV
@click.option("--attach", is_flag=True, help="Show it in this terminal at once.")
def resume_command(session: str, env: tuple[str, ...], attach: bool) -> int:
    """Start an ended session again.

    It runs in the same directory with the same flags; an agent goes on with its conversation, any other program begins
    anew. When it cannot be started, everything stays as it was.
    """
    from attn.cli.attach import attach_to, require_terminal

    if attach:
        require_terminal()
    client_env = client_environment(os.environ)
    with daemon_link() as link:
        session_id = chosen(link, session).id
        wish = ResumeSession(id=0, session=session_id, env=parse_env(env), client_env=client_env)
        tell_missing(link.request(wish, ResumeResult, SPAWN_TIMEOUT_S))
    return attach_to(session_id, read_only=False) if attach else 0


@click.command("reload")
@click.argument("session")
@_ENV
def reload_command(session: str, env: tuple[str, ...]) -> None:
    """End the program of a session and start it again under the same id.

    It gets a worker of the installed build, and the environment of a new login. An agent goes on with its
    conversation, any other program begins anew.
    """
    client_env = client_environment(os.environ)
    with daemon_link() as link:
        wish = ReloadSession(id=0, session=chosen(link, session).id, env=parse_env(env), client_env=client_env)
        tell_missing(link.request(wish, ResumeResult, KILL_TIMEOUT_S + SPAWN_TIMEOUT_S))


def tell_missing(resumed: ResumeResult) -> None:
    """One stderr line naming what the program had at its first start and lacks now: values are never kept."""
    if resumed.missing:
        say(f"attn: it runs without {', '.join(resumed.missing)}; to give them: attn reload SESSION --env NAME=value")
