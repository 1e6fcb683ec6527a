"""A home in which no daemon runs while something is done to its database; programs run on meanwhile."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import click

from attn.cli.render import say, tell_conditions
from attn.cli.starting import start_daemon, stop_daemon
from attn.errors import AttnError
from attn.lock import HomeLock
from attn.paths import Home

# Somebody's command may start the daemon again between its end and our lock.
TRIES: Final = 3


@contextmanager
def standstill(home: Home, what: str) -> Iterator[None]:
    """Stop the daemon, hold the lock of the home as `what`, start the daemon again if one ran.

    Raises AttnError `daemon_running` when somebody else has the lock, `home_unwritable`.
    """
    ran, lock = _stopped(home, what)
    umask = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(umask)
        lock.release()
        if ran:
            with start_daemon(home) as link:
                say("attn: the daemon runs again")
                tell_conditions(link)


def _stopped(home: Home, what: str) -> tuple[bool, HomeLock]:
    ran = False
    for tries_left in reversed(range(TRIES)):
        running = stop_daemon(home)
        if running is not None and not ran:
            ran = True
            say("attn: the daemon is stopped for this; all programs run on")
        try:
            return ran, HomeLock(home.lock, what=what)
        except AttnError as error:
            if error.code != "daemon_running" or not tries_left:
                raise
    raise AssertionError("the last try returns or raises")


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr for what takes long there; called with how much is done, and of how much."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    with click.progressbar(length=1000, label=label, file=sys.stderr) as bar:
        yield lambda done, total: bar.update(1000 * done // total - bar.pos if total else 0)


def now_ms() -> int:
    return time.time_ns() // 1_000_000
