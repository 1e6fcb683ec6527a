"""Each row of the agent table, and how the person's own arguments change a start."""

from __future__ import annotations

import pytest

from attn.core.agents import (
    AGENTS,
    PROGRAM,
    agent,
    conversation_in,
    find,
    label_for,
    launch,
    locate,
    options_only,
    recognise,
    resume,
)
from attn.errors import AttnError

NEW = "11111111-1111-4111-8111-111111111111"
OLD = "01a2051d-d4c3-7e82-b5c1-7a4fc36c2df6"


def test_the_rows_are_those_of_the_command_line() -> None:
    assert list(AGENTS) == ["codex", "claude", "copilot", "gemini", "opencode", "shell"]
    assert all(row.title and row.install and row.binaries for row in AGENTS.values())


def test_an_unknown_agent_names_the_known_ones() -> None:
    with pytest.raises(AttnError) as raised:
        agent("cursor\x1b[31m")
    assert raised.value.code == "unknown_agent" and "codex, claude" in raised.value.remedy
    assert "\x1b" not in raised.value.message


def test_a_missing_binary_names_the_command_that_installs_it() -> None:
    with pytest.raises(AttnError) as raised:
        find(AGENTS["claude"], lambda name: None)
    assert raised.value.code == "agent_missing"
    assert "npm install -g @anthropic-ai/claude-code" in raised.value.remedy


def test_the_shell_is_the_persons_own_if_it_exists() -> None:
    there = {"/usr/bin/fish": "/usr/bin/fish", "bash": "/bin/bash"}.get
    assert locate(AGENTS["shell"], there, "/usr/bin/fish") == "/usr/bin/fish"
    assert locate(AGENTS["shell"], there, "/usr/bin/gone") == "/bin/bash"
    assert locate(AGENTS["shell"], there) == "/bin/bash"
    assert launch(AGENTS["shell"], "/bin/bash", []).argv == ["/bin/bash", "-l"]


def test_a_shell_cannot_be_resumed() -> None:
    assert resume(AGENTS["shell"], "/bin/bash", [], None) is None
    assert not launch(AGENTS["shell"], "/bin/bash", []).resumable


# name, arguments, argv after the binary, conversation, resumable
STARTS = [
    ("codex", [], ["--no-daemon"], None, True),
    ("codex", ["-m", "o9", "fix it"], ["--no-daemon", "-m", "o9", "fix it"], None, True),
    ("codex", ["resume", OLD], ["--no-daemon", "resume", OLD], OLD, True),
    ("codex", ["login"], ["login"], None, False),
    ("codex", ["--version"], ["--no-daemon", "--version"], None, False),
    ("claude", [], ["--session-id", NEW], NEW, True),
    ("claude", ["--model", "opus", "hi"], ["--session-id", NEW, "--model", "opus", "hi"], NEW, True),
    ("claude", ["--resume", OLD], ["--resume", OLD], OLD, True),
    ("claude", [f"--session-id={OLD}"], [f"--session-id={OLD}"], OLD, True),
    ("claude", ["-c"], ["-c"], None, True),
    ("claude", ["-p", "hi"], ["-p", "hi"], None, False),
    ("claude", ["mcp", "list"], ["mcp", "list"], None, False),
    ("copilot", [], ["--session-id", NEW], NEW, True),
    ("gemini", ["-y"], ["-y"], None, True),
    ("opencode", [], [], None, True),
]


@pytest.mark.parametrize(("name", "args", "argv", "conversation", "resumable"), STARTS)
def test_starts(name: str, args: list[str], argv: list[str], conversation: str | None, resumable: bool) -> None:
    start = launch(AGENTS[name], f"/bin/{name}", args, NEW)
    assert start.argv == [f"/bin/{name}", *argv]
    assert (start.conversation, start.resumable) == (conversation, resumable)


RESUMES = [
    ("codex", ["-m", "o9", "--oss", "fix it"], OLD, ["resume", OLD, "--no-daemon", "-m", "o9", "--oss"]),
    ("codex", [], None, ["resume", "--no-daemon"]),
    ("claude", ["--model", "opus", "--verbose", "fix it"], OLD, ["--resume", OLD, "--model", "opus", "--verbose"]),
    ("claude", ["--resume", NEW, "--model=opus"], OLD, ["--resume", OLD, "--model=opus"]),
    ("copilot", ["--yolo"], OLD, [f"--resume={OLD}", "--yolo"]),
    ("gemini", [], None, ["--resume", "latest"]),
    ("opencode", ["--model", "x/y"], None, ["--continue", "--model", "x/y"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "args", "conversation", "argv"), RESUMES)
def test_a_resume_repeats_the_options_but_not_the_prompt(
    name: str, args: list[str], conversation: str | None, argv: list[str]
) -> None:
    again = resume(AGENTS[name], f"/bin/{name}", args, conversation)
    assert again is not None and again.argv == [f"/bin/{name}", *argv]


def test_nothing_after_two_dashes_is_an_option() -> None:
    assert options_only(AGENTS["codex"], ["--search", "--", "--oss"]) == ["--search"]


def test_a_conversation_is_learned_from_what_the_agent_prints_at_its_end() -> None:
    codex = f"Token usage: 12\r\nTo continue this session, run:\r\n  codex resume {OLD}\r\n"
    assert conversation_in(AGENTS["codex"], codex) == OLD
    assert conversation_in(AGENTS["claude"], f"Resume this session with:\r\nclaude --resume {NEW}") == NEW
    assert conversation_in(AGENTS["codex"], "nothing") is None
    assert conversation_in(AGENTS["shell"], codex) is None


def test_a_typed_command_line_is_recognised() -> None:
    assert recognise(["/opt/bin/codex", "-m", "x"]) == "codex"
    assert recognise(["bash"]) == PROGRAM
    assert recognise([]) == PROGRAM


def test_a_label_says_what_runs_and_where() -> None:
    assert label_for("codex", "/home/x/project/") == "codex-project"
    assert label_for("codex", "/home/x/project", {"codex-project"}) == "codex-project-2"
    assert label_for("/usr/bin/htop", "/") == "htop"
