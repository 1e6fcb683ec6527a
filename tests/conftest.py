"""The fence: no test of this tree can reach a person's own sessions, agents or settings."""

from __future__ import annotations

import os
import pwd
import tempfile
from pathlib import Path

import hypothesis
import pytest

# A busy machine is no failure; what hangs is ended by its suite.
hypothesis.settings.register_profile("attn", deadline=None)
hypothesis.settings.load_profile("attn")

REAL_HOME = Path(pwd.getpwuid(os.getuid()).pw_dir)
# Variables through which attn or an agent would find a person's own data, credentials or running session.
DROPPED = (
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_BASE_URL",
    "ATTN_HOME",
    "ATTN_PORT",
    "ATTN_SESSION",
    "ATTN_SOCKET",
    "CLAUDE_CONFIG_DIR",
    "CODEX_HOME",
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "TMUX",
    "TMUX_PANE",
)
# Tools that tests start (npm, pip) keep their caches and settings, which hold nobody's sessions.
KEPT = {
    "XDG_CACHE_HOME": ".cache",
    "npm_config_cache": ".npm",
    "NPM_CONFIG_USERCONFIG": ".npmrc",
    "PIP_CONFIG_FILE": ".config/pip/pip.conf",
}
_HOME = pytest.StashKey[tempfile.TemporaryDirectory[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Gives the whole run a home of its own before any test module is imported."""
    named = os.environ.get("ATTN_HOME", "")
    if named and Path(named).resolve() == (REAL_HOME / ".attn").resolve():
        pytest.exit(f"test_fence: ATTN_HOME is {named}, which holds a person's own sessions", returncode=73)
    for name in DROPPED:
        os.environ.pop(name, None)
    # A short name, since the sockets of the homes below it have a limit of 107 bytes.
    config.stash[_HOME] = tempfile.TemporaryDirectory(prefix="attn-", ignore_cleanup_errors=True)
    home = Path(config.stash[_HOME].name)
    runtime = home / "run"
    runtime.mkdir(mode=0o700)
    for name, path in KEPT.items():
        if (REAL_HOME / path).exists():
            os.environ.setdefault(name, str(REAL_HOME / path))
    os.environ.update(
        HOME=str(home),
        XDG_RUNTIME_DIR=str(runtime),
        XDG_CONFIG_HOME=str(home / ".config"),
        XDG_DATA_HOME=str(home / ".local/share"),
        SHELL="/bin/bash",
        ATTN_TEST_FENCE="1",
    )


def pytest_unconfigure(config: pytest.Config) -> None:
    """Removes the home of this run."""
    if _HOME in config.stash:
        config.stash[_HOME].cleanup()
