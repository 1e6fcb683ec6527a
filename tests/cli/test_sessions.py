"""What the session commands make of their arguments; tests/system/test_cli.py runs them."""

from __future__ import annotations

import os

import pytest

from attn.cli import sessions
from attn.errors import AttnError


def test_variables_are_split_at_the_first_sign() -> None:
    assert sessions.parse_env(("A=1", "B=x=y", "C=")) == {"A": "1", "B": "x=y", "C": ""}


@pytest.mark.parametrize("pair", ["A", "=1", "A=\0"])
def test_other_pairs_are_refused(pair: str) -> None:
    with pytest.raises(AttnError, match="invalid_env"):
        sessions.parse_env((pair,))


def test_only_what_the_desktop_and_the_language_need_follows_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name in (
        "SSH_AUTH_SOCK",
        "DISPLAY",
        "WAYLAND_DISPLAY",
        "LANG",
        "LC_ALL",
        "LC_TIME",
        "PATH",
        "ANTHROPIC_API_KEY",
    ):
        monkeypatch.setenv(name, name.lower())
    assert set(sessions.client_environment(os.environ)) == {
        "SSH_AUTH_SOCK", "DISPLAY", "WAYLAND_DISPLAY", "LANG", "LC_ALL", "LC_TIME",
    }  # fmt: skip


def test_without_a_terminal_the_daemon_chooses_the_size(capsys: pytest.CaptureFixture[str]) -> None:
    assert sessions.own_size() == (None, None)
