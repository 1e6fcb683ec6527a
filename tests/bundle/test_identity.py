"""Which process is meant."""

from __future__ import annotations

import os
import subprocess
import sys

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
