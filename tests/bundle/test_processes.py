"""What /proc tells of processes and sockets."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from attn.bundle import processes
from tests.waiting import wait_until

NAMED = "import os, sys; open('/proc/self/comm', 'w').write('attn-worker'); print(1, flush=True); sys.stdin.read()"


def test_processes_are_found_by_name_and_looked_into(tmp_path: Path) -> None:
    with (
        (tmp_path / "held").open("w") as held,
        subprocess.Popen(
            [sys.executable, "-c", NAMED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={"A": "b=c"},
            pass_fds=[held.fileno()],
        ) as child,
    ):  # fmt: skip
        assert child.stdin is not None and child.stdout is not None
        child.stdout.readline()
        found = {process.pid: process for process in processes.named(frozenset({"attn-worker"}))}
        assert found[child.pid].parent == os.getpid() and not found[child.pid].stopped
        assert str(tmp_path / "held") in processes.open_files(child.pid)
        assert processes.environment(child.pid)["A"] == "b=c"
        child.send_signal(signal.SIGSTOP)
        wait_until(lambda: _now(child.pid).stopped, 10, "the process to stop")
        child.send_signal(signal.SIGCONT)
        child.stdin.close()
    assert child.pid not in {process.pid for process in processes.named(frozenset({"attn-worker"}))}
    assert processes.visible()


def _now(pid: int) -> processes.Process:
    return next(process for process in processes.named(frozenset({"attn-worker"})) if process.pid == pid)


def test_sockets_that_somebody_has_open(tmp_path: Path) -> None:
    path = tmp_path / "a b"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        assert str(path) in processes.listening()
    assert str(path) not in processes.listening() and path.exists()
