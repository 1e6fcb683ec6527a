"""Which process is meant: boot id, pid and start time together. A pid alone is reused."""

from __future__ import annotations

import os
import sys
import time
from typing import Final

# `ps` and `sysctl` answer at once or never.
_PROBE_LIMIT_S: Final = 2.0

# Among the flags of a process from the moment when it runs no more code of its own (include/linux/sched.h).
_PF_EXITING: Final = 0x4

# What our processes are called in the process table (at most 15 bytes).
SPAWNER_NAME: Final = "attn-spawner"
WORKER_NAME: Final = "attn-worker"
DAEMON_NAME: Final = "attn-daemon"


def boot_id() -> str:
    """A name of this boot of this machine; empty when the system has none to give."""
    if sys.platform == "linux":
        try:
            return _contents("/proc/sys/kernel/random/boot_id").decode("ascii").strip()
        except OSError:
            return ""
    return _probe(["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"])


def start_time(pid: int) -> int | None:
    """When process `pid` began: clock ticks since boot on Linux, seconds since 1970 elsewhere; None when it is gone.

    Raises OSError when the system does not tell, which is not the same as gone.
    """
    if sys.platform == "linux":
        try:
            stat = _contents(f"/proc/{pid}/stat")
        except (FileNotFoundError, ProcessLookupError):
            return None
        # Field 22, counted after the command's name, which may hold spaces and parentheses (proc_pid_stat(5)).
        return int(stat[stat.rindex(b")") + 2 :].split()[19])
    started = _probe(["/bin/ps", "-o", "lstart=", "-p", str(pid)])
    return int(time.mktime(time.strptime(started))) if started else None


def same_process(pid: int, started: int, boot: str) -> bool:
    """Is `pid` still the process that began at `started` in boot `boot`?"""
    return boot == boot_id() and start_time(pid) == started


def runs(pid: int, started: int, boot: str) -> bool:
    """As `same_process`, and it is not one that ends (its locks are free then) or waits for its parent to take note."""
    if not same_process(pid, started, boot):
        return False
    if sys.platform != "linux":
        return True
    try:
        stat = _contents(f"/proc/{pid}/stat")
    except (FileNotFoundError, ProcessLookupError):
        return False
    fields = stat[stat.rindex(b")") + 2 :].split()
    return fields[0] not in (b"Z", b"X") and not int(fields[6]) & _PF_EXITING


def _contents(path: str) -> bytes:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(file, 4096)
    finally:
        os.close(file)


def _probe(command: list[str]) -> str:
    # Here, because it imports `threading`, which costs every fork of the spawner 400 KB; Linux never comes here.
    import subprocess

    result = subprocess.run(command, capture_output=True, text=True, timeout=_PROBE_LIMIT_S, check=False)
    return result.stdout.strip()


def name_process(name: str) -> None:
    """Set what `ps -o comm` and the kill ladder see of this process; only on Linux."""
    if sys.platform != "linux":
        return
    try:
        file = os.open("/proc/self/comm", os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return  # no /proc, so nothing reads it either
    try:
        os.write(file, name.encode())
    finally:
        os.close(file)
