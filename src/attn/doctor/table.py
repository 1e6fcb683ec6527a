"""All checks, as rows in the order in which they are told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from attn.doctor import control, database, installation, leftovers, place, sessions
from attn.doctor.scene import Check, Finding, Scene, fail

CHECKS: Final[tuple[Check, ...]] = (
    Check("program", "attn itself, its Python, and others of its name", installation.program, inside=False),
    Check("versions", "the running daemon and this attn", installation.versions, inside=False),
    Check("sqlite", "the version of SQLite", installation.sqlite, inside=False),
    Check("config", "config.toml", installation.settings),
    Check("home", "the directory of the home: owner, mode, file system, space", place.home, inside=False),
    Check("secrets", "token, daemon id and everything else that is nobody else's", place.secrets),
    Check("service", "whether a service manager starts or ends attn", place.service, inside=False),
    Check("lock", "who holds the home", control.lock),
    Check("socket", "the daemon's socket", control.socket),
    Check("port", "the page's port", control.port),
    Check("conditions", "what the running daemon says is not well", control.conditions, inside=False),
    Check("repair", "a repair that was interrupted", database.interrupted),
    Check("database", "the database: file, content, schema, history", database.content),
    Check("sentinel", "what the last daemon left beside the database", database.sentinel),
    Check("backups", "each backup, verified now", database.backups),
    Check("sessions", "each session's files against its lock, its processes and its end", sessions.bundles),
    Check("processes", "workers and spawners without a session or a daemon", sessions.processes),
    Check("leftovers", "temporary files, dead sockets, empty directories", leftovers.files),
)


def examine(scene: Scene) -> Iterator[Finding]:
    """Every finding of every check. A check that fails itself is a finding too."""
    for check in CHECKS:
        if check.inside and not scene.open:
            continue  # the check of the home says why
        try:
            yield from check.look(scene)
        except Exception as error:  # noqa: BLE001 -- whatever is broken, the other checks are made
            yield fail(check.name, f"this could not be looked at: {error!r}", command="attn debug")
