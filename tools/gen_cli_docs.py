"""Writes docs/cli.md from the commands themselves and from the exit statuses of attn.errors.

Run it after changing attn.cli, attn.errors or the views; tests/cli/test_generated.py fails until the file on disk is
what `render()` gives.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from attn import errors
from attn.cli.app import cli
from attn.wire import client_views

ROOT = Path(__file__).resolve().parent.parent
MARKDOWN = ROOT / "docs/cli.md"

HEAD = """# The command line

Generated from the commands by `tools/gen_cli_docs.py`. Every command has `--help`.

- `SESSION` is the id of a session, a unique beginning of an id, or a label.
- Results are on stdout, everything else on stderr. A failure is `code: message` and, where there is something to do,
  a line that says what. While something is not well (`attn status`), every command says so in one line on stderr.
- Names and paths are printed without control and text-direction characters. In a pipe nothing is coloured or cut.
- `new ls attach screen send resize rename kill rm wait open status` start the daemon when it does not run.
- `ATTN_HOME` names another home than `~/.attn`: other sessions, another daemon.
- Completion: `eval "$(_ATTN_COMPLETE=bash_source attn)"`, with `zsh_source` or `fish_source` for these.
"""

NATIVE = """## Attaching in a terminal

What was visible is pushed into the scrollback; then the session's screen and at most one screen of its history are
painted, and its bytes pass through. Pressing the detach key (`Ctrl-\\`, `detach_key` in config.toml) twice within
half a second leaves; a single press reaches the program after that half second. All modes that were set are taken
back, also when the command is ended by a signal.

- While another window decides the size of the session, or `attn resize` pinned it, the screen is painted as frames,
  clipped to this terminal, at most 20 a second. Any key takes the size back, unless it is pinned. In such frames the
  terminal is in its plain modes: no mouse reports, no application cursor keys.
- When the daemon restarts, the attach goes on by itself with the bytes that were missed. Keys pressed while there is
  no daemon are refused with a bell, and after a second the last row says that there is none. A daemon that crashed is
  started again after two seconds, one that was stopped is not. After 30 seconds without one it gives up (254); the
  program runs on.
- Attaching a session from inside itself is refused (`nested_attach`). A circle through two sessions is not noticed.
"""

STATUSES = (
    (0, "done; `attach`: detached"),
    (errors.EXIT_GENERIC, "failed in a way that has no status of its own"),
    (errors.EXIT_NOT_CONFIRMED, "`send --confirm`: the text did not appear"),
    (errors.EXIT_TIMEOUT, "`wait`: time is over"),
    (errors.EXIT_USAGE, "wrong usage or a wrong value"),
    (errors.EXIT_UNREACHABLE, "something that is needed cannot be reached"),
    (errors.EXIT_HOME, "the home cannot be used"),
    (errors.EXIT_STORE, "this needs the database, and it cannot be used"),
    (errors.EXIT_BUSY, "busy: it runs already, still runs, or does not read"),
    (errors.EXIT_NEWER, "the other side is of another version"),
    (errors.EXIT_PERMISSION, "not permitted"),
    (errors.EXIT_DEGRADED, "`status`: something is degraded or damaged"),
    (130, "interrupted"),
)


def _shape(struct: type[msgspec.Struct], **inner: str) -> str:
    """`{field, field: inner}` of a message struct."""
    names = struct.__struct_fields__
    return "{" + ", ".join(f"{name}: {inner[name]}" if name in inner else name for name in names) + "}"


def _shapes() -> list[str]:
    exit_shape = f"{_shape(client_views.ExitView)} or null"
    session = _shape(client_views.SessionView, exit=exit_shape)
    states = ", ".join(f"`{state}`" for state in typing.get_args(client_views.State))
    status = ", ".join(
        f"{name}: {shape}"
        for name, shape in (
            ("daemon", _shape(client_views.DaemonView)),
            ("store", _shape(client_views.StoreView)),
            ("conditions", f"[{_shape(client_views.Condition)}]"),
            ("recovery", _shape(client_views.RecoveryView)),
        )
    )
    return [
        "## JSON\n",
        "Fields are only ever added. Times are milliseconds since the epoch.\n",
        f"- `attn new --json`: `{session}`. `state` is one of {states}.",
        "- `attn ls --json`: a list of these.",
        f"- `attn status --json`: `{{{status}}}`.",
        f"- `attn wait --json`: `{{exit: {exit_shape}}}`.",
        "- `attn backups --json`: a list of `{path, at_ms, reason, schema, app_version, rows, good, problem}`; `rows` "
        "counts them by table, `problem` says in words why one is not `good`, else it is null.",
        "- `attn doctor --json`: docs/doctor.md.",
        "- `attn screen --format cells`: `{rows, cols, cursor: {row, col, visible}, alternate_screen, title, history, "
        "lines: [{wrapped, runs: [{text, cols, …style}]}]}`.\n",
    ]


def render() -> str:
    """The text of docs/cli.md."""
    parts = [HEAD, "## Commands\n"]
    context = click.Context(cli, info_name="attn")
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        parts += _command(command, f"attn {name}", context)
    return "\n".join([*parts, NATIVE, *_shapes(), *_statuses()])


def _command(command: click.Command, path: str, parent: click.Context) -> Iterator[str]:
    context = click.Context(command, info_name=path.rpartition(" ")[2], parent=parent)
    yield f"### {path}\n"
    if not isinstance(command, click.Group):
        yield f"    {path} {' '.join(command.collect_usage_pieces(context))}\n"
    yield f"{inspect.cleandoc(command.help or '')}\n"
    options = [option for option in command.params if isinstance(option, click.Option)]
    if options:
        yield "".join(f"- {_option(option, context)}\n" for option in options)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            yield from _command(child, f"{path} {name}", context)


def _option(option: click.Option, context: click.Context) -> str:
    record = option.get_help_record(context)
    assert record is not None
    names, text = record
    return f"`{names}` {text}".rstrip()


def _statuses() -> list[str]:
    codes = {
        status: ", ".join(f"`{code}`" for code, of in errors.EXIT_BY_CODE.items() if of == status)
        for status, _ in STATUSES
    }
    rows = [f"| {status} | {meaning} | {codes[status]} |" for status, meaning in STATUSES]
    return [
        "## Exit statuses\n",
        "| status | meaning | codes |",
        "|---|---|---|",
        *rows,
        "",
        "`attn attach`, and `attn new --attach` once the program runs, have their own: 0 detached; the program's own",
        "status when it ended, 128 + n for signal n; 254 when the session was lost from sight; 255 when it could not",
        "be attached.",
        "",
    ]


if __name__ == "__main__":
    MARKDOWN.write_text(render())
