"""The environment a session's program starts with: the person's login environment, one identity, nothing of ours.

Login shell, minus the scrub list, plus a few variables of the calling client, plus `--env`, plus who we are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from attn.errors import AttnError

# Exact names that must not travel into a session. Agents refuse to start, lose colour, or file their conversation
# under somebody else's when they inherit these (agent-facts, and the bug lists of other session managers).
SCRUBBED_NAMES: Final[frozenset[str]] = frozenset(
    {
        # Colour and identity of the terminal that the daemon happened to be started from.
        "NO_COLOR", "TERM", "TERMCAP", "TERMINFO", "COLORTERM", "COLUMNS", "LINES", "WINDOWID",
        "TERM_SESSION_ID", "LC_TERMINAL", "LC_TERMINAL_VERSION", "VTE_VERSION", "WT_SESSION", "WT_PROFILE_ID",
        "STY", "INSIDE_EMACS", "SSH_TTY", "GPG_TTY",
        # What a shell keeps for itself.
        "_", "PWD", "OLDPWD", "SHLVL",
        # Claude Code's marks on its children. Its settings (CLAUDE_CONFIG_DIR, CLAUDE_CODE_USE_*, tokens) stay.
        "CLAUDECODE", "CLAUDE_CODE_ENTRYPOINT", "CLAUDE_CODE_SESSION_ID", "CLAUDE_CODE_CHILD_SESSION",
        "CLAUDE_CODE_SSE_PORT", "CLAUDE_CODE_EXECPATH", "CLAUDE_PROJECT_DIR", "CLAUDE_ENV_FILE", "CLAUDE_PID",
        "CLAUDE_EFFORT", "CLAUDE_AGENT_SDK_VERSION",
        # Codex's. CODEX_HOME and CODEX_API_KEY stay.
        "CODEX_CI", "CODEX_THREAD_ID", "CODEX_SANDBOX", "CODEX_SANDBOX_NETWORK_DISABLED",
        "CODEX_INTERNAL_ORIGINATOR_OVERRIDE", "CODEX_MANAGED_BY_NPM", "CODEX_MANAGED_BY_BUN",
        # Gemini's, Copilot's, opencode's.
        "GEMINI_CLI", "GEMINI_CLI_NO_RELAUNCH", "COPILOT_CLI", "COPILOT_AGENT_SESSION_ID", "COPILOT_LOADER_PID",
        "OPENCODE", "OPENCODE_PID", "OPENCODE_CALLER", "AI_AGENT",
        # A service manager's, meant for the daemon alone.
        "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "INVOCATION_ID", "JOURNAL_STREAM",
        "WATCHDOG_PID", "WATCHDOG_USEC", "MANAGERPID", "SYSTEMD_EXEC_PID",
        # Of the `make` that started the daemon (`make run`): a program's own make would take itself for its child.
        "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES", "MAKE_TERMOUT", "MAKE_TERMERR",
    }
)  # fmt: skip

# Families of names: other terminals and multiplexers, and our own (the client token must never be in there).
SCRUBBED_PREFIXES: Final[tuple[str, ...]] = (
    "ATTN_", "TERM_PROGRAM", "TMUX", "KITTY_", "WEZTERM_", "GHOSTTY_", "ALACRITTY_", "KONSOLE_", "ITERM_", "VSCODE_",
    "ZELLIJ", "ZMX_", "SHPOOL_", "HERDR_", "GEMINI_CLI_IDE_",
)  # fmt: skip

# What a client may hand over from where its person sits now: these go stale in a long-lived daemon.
CLIENT_NAMES: Final[frozenset[str]] = frozenset({"SSH_AUTH_SOCK", "DISPLAY", "WAYLAND_DISPLAY", "LANG"})
CLIENT_PREFIXES: Final[tuple[str, ...]] = ("LC_",)

IDENTITY: Final[Mapping[str, str]] = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "TERM_PROGRAM": "attn"}

# Ours alone: a session that could rename itself would break nested-attach detection and `parent`.
RESERVED: Final[frozenset[str]] = frozenset({"ATTN_SESSION", "ATTN_SOCKET"})

# Linux refuses to exec with one string over 128 KiB (MAX_ARG_STRLEN, execve(2)), the closing NUL included.
MAX_ENTRY_BYTES: Final = 128 * 1024 - 1

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_UMASK: Final = re.compile(rb"[0-7]{1,4}")
_MARKER: Final = b"\0attn-environment\0"


def scrubbed(env: Mapping[str, str]) -> dict[str, str]:
    """`env` without the names that must not travel into a session."""
    return {
        name: value
        for name, value in env.items()
        if name not in SCRUBBED_NAMES and not name.startswith(SCRUBBED_PREFIXES)
    }


def client_part(env: Mapping[str, str]) -> dict[str, str]:
    """The variables of a calling client that go into the sessions it starts; used by clients and by the daemon."""
    return {
        name: value
        for name, value in scrubbed(env).items()
        if value and (name in CLIENT_NAMES or name.startswith(CLIENT_PREFIXES))
    }


def check_environment(extra: Mapping[str, str]) -> None:
    """Raises AttnError `invalid_env` when a variable that a person asked for cannot be given to a program."""
    for name, value in extra.items():
        if _NAME.fullmatch(name) is None:
            raise _invalid(f"{name[:80]!r} is not the name of an environment variable")
        if name in RESERVED:
            raise _invalid(f"{name} is set by attn itself")
        if "\0" in value or len(f"{name}={value}".encode(errors="surrogateescape")) > MAX_ENTRY_BYTES:
            raise _invalid(f"the value of {name} holds a NUL or is over {MAX_ENTRY_BYTES} bytes")


def parse_environment(pairs: Iterable[str]) -> dict[str, str]:
    """`["K=V", …]` as `--env` takes them -> a mapping, the last of equal names wins. Raises AttnError `invalid_env`."""
    extra: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise _invalid(f"{pair[:80]!r} has no =")
        extra[name] = value
    check_environment(extra)
    return extra


def child_environment(
    login: Mapping[str, str], client: Mapping[str, str], extra: Mapping[str, str], ours: Mapping[str, str]
) -> dict[str, str]:
    """The whole environment of a session's program.

    login: of the login shell, or `minimal_environment`; client: of the calling client, of which only `client_part`
    is taken; extra: what the person asked for by name, which may override anything but RESERVED; ours: the values of
    RESERVED, and of ATTN_HOME where it is not the default, so that `attn` inside the session finds the daemon that it
    belongs to. Raises AttnError `invalid_env`.
    """
    check_environment(extra)
    env = scrubbed(login)
    env.update(client_part(client))
    env.update(IDENTITY)
    env.update(ours)
    env.update(extra)
    return env


def minimal_environment(user: str, home: str, shell: str) -> dict[str, str]:
    """What sessions start with when the login shell could not be asked."""
    return {
        "HOME": home,
        "USER": user,
        "LOGNAME": user,
        "SHELL": shell,
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
    }


def login_argv(shell: str) -> list[str]:
    """How to ask a login shell for its umask and environment. Interactive too: zsh users keep PATH in .zshrc.

    A mark goes before the answer because start-up files may print; `exec` keeps .logout files from printing after it.
    """
    return [shell, "-lic", "printf '\\000attn-environment\\000'; umask; exec env -0"]


def parse_login(output: bytes) -> tuple[int, dict[str, str]] | None:
    """What `login_argv` printed -> the umask and the environment; None when there is no whole answer in it."""
    _, marker, rest = output.rpartition(_MARKER)
    umask, _, answer = rest.partition(b"\n")
    if not marker or not answer.endswith(b"\0") or _UMASK.fullmatch(umask) is None:
        return None
    env: dict[str, str] = {}
    for entry in answer[:-1].split(b"\0"):
        name, equals, value = entry.partition(b"=")
        if name and equals:
            env[name.decode(errors="surrogateescape")] = value.decode(errors="surrogateescape")
    return int(umask, 8), env


def _invalid(message: str) -> AttnError:
    return AttnError("invalid_env", message, "write --env NAME=VALUE")
