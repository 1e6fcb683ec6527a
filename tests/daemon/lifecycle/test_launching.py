"""What exactly is executed, at the first start and at a later one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from attn.bundle.records import ExitRecord
from attn.daemon.handlers.desk import Desk
from attn.daemon.lifecycle.launching import RUN_GAP_BYTES, Launcher, Plan
from attn.daemon.sessions.live import Session
from attn.errors import AttnError
from attn.wire.client_requests import ResumeSession, SpawnSession
from tests.bundle.test_records import SCREEN
from tests.daemon.lifecycle.test_lifecycle import wish
from tests.daemon.test_hub import add

UUID = "0199c0de-0000-7000-8000-0123456789ab"


async def test_the_child_gets_the_sessions_environment(desk: Desk, tmp_path: Path) -> None:
    out = tmp_path / "env"
    session = await desk.lifecycle.spawn(
        wish("sh", "-c", f"env -0 > {out}", env={"MINE": "1"}, client_env={"LANG": "tlh", "SECRET": "x"})
    )
    await session.ended.wait()
    found = dict(entry.split("=", 1) for entry in out.read_text().split("\0") if entry)
    assert (found["ATTN_SESSION"], found["ATTN_SOCKET"]) == (session.id, str(desk.hub.home.daemon_socket))
    assert (found["MINE"], found["LANG"], found["TERM_PROGRAM"]) == ("1", "tlh", "attn")
    assert "SECRET" not in found and found["ATTN_HOME"] == str(desk.hub.home.root)
    assert b"tlh" not in (session.bundle.path / "spec.json").read_bytes()


async def test_agents_start_as_their_row_says(desk: Desk, tmp_path: Path) -> None:
    fake = tmp_path / "claude"
    fake.write_text("#!/bin/sh\nexec cat\n")
    fake.chmod(0o755)
    desk.login_environment.result().variables["PATH"] = f"{tmp_path}:{os.environ['PATH']}"
    session = await desk.lifecycle.spawn(SpawnSession(id=1, agent="claude", args=["--verbose"], cwd="/tmp"))
    assert session.spec.agent == "claude" and session.spec.argv[0] == str(fake)
    assert session.spec.argv[1] == "--session-id" and session.spec.argv[-1] == "--verbose"
    assert session.spec.resume == {"conversation": session.spec.argv[2], "args": ["--verbose"]}


def agent(desk: Desk, folder: Path, name: str) -> str:
    """A program of that name on the login shell's PATH."""
    path = folder / name
    path.write_text("#!/bin/sh\nexec cat\n")
    path.chmod(0o755)
    desk.login_environment.result().variables["PATH"] = f"{folder}:{os.environ['PATH']}"
    return str(path)


async def again(desk: Desk, session: Session, **fields: Any) -> Plan:
    launcher: Launcher = desk.lifecycle._launcher
    return await launcher.again(session, ResumeSession(id=1, session=session.id, **fields))


async def test_a_program_is_run_as_before(desk: Desk) -> None:
    session = add(desk.hub, argv=["/bin/cat", "-A"], env_names=["GONE", "HOME"], cwd="/tmp", rows=30, cols=90)
    plan = await again(desk, session)
    assert (plan.argv, plan.spec.cwd, plan.rows, plan.cols) == (["/bin/cat", "-A"], "/tmp", 30, 90)
    assert plan.missing == ["GONE"]
    assert (await again(desk, session, env={"GONE": "found"})).missing == []


async def test_output_is_numbered_beyond_what_anybody_saw(desk: Desk) -> None:
    session = add(desk.hub)
    session.bundle.write_screen(SCREEN._replace(offset=70))
    session.bundle.write_exit(ExitRecord(0, None, 90, 1))
    assert (await again(desk, session)).first_offset == 90 + RUN_GAP_BYTES
    session.offset = 100
    (session.bundle.path / "exit.json").write_text("{")
    assert (await again(desk, session)).first_offset == 100 + RUN_GAP_BYTES


async def test_a_conversation_that_was_chosen_goes_on_once_it_stands(desk: Desk, tmp_path: Path) -> None:
    binary = agent(desk, tmp_path, "claude")
    argv = [binary, "--session-id", UUID, "--verbose", "first prompt"]
    resume = {"conversation": UUID, "args": ["--verbose", "first prompt"]}
    session = add(desk.hub, agent="claude", argv=argv, resume=resume)
    assert (await again(desk, session)).argv == argv, "it never had a prompt, so there is nothing to go on with"
    transcripts = tmp_path / "claude-home" / "projects" / "-tmp"
    transcripts.mkdir(parents=True)
    (transcripts / f"{UUID}.jsonl").touch()
    env = {"CLAUDE_CONFIG_DIR": str(tmp_path / "claude-home")}
    assert (await again(desk, session, env=env)).argv == [binary, "--resume", UUID, "--verbose"]


async def test_a_conversation_that_was_learned_wins_over_the_first_one(desk: Desk, tmp_path: Path) -> None:
    binary = agent(desk, tmp_path, "codex")
    rollouts = tmp_path / "home" / "sessions" / "2026" / "01" / "02"
    rollouts.mkdir(parents=True)
    (rollouts / f"rollout-2026-01-02T03-04-05-{UUID}.jsonl").touch()
    resume = {"conversation": None, "args": ["-m", "model"]}
    session = add(desk.hub, agent="codex", argv=[binary, "--no-daemon", "-m", "model"], resume=resume)
    env = {"CODEX_HOME": str(tmp_path / "home")}
    assert (await again(desk, session, env=env)).argv == session.spec.argv
    session.conversation = UUID
    assert (await again(desk, session, env=env)).argv == [binary, "resume", UUID, "--no-daemon", "-m", "model"]
    session.conversation = None
    session.bundle.write_screen(SCREEN._replace(joined=f"To continue this session, run:\ncodex resume {UUID}\n"))
    assert (await again(desk, session, env=env)).argv[1:3] == ["resume", UUID]


async def test_an_agent_that_moved_is_found_by_its_name(desk: Desk, tmp_path: Path) -> None:
    binary = agent(desk, tmp_path, "codex")
    session = add(desk.hub, agent="codex", argv=["/gone/bin/codex", "--no-daemon"], resume={"args": []})
    assert (await again(desk, session)).argv == [binary, "--no-daemon"]


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"argv": ["/no/such/program"]}, "agent_missing"),
        ({"cwd": "/no/such/directory"}, "directory_missing"),
        ({"argv": ["/etc"]}, "not_executable"),
    ],
)
async def test_what_cannot_be_run_is_refused_before_anything_happens(
    desk: Desk, facts: dict[str, object], code: str
) -> None:
    session = add(desk.hub, **facts)
    before = sorted(os.listdir(session.bundle.path))
    with pytest.raises(AttnError, match=code):
        await again(desk, session)
    assert sorted(os.listdir(session.bundle.path)) == before


async def test_a_typed_agent_can_be_gone_on_with(desk: Desk, tmp_path: Path) -> None:
    binary = agent(desk, tmp_path, "claude")
    session = await desk.lifecycle.spawn(wish("claude", "--verbose"))
    assert session.spec.argv == [binary, "--verbose"], "what was typed is run as it was typed"
    assert session.spec.resume == {"conversation": None, "args": ["--verbose"]}
