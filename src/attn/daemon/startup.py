"""What must be true before the daemon serves: the home, the lock, the identity, the port, the login environment."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import pwd
import secrets
import signal
import socket
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from attn.bundle.bundle import list_bundles
from attn.bundle.files import BundleDamaged
from attn.core import environment
from attn.errors import AttnError
from attn.paths import DEFAULT_PORT, Home, home_unusable

log = logging.getLogger(__name__)

LOGIN_SHELL_LIMIT_S: Final = 5.0
LOGIN_ENVIRONMENT_MAX_BYTES: Final = 1 << 20
LISTEN_BACKLOG: Final = 128


def prepare_home(home: Home) -> int:
    """Make the directories of a home, 0700, ours alone; the umask that we were started with, which programs get.

    Raises AttnError `home_unwritable`.
    """
    umask = os.umask(0o077)
    for directory in (home.root, home.run, home.logs, home.sockets):
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            _own(directory)
        except OSError as error:
            raise home_unusable(directory, error.strerror or str(error)) from error
    return umask


def _own(directory: Path) -> None:
    facts = directory.stat()
    if facts.st_uid != os.getuid():
        raise PermissionError(0, f"it belongs to uid {facts.st_uid}, not to you")
    if stat.S_IMODE(facts.st_mode) & 0o077:
        directory.chmod(0o700)
    probe = directory / f".probe-{secrets.token_hex(4)}"
    os.close(os.open(probe, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    probe.unlink()


def daemon_id(home: Home) -> str:
    """The stable id of this home's daemon, made at the first start.

    A home that lost the file but not its sessions takes the id that all of them name: under another one their workers
    would be a stranger's. Raises AttnError `home_unwritable`.
    """
    return _secret_file(home.daemon_id, lambda: _remembered_id(home) or secrets.token_hex(6))


def _remembered_id(home: Home) -> str:
    """The daemon that every readable session of the home belongs to; empty when there is none, or more than one."""
    named = set()
    for bundle in list_bundles(home.run):
        try:
            named.add(bundle.spec().daemon_id)
        except (BundleDamaged, OSError) as error:
            log.warning("it does not say whose it is: %s", error)
    return named.pop() if len(named) == 1 else ""


def client_token(home: Home) -> str:
    """The 256-bit secret of HTTP clients that are no browser."""
    return _secret_file(home.token, lambda: secrets.token_urlsafe(32))


def _secret_file(path: Path, make: Callable[[], str]) -> str:
    """The one line of a 0600 file, made if it is not there; a link in its place is refused. Needs the lock."""
    try:
        if not os.path.lexists(path):
            _write_line(path, make())
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)) as file:
            value = file.read(256).strip()
    except OSError as error:
        raise home_unusable(path, error.strerror or str(error)) from error
    if not value:
        raise home_unusable(path, "it is empty; remove it and start again")
    return value


def _write_line(path: Path, text: str) -> None:
    """A file of one line that is whole or not there, also after a power cut."""
    fresh = path.with_name(f"{path.name}.new")
    with open(fresh, "w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)


def port_wanted(home: Home, configured: int | None) -> int | None:
    """The port that was chosen for this home: by ATTN_PORT or config.toml, else the one it keeps, else 9849.

    None when a home that is not the default one has none yet. Raises AttnError `invalid_config`.
    """
    if configured is not None:
        return configured
    if home.is_default:
        return DEFAULT_PORT
    try:
        kept = home.port.read_text().strip()
    except FileNotFoundError:
        return None
    if not kept.isdecimal() or not 1 <= int(kept) <= 65535:
        raise AttnError("invalid_config", f"{home.port} holds {kept[:40]!r}, which is not a port", f"rm {home.port}")
    return int(kept)


def bind_port(home: Home, configured: int | None) -> socket.socket:
    """The listening HTTP socket on 127.0.0.1. Raises AttnError `port_taken`; it never moves to another port."""
    wanted = port_wanted(home, configured)
    server = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a restart meets connections in TIME_WAIT
    try:
        server.bind(("127.0.0.1", wanted or 0))
        server.listen(LISTEN_BACKLOG)
    except OSError as error:
        server.close()
        owner = port_owner(wanted or 0) or "another process"
        raise AttnError(
            "port_taken",
            f"port {wanted} on 127.0.0.1 is taken by {owner}: {error.strerror}",
            "end it, or choose another port with `port` in config.toml or ATTN_PORT",
        ) from error
    if wanted is None:
        _write_line(home.port, str(server.getsockname()[1]))
    server.setblocking(False)
    return server


def port_owner(port: int) -> str | None:
    """`name (pid N)` of the process that listens on a TCP port, from /proc; None when it cannot be seen."""
    inodes = set(_listening_inodes(port))
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for process in Path("/proc").glob("[0-9]*") if wanted else ():
        # Processes come and go, and those of other users cannot be read: neither is the one we can name.
        with contextlib.suppress(OSError):
            for descriptor in (process / "fd").iterdir():
                if os.readlink(descriptor) in wanted:
                    return f"{(process / 'comm').read_text().strip()} (pid {process.name})"
    return None


def _listening_inodes(port: int) -> Iterator[str]:
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue  # not Linux, or no IPv6
        for line in lines:
            fields = line.split()
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:  # 0A = TCP_LISTEN
                yield fields[9]


def listen_unix(path: Path) -> socket.socket:
    """The clients' socket, 0600. Only the holder of the daemon lock may call this: it removes a stale one."""
    path.unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        server.bind(os.fspath(path))
        path.chmod(0o600)
        server.listen(LISTEN_BACKLOG)
    except OSError as error:
        server.close()
        raise home_unusable(path, error.strerror or str(error)) from error
    server.setblocking(False)
    return server


@dataclass(frozen=True)
class LoginEnvironment:
    """What the user's login shell gives to programs; `problem` says why it is only a minimum, empty when whole."""

    variables: dict[str, str]
    umask: int
    problem: str = ""


async def login_environment(env: Mapping[str, str], umask: int) -> LoginEnvironment:
    """What a login shell started with `env` and `umask` makes of them, asked for at most five seconds; never raises."""
    user = pwd.getpwuid(os.getuid())
    shell = env.get("SHELL") or user.pw_shell or "/bin/sh"
    told, problem = None, ""
    try:
        told = environment.parse_login(await _ask_shell(shell, env, umask))
        problem = "" if told else f"{shell} printed no environment"
    except TimeoutError:
        problem = f"{shell} did not print its environment within {LOGIN_SHELL_LIMIT_S:.0f} s"
    except OSError as error:
        problem = f"{shell} cannot be started: {error.strerror}"
    if told:
        return LoginEnvironment(told[1], told[0])
    log.warning("login environment: %s", problem)
    return LoginEnvironment(environment.minimal_environment(user.pw_name, user.pw_dir, shell), umask, problem)


async def _ask_shell(shell: str, env: Mapping[str, str], umask: int) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *environment.login_argv(shell),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True, cwd="/", env=dict(env), umask=umask,
    )  # fmt: skip
    assert process.stdout is not None
    output = bytearray()
    try:
        async with asyncio.timeout(LOGIN_SHELL_LIMIT_S):
            while chunk := await process.stdout.read(LOGIN_ENVIRONMENT_MAX_BYTES - len(output)):
                output += chunk
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):  # it ended this very moment
            os.killpg(process.pid, signal.SIGKILL)  # its own session: children that it waits for go with it
        await process.wait()
        raise
    return bytes(output)
