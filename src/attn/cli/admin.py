"""The commands about attn itself: the page, the state of things, the daemon, its log."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click

from attn import __version__
from attn.cli.link import Link
from attn.cli.render import age, condition_line, say, show, show_json, table, tell_conditions
from attn.cli.starting import (
    connect,
    daemon_link,
    found_home,
    lock_holder,
    open_link,
    start_daemon,
    stop_daemon,
)
from attn.errors import EXIT_DEGRADED, AttnError
from attn.paths import Home
from attn.wire.client_events import LoginResult, Ok, StatusResult
from attn.wire.client_requests import GetStatus, NewLogin, StoreRetry
from attn.wire.client_views import Condition, RecoveryView, StoreView

STATUS_RECOVERY_S: Final = 3.0
FOLLOW_EVERY_S: Final = 0.25
LOG_LINES: Final = 50

_DAEMON_OPTIONS: Final = (
    click.option("--ephemeral", is_flag=True, help="Keep the database in memory only; everything says so."),
    click.option("--require-store", is_flag=True, help="Exit when the database cannot be used."),
)


@click.command("open")
def open_command() -> None:
    """Open the page; without a display print its one-time address."""
    with daemon_link() as link:
        url = link.request(NewLogin(id=0), LoginResult).url
    if has_display(os.environ):
        import webbrowser

        webbrowser.open(url)
    show(url)


def has_display(environ: os._Environ[str] | dict[str, str]) -> bool:
    """Whether a browser window could appear. Text browsers would take over the terminal, so they do not count."""
    return sys.platform == "darwin" or bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: daemon, store, conditions, recovery.")
def status_command(as_json: bool) -> int:
    """Show how the daemon and its database are (exit 78 while something is degraded or damaged)."""
    with connect(found_home(), recovered=False) as link:
        _wait_a_little(link)
        status = link.request(GetStatus(id=0), StatusResult)
        build = link.hello.version
    if as_json:
        show_json({name: getattr(status, name) for name in ("daemon", "store", "conditions", "recovery")})
    else:
        for line in status_lines(status):
            show(line)
        if build != __version__:
            say(f"attn: the daemon is attn {build}, this is attn {__version__}; run: attn daemon restart")
    return EXIT_DEGRADED if is_degraded(status) else 0


def _wait_a_little(link: Link) -> None:
    """A daemon that has just started knows the state of things a moment later; one that takes longer is shown so."""
    try:
        link.wait_recovered(STATUS_RECOVERY_S)
    except AttnError as error:
        if error.code != "daemon_recovering":
            raise


def is_degraded(status: StatusResult) -> bool:
    """Whether something does not do what it promises; an ephemeral database promises nothing."""
    return status.store.state in ("degraded", "refused") or any(
        condition.severity == "error" for condition in status.conditions
    )


def status_lines(status: StatusResult) -> list[str]:
    """What `attn status` prints for people."""
    daemon, store = status.daemon, status.store
    facts = [
        ("daemon", f"pid {daemon.pid} · attn {daemon.version} · up {age(daemon.since_ms)} · {daemon.id}"),
        ("page", f"{daemon.url}  (log in with: attn open)"),
        ("sessions", f"{status.sessions_running} running of {status.sessions_total}"),
        ("store", f"{store.state} · {store.path}"),
        ("backup", backup_words(store)),
        ("recovery", recovery_words(status.recovery)),
    ]
    lines = [f"{name:<9} {text}" for name, text in facts]
    for condition in status.conditions:
        lines += ["", f"{condition.severity:<9} {condition_line(condition)}"]
        lines += [f"{'':<9} {part}" for part in condition.detail.splitlines()]
        lines += [f"{'':<9} {fact}" for fact in condition_facts(condition)]
        lines += [f"{'':<9} {command}" for command in condition.commands[1:]]
    return lines


def condition_facts(condition: Condition) -> list[str]:
    """What a condition about the database says beside its detail."""
    facts = [
        ("database", condition.db_path),
        ("schema change", condition.migration),
        ("not saved since", condition.not_saved_since_ms and _ago(condition.not_saved_since_ms)),
        ("last good backup", condition.last_good_backup),
    ]
    return [f"{name}: {value}" for name, value in facts if value]


def backup_words(store: StoreView) -> str:
    """Where the newest good backup stands, and how old it is."""
    if store.last_good_backup is None:
        return "none yet"
    return f"{store.last_good_backup} ({_ago(store.last_good_backup_ms)})"


def _ago(then_ms: int | None) -> str:
    words = age(then_ms)
    return "just now" if words == "now" else f"{words} ago"


def recovery_words(recovery: RecoveryView) -> str:
    """What the last start of the daemon found."""
    names = ("recovered", "recreated", "exited", "lost", "unreachable", "quarantined")
    found = [f"{getattr(recovery, name)} {name}" for name in names if getattr(recovery, name)]
    words = " · ".join(found) or "nothing to recover"
    return words if recovery.done else f"in progress · {words}"


@click.group("store")
def store_command() -> None:
    """The database of a running daemon."""


@store_command.command("retry")
def store_retry() -> None:
    """Try the database again now, also when its condition does not end by itself."""
    with connect(found_home(), recovered=False) as link:
        link.request(StoreRetry(id=0), Ok)
        store = link.request(GetStatus(id=0), StatusResult).store
    show(f"the database is usable: {store.path}" if store.state == "ok" else f"the database is {store.state}")


@click.group("daemon")
def daemon_command() -> None:
    """Run, start, stop or restart the daemon. Programs run on whatever happens to it."""


def _daemon_options(command: Any) -> Any:
    for option in reversed(_DAEMON_OPTIONS):
        command = option(command)
    return command


@daemon_command.command("run")
@_daemon_options
def daemon_run(ephemeral: bool, require_store: bool) -> int:
    """Run the daemon in the foreground (exit 75 when one runs already)."""
    from attn import config
    from attn.daemon import main

    home = found_home()
    return main.run(home, config.load(home, os.environ), ephemeral=ephemeral, require_store=require_store)


@daemon_command.command("start")
@_daemon_options
def daemon_start(ephemeral: bool, require_store: bool) -> None:
    """Start the daemon in the background."""
    home = found_home()
    link = open_link(home)
    if link is not None:
        with link:
            show(f"the daemon runs already (pid {lock_holder(home) or 'unknown'})")
        return
    _started(home, _options(ephemeral, require_store))


@daemon_command.command("stop")
def daemon_stop() -> None:
    """Stop the daemon; all programs run on."""
    show(_stopped(stop_daemon(found_home())))


@daemon_command.command("restart")
@_daemon_options
def daemon_restart(ephemeral: bool, require_store: bool) -> None:
    """Stop and start the daemon, for instance after an upgrade; all programs run on."""
    home = found_home()
    show(_stopped(stop_daemon(home)))
    _started(home, _options(ephemeral, require_store))


def _options(ephemeral: bool, require_store: bool) -> list[str]:
    return [name for name, wanted in (("--ephemeral", ephemeral), ("--require-store", require_store)) if wanted]


def _stopped(running: int | None) -> str:
    """What to say about `stop_daemon`'s result."""
    match running:
        case None:
            return "no daemon was running"
        case -1:
            return "the daemon is stopped; its programs run on"
        case 1:
            return "the daemon is stopped; 1 program runs on"
        case _:
            return f"the daemon is stopped; {running} programs run on"


