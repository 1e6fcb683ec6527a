"""From a wish to the order for a worker: what exactly is executed, where, with which environment.

Everything that can be refused is refused here, before any file exists and before any program is ended.
"""

from __future__ import annotations

import asyncio
import glob
import os
import secrets
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Final

import attn
from attn.bundle.bundle import Bundle
from attn.bundle.files import BundleDamaged
from attn.bundle.records import Spec
from attn.config import Config
from attn.core import agents
from attn.core.environment import check_environment, child_environment
from attn.core.session import (
    DEFAULT_COLS,
    DEFAULT_ROWS,
    check_size,
    clean_label,
    new_session_id,
    valid_session_id,
)
from attn.daemon.hub import Hub
from attn.daemon.lifecycle import programs
from attn.daemon.sessions.live import Session, now_ms
from attn.daemon.startup import LoginEnvironment
from attn.daemon.workers.spawner import Spawner
from attn.wire.client_requests import ReloadSession, ResumeSession, SpawnSession
from attn.wire.launch import pack_request

Again = ResumeSession | ReloadSession

# Between the output of one run of a session and that of the next: more than a worker wrote since the last offset that
# anybody knows of, so that no client takes the new program's output for what follows on its screen.
RUN_GAP_BYTES: Final = 1 << 36
# A session that goes on has no other directory than its own.
ELSEWHERE: Final = "begin elsewhere: attn new --cwd DIR"


@dataclass(frozen=True)
class Plan:
    """A checked wish for a run of a session: `argv` is its spec's at the first start, the agent's own way later."""

    spec: Spec
    argv: list[str]
    env: dict[str, str]
    umask: int
    rows: int
    cols: int
    first_offset: int = 0
    missing: list[str] = field(default_factory=list)
    """Names of variables that the first start had and this one lacks."""


class Launcher:
    """Plans and orders the programs of one hub."""

    def __init__(self, hub: Hub, config: Config, spawner: Spawner, login: asyncio.Future[LoginEnvironment]) -> None:
        self._hub = hub
        self._config = config
        self._spawner = spawner
        self._login = login

    async def new(self, wish: SpawnSession, taken: Callable[[], Collection[str]]) -> Plan:
        """A program in a session of its own, with a label unlike those that are `taken`. Raises AttnError.

        The label is chosen last, and nothing is awaited after it: two starts at once get two labels.
        """
        programs.check_descriptors()
        login = await asyncio.shield(self._login)
        # A file system that hangs must not hold up everybody else.
        cwd = await asyncio.to_thread(programs.directory, wish.cwd, login.variables)
        rows, cols = wish.rows or DEFAULT_ROWS, wish.cols or DEFAULT_COLS
        if wish.rows is not None or wish.cols is not None:
            rows, cols = wish.rows or 0, wish.cols or 0
        check_size(rows, cols)
        session_id = new_session_id(secrets.token_bytes(16))
        env = self._environment(login, wish.client_env, wish.env, session_id)
        name, argv, resume = _program(wish, env, cwd, login.variables.get("SHELL", ""))
        programs.check_arguments(argv)
        shown = name if name != agents.PROGRAM else argv[0]
        label = clean_label(wish.label) if wish.label is not None else agents.label_for(shown, cwd, taken())
        spec = Spec(
            session_id=session_id, daemon_id=self._hub.daemon_id, argv=argv, cwd=cwd, env_names=sorted(env),
            agent=name, label=label, rows=rows, cols=cols, created_at_ms=now_ms(),
            parent=wish.parent if wish.parent and valid_session_id(wish.parent) else None, resume=resume,
            build=attn.__version__,
            emulator=wish.emulator and self._config.emulator == "on" and self._spawner.emulator,
            scrollback_lines=self._config.scrollback_lines,
        )  # fmt: skip
        return Plan(spec, argv, env, login.umask, rows, cols)

    async def again(self, session: Session, wish: Again) -> Plan:
        """The session's program once more: same directory, same flags, same conversation. Raises AttnError."""
        programs.check_descriptors()
        login = await asyncio.shield(self._login)
        spec = session.spec
        await asyncio.to_thread(programs.directory, spec.cwd, login.variables, ELSEWHERE)
        env = self._environment(login, wish.client_env, wish.env, session.id)
        missing = sorted(set(spec.env_names) - env.keys())
        shell = login.variables.get("SHELL", "")
        argv = await asyncio.to_thread(_argv_again, session, env, missing, shell)
        programs.check_arguments(argv)
        first = await self._hub.disk(_last_offset, session.bundle, session.offset) + RUN_GAP_BYTES
        return Plan(spec, argv, env, login.umask, session.rows, session.cols, first, missing)

    async def start(self, plan: Plan, bundle: Bundle) -> int:
        """Let a worker start the program; its pid. Raises AttnError, ValueError, OSError; then it does not run."""
        spec = plan.spec
        record = pack_request(
            session_id=spec.session_id, bundle_dir=os.fspath(bundle.path),
            socket_path=os.fspath(self._hub.home.worker_socket(spec.session_id)), rows=plan.rows, cols=plan.cols,
            scrollback_lines=spec.scrollback_lines, emulator=spec.emulator and self._spawner.emulator,
            umask=plan.umask, cwd=spec.cwd, argv=plan.argv, env=plan.env,
            persist_screen=self._config.persist_screen, first_offset=plan.first_offset,
            orphan_ms=self._config.orphan_hours * 3_600_000,
        )  # fmt: skip
        _, pid = await self._spawner.spawn(record)
        return pid

    def _environment(
        self, login: LoginEnvironment, client: dict[str, str], given: dict[str, str], session_id: str
    ) -> dict[str, str]:
        check_environment(given)
        home = self._hub.home
        ours = {"ATTN_SESSION": session_id, "ATTN_SOCKET": os.fspath(home.daemon_socket)}
        if not home.is_default:
            ours["ATTN_HOME"] = os.fspath(home.root)
        return child_environment(login.variables, client, given, ours)


