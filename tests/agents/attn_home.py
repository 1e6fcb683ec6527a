"""attn as a person uses it, around one real agent: the command line, and a link for single keys."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from attn.bundle.bundle import Bundle
from attn.cli.link import Link
from attn.paths import home_from_env
from attn.wire.client_events import AttachResult, StatusResult
from attn.wire.client_requests import AttachSession, GetStatus, PtyKeys
from attn.wire.client_views import KeyEvent
from tests.agents.agent_homes import AgentHome
from tests.waiting import wait_until

COMMAND_TIMEOUT_S: Final = 60.0
# An agent's first frame takes 1 to 3 s on a quiet machine.
SHOWN_TIMEOUT_S: Final = 40.0
SIZE: Final = "30x100"
# An agent throws away what was typed before it is up, and shows its prompt before that.
PROMPT_TRIES: Final = 3
SHIFT: Final = 1


class AttnHome:
    """One ATTN_HOME whose login environment finds the agent."""

    def __init__(self, folder: Path, agent: AgentHome, login: Path) -> None:
        self.agent = agent
        runtime = folder / "r"
        runtime.mkdir(mode=0o700)
        self.env = {
            "ATTN_HOME": str(folder / "attn"),
            "ATTN_TEST_FENCE": "1",
            "HOME": str(login),
            "LANG": "C.UTF-8",
            "PATH": os.environ["PATH"],
            "SHELL": "/bin/bash",
            "XDG_RUNTIME_DIR": str(runtime),
        }

    def ask(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """An attn command, however it ends."""
        command = [sys.executable, "-m", "attn", *arguments]
        return subprocess.run(
            command, env=self.env, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False
        )

    def run(self, *arguments: str) -> str:
        """What an attn command prints. Raises AssertionError with its stderr when it fails."""
        run = self.ask(*arguments)
        assert run.returncode == 0, f"attn {' '.join(arguments)}: status {run.returncode}\n{run.stdout}{run.stderr}"
        return run.stdout

    def start(self) -> AgentSession:
        """The agent in a session, as soon as it takes a prompt."""
        cwd = str(self.agent.project)
        session = AgentSession(self, self.run("new", "--agent", self.agent.name, "--cwd", cwd, "--size", SIZE).strip())
        session.wait_for(self.agent.ready)
        return session

    def daemon_pid(self) -> int:
        """The daemon that runs."""
        with self.link() as link:
            return link.request(GetStatus(id=0), StatusResult).daemon.pid

    def kill_daemon(self) -> None:
        """SIGKILL, and back only when the process is gone."""
        pid = self.daemon_pid()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not _alive(pid), 10, f"the end of daemon {pid}")

    @contextmanager
    def link(self) -> Iterator[Link]:
        """A connection to the daemon, started if none runs."""
        self.run("ls")
        with Link.open(home_from_env(self.env).daemon_socket) as link:
            link.wait_recovered(10)
            yield link

    def close(self) -> None:
        """Ends the agent and the daemon."""
        for session in json.loads(self.run("ls", "--json")):
            self.run("rm", session["id"], "--force")
        self.run("daemon", "stop")


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


class AgentSession:
    """The running agent as attn shows it."""

    def __init__(self, attn: AttnHome, session_id: str) -> None:
        self.attn = attn
        self.id = session_id

    def view(self) -> dict[str, Any]:
        """Its row of `attn ls --json`."""
        rows: list[dict[str, Any]] = json.loads(self.attn.run("ls", "--json"))
        return next(row for row in rows if row["id"] == self.id)

    def screen(self) -> str:
        """The visible text."""
        return self.attn.run("screen", self.id)

    @property
    def bundle(self) -> Bundle:
        """Its files."""
        return Bundle(home_from_env(self.attn.env).bundle(self.id))

    def conversation(self) -> str | None:
        """The agent's own id of what it talks about, as far as attn knows it."""
        return self.bundle.meta().conversation or (self.bundle.spec().resume or {}).get("conversation")

    def kill_worker(self) -> None:
        """SIGKILL to its worker, and back when the agent is gone with its terminal."""
        worker, pid = self.bundle.worker(), self.view()["pid"]
        assert worker is not None
        os.kill(worker.pid, signal.SIGKILL)
        wait_until(lambda: not self.bundle.lock_held() and not _alive(pid), 20, f"the end of worker {worker.pid}")

    def wait_for(self, text: str) -> None:
        """Until `text` stands on the screen or in the scrollback; AssertionError with the screen if it never does."""
        try:
            self.attn.run("wait", self.id, "--for", text, "--timeout", str(SHOWN_TIMEOUT_S))
        except AssertionError as error:
            raise AssertionError(f"{text!r} never appeared; the screen:\n{self.screen()}") from error

    def wait_screen(self, shown: Callable[[str], bool], what: str) -> str:
        """Until the visible screen satisfies `shown`, and that screen."""

        def probe() -> str:
            screen = self.screen()
            return screen if shown(screen) else ""

        return wait_until(probe, SHOWN_TIMEOUT_S, f"{what} on the screen:\n{self.screen()}")

    def prompt(self, text: str) -> None:
        """Types a prompt and submits it, as a script does: again when the agent was not listening yet."""
        for _ in range(PROMPT_TRIES - 1):
            if self.attn.ask("send", self.id, text, "--enter", "--confirm").returncode == 0:
                return
        self.attn.run("send", self.id, text, "--enter", "--confirm")

    def key(self, key: str, text: str = "", mods: int = 0) -> None:
        """One key, pressed and released, as the page sends it to a program that asked for key events."""
        with self.attn.link() as link:
            handle = link.request(AttachSession(id=0, session=self.id, visible=False), AttachResult).handle
            events = [
                KeyEvent(action=action, key=key, code=key, text=text, mods=mods) for action in ("press", "release")
            ]
            link.send(PtyKeys(handle=handle, events=events))
            # Keys have no answer of their own, but the daemon handles a client's messages in order.
            link.request(GetStatus(id=0), StatusResult)
