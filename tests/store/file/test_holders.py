"""The process that holds a database is named, also a stopped one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from attn.store.file.holders import holder
from tests.waiting import wait_until

HOLD = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""


def test_a_holder_is_named_and_its_state_too(tmp_path: Path) -> None:
    path = tmp_path / "attn.db"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == b"held\n"
        found = holder(path)
        assert found is not None and found.pid == process.pid and "sqlite3" in found.command and not found.stopped
        process.send_signal(signal.SIGSTOP)

        def stopped() -> bool:
            held = holder(path)
            return held is not None and held.stopped

        wait_until(stopped, 30, "a stopped holder")
        assert f"pid {process.pid}" in str(holder(path)) and "stopped" in str(holder(path))
        process.send_signal(signal.SIGCONT)
        process.communicate()
    assert holder(path) is None


def test_nobody_is_named_where_nobody_is(tmp_path: Path) -> None:
    path = tmp_path / "attn.db"
    assert holder(path) is None
    with path.open("w") as held:
        os.lockf(held.fileno(), os.F_LOCK, 0)
        assert holder(path) is None  # it is this process
