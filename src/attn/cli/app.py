"""The command line as a whole: which command lives where, and how failures reach a person and a script."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Final

import click

from attn import __version__
from attn.cli.output import ReaderGone
from attn.cli.render import report
from attn.errors import EXIT_USAGE, AttnError

EXIT_INTERRUPTED: Final = 130

# command -> module of attn.cli; imported only when that command is used, which keeps `attn ls` quick.
COMMANDS: Final[dict[str, str]] = {
    "open": "admin",
    "new": "sessions",
    "ls": "sessions",
    "attach": "attach",
    "screen": "content",
    "send": "content",
    "wait": "content",
    "resize": "sessions",
    "rename": "sessions",
    "kill": "sessions",
    "resume": "sessions",
    "reload": "sessions",
    "rm": "sessions",
    "status": "admin",
    "store": "admin",
    "daemon": "admin",
    "logs": "admin",
    "doctor": "upkeep.examination",
    "repair": "upkeep.repairs",
    "backup": "upkeep.backups",
    "backups": "upkeep.backups",
    "restore": "upkeep.repairs",
    "debug": "upkeep.examination",
}
DEFAULT_COMMAND: Final = "open"


class Commands(click.Group):
    """The group of all commands, each imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"attn.cli.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="attn", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> object:
    """Run many terminal coding agents in one place, and know which of them needs you.

    Without a command: open the page.

    SESSION is the id of a session, a unique beginning of an id, or a label. The daemon is started when a command
    needs it; programs run on when it stops.
    """
    if ctx.invoked_subcommand is None:
        command = cli.get_command(ctx, DEFAULT_COMMAND)
        assert command is not None
        return ctx.invoke(command)
    return None


def run(args: Sequence[str]) -> int:
    """Run one command line; the exit status. Failures are told on stderr as `code: message` and a remedy."""
    status = _run(args)
    try:
        sys.stdout.flush()
    except ReaderGone:
        return status
    except AttnError as error:
        report(error)
        return status or error.exit_status
    return status


def _run(args: Sequence[str]) -> int:
    try:
        result = cli.main(list(args), prog_name="attn", standalone_mode=False)
    except AttnError as error:
        report(error)
        return error.exit_status
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "attn"
        report(AttnError("usage", error.format_message(), f"run: {path} --help"))
        return EXIT_USAGE
    except (KeyboardInterrupt, click.Abort):
        return EXIT_INTERRUPTED
    except ReaderGone:
        return 0
    return result if isinstance(result, int) else 0
