"""What the kernel knows of the processes of one attn home: which there are, what they hold, whether they run."""

from __future__ import annotations

import os
from pathlib import Path

from attn.bundle.identity import DAEMON_NAME, SPAWNER_NAME, WORKER_NAME
from attn.paths import Home
from tests.waiting import wait_until

OURS = (DAEMON_NAME, SPAWNER_NAME, WORKER_NAME)


def running(pid: int) -> bool:
    """Is there such a process, and is any thread of it more than a zombie? Until then it holds its files and locks."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return any(state(f"{pid}/task/{thread}") not in ("", "Z", "X") for thread in threads)


def state(process: int | str) -> str:
    """The letter of proc_pid_stat(5): R, S, T, Z ...; empty when there is no such process (or thread: "1/task/2")."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return stat.rpartition(")")[2].split()[0]


def descriptors(pid: int) -> int:
    """How many files a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def of_home(home: Home) -> dict[int, str]:
    """pid -> name of every process that was started with this ATTN_HOME: attn's own and the sessions' programs."""
    return _with_variable(f"ATTN_HOME={home.root}")


def of_run() -> dict[int, str]:
    """pid -> name of attn's own processes that this run of the tests started; each run has a HOME of its own."""
    return {pid: name for pid, name in _with_variable(f"HOME={os.environ['HOME']}").items() if name in OURS}


def _with_variable(wanted: str) -> dict[int, str]:
    found: dict[int, str] = {}
    for entry in os.listdir("/proc"):
        if not entry.isdecimal():
            continue
        try:
            with open(f"/proc/{entry}/environ", "rb") as environ:
                if wanted.encode() not in environ.read().split(b"\0"):
                    continue
            found[int(entry)] = Path(f"/proc/{entry}/comm").read_text().strip()
        except OSError:
            continue  # it ended in between, or is somebody else's
    return {pid: name for pid, name in found.items() if running(pid)}


def named(home: Home, name: str) -> list[int]:
    """The pids of attn's own processes of one kind."""
    return [pid for pid, comm in of_home(home).items() if comm == name]


def spawner(home: Home) -> int:
    """The pid of the one spawner; it takes its name a moment after its daemon can be talked to."""
    [pid] = wait_until(lambda: named(home, SPAWNER_NAME), 20, "the spawner")
    return pid