def _program(
    wish: SpawnSession, env: dict[str, str], cwd: str, shell: str
) -> tuple[str, list[str], dict[str, object] | None]:
    """The name of the agent, what to execute, and what a later start needs to go on with its conversation."""
    which = programs.finder(env.get("PATH", os.defpath), cwd)
    if wish.argv:
        name, args = agents.recognise(wish.argv), wish.argv[1:]
        argv = [programs.program(wish.argv[0], which, cwd), *args]
        typed = agents.AGENTS.get(name)
        # Run exactly as it was typed, but with the chance that its conversation becomes known.
        start = agents.launch(typed, argv[0], args) if typed is not None else None
        resumable, conversation = start is not None and start.resumable, start.conversation if start else None
    else:
        row, args = agents.agent(wish.agent), wish.args
        start = agents.launch(row, agents.find(row, which, shell), args, str(uuid.uuid4()))
        name, argv, conversation, resumable = row.name, start.argv, start.conversation, start.resumable
    return name, argv, {"conversation": conversation, "args": args} if resumable else None


def _argv_again(session: Session, env: dict[str, str], missing: list[str], shell: str) -> list[str]:
    """What to execute so that the session goes on: its agent's conversation if it has one, else as at first."""
    spec = session.spec
    which = programs.finder(env.get("PATH", os.defpath), spec.cwd)
    row = agents.AGENTS.get(spec.agent)
    moved = row is not None and not programs.runs(spec.argv[0])  # agents update themselves, also to other places
    binary = agents.find(row, which, shell) if row and moved else programs.program(spec.argv[0], which, "/")
    if row is not None and spec.resume is not None:
        conversation = session.conversation or spec.resume.get("conversation")
        if conversation is None and row.exit_text:
            conversation = _told_at_the_end(session.bundle, row)
        learnable = bool(row.choose or row.open_file)
        if _stands(row, conversation, env, missing) or (conversation is None and not learnable):
            launch = agents.resume(row, binary, list(spec.resume.get("args", [])), conversation)
            if launch is not None:
                return launch.argv
    return [binary, *spec.argv[1:]]


def _stands(row: agents.Agent, conversation: str | None, env: dict[str, str], missing: list[str]) -> bool:
    """Is there a conversation to go on with? One that never had a prompt does not exist for its agent."""
    if conversation is None:
        return False
    if row.transcripts is None or row.transcripts.variable in missing:
        return True  # nobody can tell: the agent will
    return any(glob.iglob(row.transcripts.path(env, id=glob.escape(conversation))))


def _told_at_the_end(bundle: Bundle, row: agents.Agent) -> str | None:
    try:
        screen = bundle.screen()
    except (OSError, BundleDamaged):
        return None
    return agents.conversation_in(row, screen.joined or screen.text) if screen is not None else None


def _last_offset(bundle: Bundle, known: int) -> int:
    """The highest offset that the last run is known to have reached; damaged files know nothing."""
    offsets = [known]
    for read in (bundle.exit, bundle.screen):
        try:
            record = read()
        except (OSError, BundleDamaged):
            continue
        offsets += [record.offset] if record is not None else []
    return max(offsets)
