"""Where everything of one attn home stands: the only module that builds these paths."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from attn.errors import AttnError

# sun_path is 108 bytes on Linux and 104 on macOS, with the closing NUL (unix(7)).
SOCKET_PATH_MAX_BYTES = 103 if sys.platform == "darwin" else 107
DEFAULT_PORT = 9849


@dataclass(frozen=True)
class Home:
    """One attn home. `root` is absolute; `sockets` is a short directory for unix sockets."""

    root: Path
    sockets: Path
    is_default: bool

    @property
    def database(self) -> Path:
        return self.root / "attn.db"

    @property
    def sentinel(self) -> Path:
        return self.root / "attn.db.meta"

    @property
    def unsaved(self) -> Path:
        """Since when nothing is saved; there while the database cannot be used."""
        return self.root / "not-saved-since"

    @property
    def config(self) -> Path:
        return self.root / "config.toml"

    @property
    def lock(self) -> Path:
        return self.root / "daemon.lock"

    @property
    def daemon_id(self) -> Path:
        return self.root / "daemon-id"

    @property
    def token(self) -> Path:
        return self.root / "token"

    @property
    def port(self) -> Path:
        return self.root / "port"

    @property
    def backups(self) -> Path:
        return self.root / "backups"

    @property
    def aside(self) -> Path:
        """What repairs put in the place of; one dated directory each."""
        return self.root / "aside"

    @property
    def intent(self) -> Path:
        """Stands there while a repair is at work, so that one which was interrupted is noticed."""
        return self.root / "repair.intent"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def daemon_log(self) -> Path:
        return self.logs / "daemon.log"

    @property
    def run(self) -> Path:
        return self.root / "run"

    def bundle(self, session_id: str) -> Path:
        """The directory of one session's files."""
        return self.run / session_id

    @property
    def daemon_socket(self) -> Path:
        """The unix socket that clients connect to."""
        return self._socket("daemon")

    def worker_socket(self, session_id: str) -> Path:
        """The unix socket of one session's worker."""
        return self._socket(session_id)

    def _socket(self, name: str) -> Path:
        # Two homes share $XDG_RUNTIME_DIR/attn, so the name carries the home as well as the session.
        digest = hashlib.blake2s(f"{self.root}\0{name}".encode(), digest_size=6).hexdigest()
        path = self.sockets / f"{'d' if name == 'daemon' else 'w'}{digest}"
        if len(os.fsencode(path)) > SOCKET_PATH_MAX_BYTES:
            raise AttnError(
                "socket_path_too_long",
                f"{path} is longer than the {SOCKET_PATH_MAX_BYTES} bytes that a unix socket may have",
                "set XDG_RUNTIME_DIR to a short directory of yours, or ATTN_HOME to a shorter path",
            )
        return path


def home_unusable(path: Path, reason: str) -> AttnError:
    """The error for a home, or a file that must be in it, which cannot be read or written."""
    return AttnError(
        "home_unwritable",
        f"{path} cannot be used: {reason}",
        "run: attn doctor (it says what to type), or set ATTN_HOME to a directory that you can write",
    )


def home_from_env(env: Mapping[str, str]) -> Home:
    """The home that `ATTN_HOME` names, else `~/.attn`.

    Raises AttnError `test_fence` when a test would touch the user's own home, `home_invalid` for a relative path.
    """
    value = env.get("ATTN_HOME", "")
    default = Path(env.get("HOME") or os.path.expanduser("~")) / ".attn"
    if env.get("ATTN_TEST_FENCE") and (not value or Path(value).resolve() == default.resolve()):
        raise AttnError(
            "test_fence",
            f"a test tried to use {value or default}, which holds a person's own sessions",
            "set ATTN_HOME to a temporary directory in the test",
        )
    if value and not os.path.isabs(value):
        raise AttnError("home_invalid", f"ATTN_HOME is {value!r}, which is not absolute", "give an absolute path")
    root = Path(os.path.abspath(value)) if value else default
    return Home(root=root, sockets=_socket_dir(root, env), is_default=root == default)


def _socket_dir(root: Path, env: Mapping[str, str]) -> Path:
    runtime = env.get("XDG_RUNTIME_DIR", "")
    if runtime and os.path.isdir(runtime) and os.access(runtime, os.W_OK):
        return Path(runtime) / "attn"
    return root / "run" / "s"