def _started(home: Home, options: list[str]) -> None:
    with start_daemon(home, options) as link:
        link.wait_recovered(timeout_s=10)
        show(f"the daemon runs (pid {lock_holder(home) or 'unknown'})")
        for line in older_workers(link):
            show(line)
        tell_conditions(link)


def older_workers(link: Link) -> list[str]:
    """The sessions whose worker is of another build than the daemon: they keep it until their program ends."""
    build = link.hello.version
    older = [
        session
        for session in link.hello.sessions
        if session.state == "running" and session.worker_build not in ("", build)
    ]
    if not older:
        return []
    rows = [(session.id, session.worker_build, session.label) for session in older]
    return [
        "these run on with workers of another build; attn reload SESSION gives one of this build:",
        *table(("ID", "BUILD", "LABEL"), rows),
    ]


@click.command("logs")
@click.option("-f", "--follow", is_flag=True, help="Wait for more lines; Ctrl-C ends it.")
@click.option(
    "-n", "--lines", metavar="N", type=click.IntRange(min=0), default=LOG_LINES, show_default=True, help="From its end."
)
def logs_command(follow: bool, lines: int) -> None:
    """Show the daemon's log; works without a daemon."""
    from attn import logs

    home = found_home()
    if not home.daemon_log.exists() and not follow:
        raise AttnError("log_missing", f"there is no log at {home.daemon_log}", "run: attn daemon start")
    for line in logs.tail(home.daemon_log, lines) if lines else []:
        show(line)
    if follow:
        sys.stdout.flush()
        for line in followed(home.daemon_log):
            show(line)
            sys.stdout.flush()


def followed(path: Path) -> Iterator[str]:
    """The lines that a log gets from now on, across rotations, for ever."""
    offset = path.stat().st_size if path.exists() else 0
    inode = path.stat().st_ino if path.exists() else 0
    rest = b""
    while True:
        if path.exists():
            with path.open("rb") as file:
                facts = os.fstat(file.fileno())
                if facts.st_ino != inode or facts.st_size < offset:  # rotated or cut: from the start of the new one
                    inode, offset = facts.st_ino, 0
                file.seek(offset)
                data = file.read(1 << 20)
                offset += len(data)
            *whole, rest = (rest + data).split(b"\n")
            for line in whole:
                yield line.decode(errors="replace")
        time.sleep(FOLLOW_EVERY_S)
