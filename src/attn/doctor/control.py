"""The daemon: who holds the home, whether it answers, and what it says."""

from __future__ import annotations

import os
import socket as sockets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from attn import lock as locks
from attn.doctor.scene import Finding, Level, Scene, fail, of_error, ok, quoted, warn
from attn.errors import AttnError
from attn.paths import DEFAULT_PORT

_LEVELS: Final[dict[str, Level]] = {"error": "fail", "warning": "warn", "info": "ok"}
# A port on this machine answers at once or refuses.
_PORT_LIMIT_S: Final = 1.0


def lock(scene: Scene) -> Iterator[Finding]:
    """Who holds the home's lock, and whether it is who it should be."""
    path = scene.home.lock
    try:
        holder = locks.holder(path)
    except AttnError as error:
        yield of_error("lock", error, path)
        return
    if holder is None:
        yield ok("lock", "no daemon runs; commands start it when they need it", path)
    elif holder.what != locks.DAEMON:
        yield warn("lock", f"{holder.what} is at work (pid {holder.pid})", path, f"ps -fp {holder.pid}")
    elif scene.answer is not None:
        yield ok("lock", f"the daemon runs (pid {scene.answer.pid})", path)
    elif _stopped(holder.pid):
        text = f"the daemon (pid {holder.pid}) is stopped, so that nothing answers"
        yield fail("lock", text, path, f"kill -CONT {holder.pid}")
    else:
        text = f"the daemon (pid {holder.pid}) does not answer: {scene.silence or 'nobody listens'}"
        yield fail("lock", text, path, "attn daemon restart")


def _stopped(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "Tt"
    except (OSError, IndexError):
        return False  # not Linux, or it ended meanwhile


def socket(scene: Scene) -> Iterator[Finding]:
    """Whether the daemon's socket can have its name, is private, and belongs to somebody."""
    try:
        path = scene.home.daemon_socket
    except AttnError as error:
        yield of_error("socket", error, scene.home.sockets)
        return
    if not os.path.lexists(path):
        if scene.answer is not None:
            yield ok("socket", "the daemon listens elsewhere, since it has another $XDG_RUNTIME_DIR", path)
        return
    found = path.lstat()
    if not stat.S_ISSOCK(found.st_mode):
        yield fail("socket", "something else stands in the place of the daemon's socket", path, f"ls -l {quoted(path)}")
    elif stat.S_IMODE(path.parent.stat().st_mode) & 0o077:
        command = f"chmod 700 {quoted(path.parent)}"
        yield warn("socket", "others may reach into the directory of the sockets", path.parent, command)
    elif scene.answer is not None:
        yield ok("socket", "the daemon listens", path)


def port(scene: Scene) -> Iterator[Finding]:
    """Which port the page has, and whether another program took it."""
    try:
        number, source = _port(scene)
    except (OSError, ValueError) as error:
        yield fail("port", f"the port of this home cannot be read: {error}", scene.home.port,
                   f"rm {quoted(scene.home.port)}")  # fmt: skip
        return
    if number is None:
        yield ok("port", "none yet; the first daemon chooses a free one and keeps it", scene.home.port)
    elif scene.answer is None and _taken(number):
        yield fail("port", f"port_taken: another program listens on {number} ({source})", scene.home.config,
                   f"ss -ltnp 'sport = :{number}'")  # fmt: skip
    else:
        yield ok("port", f"{number} ({source})")


def _port(scene: Scene) -> tuple[int | None, str]:
    from attn import config

    try:
        configured = config.load(scene.home, scene.env).port
    except AttnError:
        configured = None  # the check of config.toml says why
    if configured is not None:
        return configured, "chosen by ATTN_PORT or config.toml"
    if scene.home.is_default:
        return DEFAULT_PORT, "the usual one"
    try:
        return int(scene.home.port.read_text()), "kept in the home"
    except FileNotFoundError:
        return None, ""


def _taken(number: int) -> bool:
    with sockets.socket(sockets.AF_INET, sockets.SOCK_STREAM) as probe:
        probe.settimeout(_PORT_LIMIT_S)
        return probe.connect_ex(("127.0.0.1", number)) == 0


def conditions(scene: Scene) -> Iterator[Finding]:
    """Everything that the daemon itself shows in `attn status`."""
    if scene.answer is None:
        return
    for found in scene.answer.conditions:
        level = _LEVELS.get(found.severity, "warn")
        yield Finding("conditions", level, f"{found.code}: {found.text}", found.path, found.command)
    if not scene.answer.conditions:
        yield ok("conditions", "the daemon knows of nothing that is not well")
