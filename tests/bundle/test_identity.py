"""Which process is meant."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

from attn.bundle import identity


def test_this_process_is_itself_and_no_other() -> None:
    me, started = os.getpid(), identity.start_time(os.getpid())
    assert started is not None
    boot = identity.boot_id()
    assert len(boot) == 36
    assert identity.same_process(me, started, boot)
    assert not identity.same_process(me, started + 1, boot)
    assert not identity.same_process(me, started, "another boot")
    assert not identity.same_process(1, started, boot)


def test_a_name_with_parentheses_and_spaces_does_not_confuse(tmp_path: os.PathLike[str]) -> None:
    program = os.path.join(tmp_path, "a) R 1 (b c")
    os.symlink("/bin/sleep", program)
    with subprocess.Popen([program, "60"]) as child:
        try:
            started = identity.start_time(child.pid)
            mine = identity.start_time(os.getpid())
            assert started is not None and mine is not None and started >= mine
        finally:
            child.kill()


def test_a_process_that_is_gone_has_no_start() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        pass
    assert identity.start_time(child.pid) is None
    assert not identity.same_process(child.pid, 1, identity.boot_id())


def test_who_was_killed_runs_no_more_once_its_locks_are_free(tmp_path: Path) -> None:
    """Though it still has much to give back, and is no zombie yet."""
    lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    held = [memory(), os.dup(lock), memory()]
    os.close(lock)
    with subprocess.Popen(["sleep", "600"], pass_fds=held) as program:
        for descriptor in held:
            os.close(descriptor)
        began = identity.start_time(program.pid) or 0
        assert identity.runs(program.pid, began, identity.boot_id())
        program.kill()
        lock = os.open(tmp_path / "lock", os.O_RDWR)
        fcntl.flock(lock, fcntl.LOCK_SH)
        assert not identity.runs(program.pid, began, identity.boot_id())
        os.close(lock)


def memory() -> int:
    """A descriptor of 64 MiB, which take the kernel some milliseconds to free."""
    descriptor = os.memfd_create("much")
    os.posix_fallocate(descriptor, 0, 64 << 20)
    return descriptor
