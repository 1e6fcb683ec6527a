"""What an agent is talking about is learned from what it does by itself."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from attn.core import agents
from attn.daemon.handlers.desk import Desk
from attn.daemon.lifecycle import conversations
from tests.daemon.lifecycle.test_launching import UUID, agent
from tests.daemon.lifecycle.test_lifecycle import wish
from tests.waiting import wait_until

CODEX, CLAUDE = agents.AGENTS["codex"], agents.AGENTS["claude"]


@contextmanager
def program(code: str, *arguments: str, **env: str) -> Iterator[int]:
    """A running Python program with a child that does `code`, as an agent behind its wrapper; the wrapper's pid."""
    wrapper = "import subprocess, sys; subprocess.run([sys.executable, '-c', *sys.argv[1:]])"
    command = [sys.executable, "-c", wrapper, f"import os, sys, time; {code}; input()", *arguments]
    with subprocess.Popen(command, env={**os.environ, **env}, stdin=subprocess.PIPE) as running:
        try:
            yield running.pid
        finally:
            running.communicate(b"\n")


def test_a_transcript_that_is_held_open_names_the_conversation(tmp_path: Path) -> None:
    rollout = tmp_path / f"rollout-2026-01-02T03-04-05-{UUID}.jsonl"
    with program("file = open(sys.argv[1], 'a')", str(rollout)) as pid:
        wait_until(lambda: conversations.conversation_of(CODEX, pid) == UUID, 20, "the open rollout")
        assert conversations.conversation_of(CLAUDE, pid) is None


def test_of_several_transcripts_the_one_written_last_counts(tmp_path: Path) -> None:
    other = UUID.replace("0199", "0198")
    paths = [str(tmp_path / f"rollout-2026-{name}.jsonl") for name in (UUID, other)]
    code = "files = [open(p, 'a') for p in sys.argv[1:]]; os.utime(sys.argv[1], (1, 5)); os.utime(sys.argv[2], (1, 4))"
    with program(code, *paths) as pid:
        wait_until(lambda: conversations.conversation_of(CODEX, pid) == UUID, 20, "the open rollouts")


def test_a_status_file_names_the_conversation(tmp_path: Path) -> None:
    (tmp_path / "sessions").mkdir()
    told = json.dumps({"sessionId": UUID, "status": "idle"})
    code = "open(f'{os.environ[\"CLAUDE_CONFIG_DIR\"]}/sessions/{os.getpid()}.json', 'w').write(sys.argv[1])"
    with program(code, told, CLAUDE_CONFIG_DIR=str(tmp_path)) as pid:
        wait_until(lambda: conversations.conversation_of(CLAUDE, pid) == UUID, 20, "the status file")


def test_nothing_is_told_of_what_is_gone() -> None:
    pid = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(pid, 0)
    assert conversations.conversation_of(CODEX, pid) is None
    assert not conversations.learnable(agents.AGENTS["shell"])


async def test_it_is_kept_apart_from_the_sessions_id(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversations, "LOOK_FIRST_S", 0.01)
    rollout = tmp_path / f"rollout-x-{UUID}.jsonl"
    path = agent(desk, tmp_path, "codex")
    await asyncio.to_thread(Path(path).write_text, f"#!/bin/sh\nexec 3>{rollout}\nexec cat\n")
    session = await desk.lifecycle.spawn(wish("codex"))
    await asyncio.to_thread(wait_until, rollout.exists, 20, "the program")
    desk.lifecycle.active(session)
    desk.lifecycle.active(session)
    (looking,) = [task for task in desk.hub._tasks if task.get_name().startswith("conversation-")]
    await looking
    assert session.bundle.meta().conversation == UUID != session.id
    assert session.pid is not None
    os.kill(session.pid, signal.SIGKILL)
    await session.ended.wait()


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"sessionId": 5}', b'{"sessionId": "../../x"}'])
def test_what_is_no_id_is_none(data: bytes) -> None:
    assert agents.conversation_told(data) is None
