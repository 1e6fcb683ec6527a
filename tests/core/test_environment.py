"""What a session's program finds in its environment."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attn.core.environment import (
    MAX_ENTRY_BYTES,
    check_environment,
    child_environment,
    client_part,
    login_argv,
    minimal_environment,
    parse_environment,
    parse_login,
    scrubbed,
)
from attn.errors import AttnError

LOGIN = {
    "HOME": "/home/x", "PATH": "/opt/bin:/usr/bin", "OPENAI_API_KEY": "k", "CODEX_HOME": "/c", "CODEX_API_KEY": "k",
    "CLAUDE_CONFIG_DIR": "/cc", "CLAUDE_CODE_USE_BEDROCK": "1", "CLAUDE_CODE_OAUTH_TOKEN": "t", "LANG": "de_DE.UTF-8",
    "SSH_AUTH_SOCK": "/old", "EDITOR": "vi",
}  # fmt: skip
NOISE = {
    "NO_COLOR": "1", "TERM": "dumb", "COLORTERM": "", "TERM_PROGRAM": "vscode", "TERM_PROGRAM_VERSION": "1",
    "TMUX": "/t", "TMUX_PANE": "%1", "CLAUDECODE": "1", "CLAUDE_CODE_SESSION_ID": "s", "CLAUDE_CODE_ENTRYPOINT": "cli",
    "CODEX_THREAD_ID": "t", "CODEX_SANDBOX": "s", "KITTY_WINDOW_ID": "1", "WEZTERM_PANE": "0", "VSCODE_IPC_HOOK": "/v",
    "ATTN_SESSION": "other", "ATTN_HOME": "/h", "ATTN_TOKEN": "secret", "PWD": "/w", "OLDPWD": "/",
    "SHLVL": "3", "_": "/x",
    "MAKEFLAGS": "w", "MAKELEVEL": "1", "MFLAGS": "-w", "MAKEOVERRIDES": "a=b", "MAKE_TERMOUT": "/t",
    "MAKE_TERMERR": "/t",
    "COLUMNS": "80", "LINES": "24", "GEMINI_CLI": "1", "INVOCATION_ID": "i", "NOTIFY_SOCKET": "/n", "STY": "1",
}  # fmt: skip
OURS_NAMES = {"ATTN_SESSION": "abc", "ATTN_SOCKET": "/s"}
OURS = {
    "TERM": "xterm-256color", "COLORTERM": "truecolor", "TERM_PROGRAM": "attn",
    **OURS_NAMES,
}  # fmt: skip


def test_the_login_environment_without_noise_and_with_our_identity() -> None:
    assert child_environment({**LOGIN, **NOISE}, {}, {}, OURS_NAMES) == {**LOGIN, **OURS}


def test_where_the_client_sits_now_wins_over_the_login() -> None:
    client = {
        "SSH_AUTH_SOCK": "/new", "DISPLAY": ":1", "WAYLAND_DISPLAY": "w", "LC_ALL": "C.UTF-8", "LANG": "",
        "OPENAI_API_KEY": "of another shell", "LC_TERMINAL": "iTerm2", "PATH": "/evil",
    }  # fmt: skip
    env = child_environment(LOGIN, client, {}, OURS_NAMES)
    expected = {"SSH_AUTH_SOCK": "/new", "DISPLAY": ":1", "WAYLAND_DISPLAY": "w", "LC_ALL": "C.UTF-8"}
    assert env == {**LOGIN, **OURS, **expected}
    assert client_part(client) == expected


def test_what_was_asked_for_by_name_wins_over_everything_but_ours() -> None:
    env = child_environment(LOGIN, {}, {"NO_COLOR": "1", "TERM": "vt100", "ATTN_HOME": "/h"}, OURS_NAMES)
    assert (env["NO_COLOR"], env["TERM"], env["ATTN_HOME"]) == ("1", "vt100", "/h")
    assert child_environment(LOGIN, {}, {}, {**OURS_NAMES, "ATTN_HOME": "/other"})["ATTN_HOME"] == "/other"
    for name in ("ATTN_SESSION", "ATTN_SOCKET"):
        with pytest.raises(AttnError):
            child_environment(LOGIN, {}, {name: "x"}, OURS_NAMES)


def test_pairs_as_they_are_typed() -> None:
    assert parse_environment(["A=1", "B=x=y", "A=2", "C="]) == {"A": "2", "B": "x=y", "C": ""}


@pytest.mark.parametrize("pair", ["A", "=x", "1A=x", "A B=x", "A-B=x", "Ä=x", "A=\0", f"A={'x' * MAX_ENTRY_BYTES}"])
def test_pairs_that_no_program_can_be_given(pair: str) -> None:
    with pytest.raises(AttnError) as raised:
        parse_environment([pair])
    assert raised.value.code == "invalid_env"


def test_the_longest_value_passes() -> None:
    check_environment({"A": "x" * (MAX_ENTRY_BYTES - 2)})


@given(st.dictionaries(st.text(), st.text()))
def test_scrubbing_twice_changes_nothing(env: dict[str, str]) -> None:
    assert scrubbed(scrubbed(env)) == scrubbed(env)


def test_without_a_login_shell_there_is_enough_to_work() -> None:
    env = child_environment(minimal_environment("x", "/home/x", "/bin/sh"), {}, {}, OURS_NAMES)
    assert env["HOME"] == "/home/x" and "/usr/bin" in env["PATH"].split(":")


def test_a_login_shell_answers_through_the_noise_of_its_start_up_files() -> None:
    env = {"ENV": "/nonexistent", "MULTI": "one\ntwo=2", "HOME": "/nonexistent", "PATH": "/usr/bin:/bin"}
    bash = shutil.which("bash")
    assert bash
    run = subprocess.run(login_argv(bash), env=env, capture_output=True, timeout=30, check=False, umask=0o027)
    told = parse_login(b"Welcome!\n" + run.stdout)
    assert told is not None
    umask, variables = told
    assert umask == 0o027 and variables["MULTI"] == "one\ntwo=2" and "Welcome!" not in "".join(variables)


@pytest.mark.parametrize(
    "output",
    [
        b"",
        b"HOME=/x\0",
        b"\0attn-environment\0",
        b"\0attn-environment\0022\nHOME=/x\0PATH=/cut",
        b"\0attn-environment\0HOME=/x\0",
    ],
)
def test_half_an_answer_is_no_answer(output: bytes) -> None:
    assert parse_login(output) is None
