"""The daemon asks the kernel to be run soon and shortly, not long and late: every keystroke passes through it twice.

Linux 6.12 and later let a process choose how long its turns are (sched_setattr(2), `sched_runtime` of SCHED_OTHER); one
with short turns is put in earlier beside those that use their cores up. It gets no more of a core by that, needs no
privilege, and its children do not inherit it: programs run as they always do. Older kernels take no notice.
"""

from __future__ import annotations

import ctypes
import logging
import os
import platform
import struct
import sys
from typing import Final, NamedTuple

log = logging.getLogger(__name__)

# The shortest that the kernel grants, in ns.
SHORT_NS: Final = 100_000

# System calls that no library has a function for: sched_setattr, sched_getattr.
_CALLS: Final = {"x86_64": (314, 315), "aarch64": (274, 275)}
# struct sched_attr: size, policy, flags, nice, priority, runtime, deadline, period, util_min, util_max.
_ATTRIBUTES: Final = struct.Struct("=IIQiIQQQII")
_RESET_ON_FORK: Final = 1


class Turns(NamedTuple):
    """How the kernel runs a process: policy, flags, nice value, length of a turn in ns (0 where it is not told)."""

    policy: int
    flags: int
    nice: int
    turn_ns: int


def ask_for_short_turns() -> bool:
    """Whether the kernel was asked; it may still take no notice."""
    calls = _calls()
    if calls is None:
        return False
    try:
        now = turns_of(0)
        values = (now.policy, now.flags | _RESET_ON_FORK, now.nice, 0, SHORT_NS, 0, 0, 0, 0)
        _call(calls[0], 0, ctypes.create_string_buffer(_ATTRIBUTES.pack(_ATTRIBUTES.size, *values)), 0)
    except OSError as error:
        log.info("turns stay as they are: %s", error)
        return False
    return True


def turns_of(pid: int) -> Turns:
    """How the kernel runs `pid`, 0 for this process. Raises OSError, also where there is no way to ask."""
    calls = _calls()
    if calls is None:
        raise OSError("this system has no sched_getattr")
    buffer = ctypes.create_string_buffer(_ATTRIBUTES.size)
    _call(calls[1], pid, buffer, _ATTRIBUTES.size, 0)
    _, policy, flags, nice, _, runtime, *_ = _ATTRIBUTES.unpack(buffer.raw)
    return Turns(policy, flags, nice, runtime)


def _calls() -> tuple[int, int] | None:
    return _CALLS.get(platform.machine()) if sys.platform == "linux" else None


def _call(number: int, *arguments: object) -> None:
    if ctypes.CDLL(None, use_errno=True).syscall(number, *arguments) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
