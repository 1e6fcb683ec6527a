"""SIGKILL to a process at a chosen system call of one operation: strace lists the calls, then injects the signal."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.system.conftest import DaemonProcess
from tests.waiting import wait_until

LIMIT_S: Final = 30.0
# Whatever changes the world outside of the daemon's memory. Reads and waits leave nothing to be found half done.
CALLS: Final = (
    "openat", "write", "pwrite64", "writev", "fsync", "fdatasync", "rename", "renameat", "renameat2", "unlink",
    "unlinkat", "mkdir", "mkdirat", "rmdir", "sendmsg", "sendto", "ftruncate", "flock", "fchmod", "connect",
)  # fmt: skip
_LINE: Final = re.compile(r"^(?P<thread>\d+) +(?P<call>\w+)\((?P<rest>.*)")
_READS: Final = re.compile(r"\bO_RDONLY\b(?!.*O_CREAT)")


@dataclass(frozen=True)
class Step:
    """The `number`-th time that a thread of the daemon enters `call` during the operation."""

    call: str
    number: int

    def __str__(self) -> str:
        return f"{self.call} {self.number}"


class Tracer:
    """strace on all threads of a running process, and on whatever it forks."""

    def __init__(self, daemon: DaemonProcess, pid: int, *options: str) -> None:
        strace = shutil.which("strace")
        assert strace, "strace is missing; install: sudo apt-get install strace"
        with daemon.errors.with_name("strace.err").open("wb") as said:
            self.process = subprocess.Popen(
                [strace, "-f", "-q", "-p", str(pid), *options],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said,
            )  # fmt: skip
        wait_until(lambda: _traced(pid) or self.process.poll() is not None, LIMIT_S, "strace to attach")

    def stop(self) -> None:
        """Let go of the process, if it still lives."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.wait(LIMIT_S)


def _traced(pid: int) -> bool:
    """Is every thread traced?"""
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        return all("TracerPid:\t0\n" not in (thread / "status").read_text() for thread in threads)
    except (FileNotFoundError, ProcessLookupError):
        return False  # a thread ended meanwhile, or all of them


def steps_of(daemon: DaemonProcess, operation: Callable[[], object], pid: int | None = None) -> list[Step]:
    """Every step of one whole operation, in the daemon or in the process `pid` and its children."""
    log = daemon.errors.with_name("strace.log")
    daemon.wait_web()
    tracer = Tracer(daemon, pid or daemon.pid, "-o", str(log), "-e", f"trace={','.join(CALLS)}")
    operation()
    tracer.stop()
    found = []
    counts: Counter[tuple[str, str]] = Counter()
    for line in log.read_text(errors="replace").splitlines():
        entry = _LINE.match(line)
        if entry is not None:
            counts[entry["thread"], entry["call"]] += 1
            if entry["call"] != "openat" or not _READS.search(entry["rest"]):
                found.append(Step(entry["call"], counts[entry["thread"], entry["call"]]))
    return list(dict.fromkeys(found))


def killed_at(daemon: DaemonProcess, step: Step, operation: Callable[[], object]) -> bool:
    """Run the operation with a daemon that dies when it enters `step`; False when it never came there."""
    assert daemon.process is not None
    daemon.wait_web()
    with killing_at(daemon, step, daemon.pid):
        operation()
        try:
            daemon.process.wait(1)
        except subprocess.TimeoutExpired:
            return False
    return True


@contextmanager
def killing_at(daemon: DaemonProcess, step: Step, pid: int) -> Iterator[None]:
    """Meanwhile process `pid`, or a child of it, dies when it enters `step`; strace counts for each thread."""
    tracer = Tracer(daemon, pid, "-o", "/dev/null", "-e", f"inject={step.call}:signal=KILL:when={step.number}")
    try:
        yield
    finally:
        tracer.stop()
