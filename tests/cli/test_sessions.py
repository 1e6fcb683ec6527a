"""What the session commands make of their arguments; tests/system/test_cli.py runs them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from attn.cli import sessions
from attn.cli.app import run
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


def test_a_working_directory_that_was_removed_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    for args in (["new", "--", "cat"], ["new", "--cwd", "x", "--", "cat"]):
        assert run(args) == 64
        assert capsys.readouterr().err.splitlines() == [
            "directory_missing: the current directory cannot be used: No such file or directory",
            "cd to a directory that stands, or give an absolute one with --cwd",
        ]
    assert sessions.working_directory("/tmp/../etc") == "/etc"
    monkeypatch.chdir(tmp_path)
    assert sessions.working_directory("x") == str(tmp_path / "x")
    assert sessions.working_directory(None) == str(tmp_path)


@pytest.mark.parametrize(
    ("args", "remedy"),
    [
        (["ls", "-la"], "a program and its arguments go after --: attn new -- ls -la"),
        (["sort", "--end", "a b"], "a program and its arguments go after --: attn new -- sort --end 'a b'"),
        (["--label", "x", "ls", "-la"], "what is meant for the program goes after --, the rest is in: attn new --help"),
    ],
)
def test_an_option_of_the_program_is_told_from_a_wrong_one(
    args: list[str], remedy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["new", *args]) == 64
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("usage: No such option")
    assert second == remedy
