"""Which conversation an agent is in, learned from what it does by itself: no setting of the person is touched.

An agent says it in a file that it keeps while it runs (`status`), or by the transcript that it holds open
(`open_file`). It changes when the person opens another conversation in the same program, so it is looked at again
while the agent writes.
"""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from typing import Final

from attn.core import agents

log = logging.getLogger(__name__)

# How long after the agent wrote is looked: until its conversation is known, and afterwards.
LOOK_FIRST_S: Final = 1.0
LOOK_AGAIN_S: Final = 5.0
# Processes of one agent that are looked at, and open files of each: more than any has.
PROCESSES_MAX: Final = 64
FILES_MAX: Final = 4096
STATUS_MAX_BYTES: Final = 64 << 10


def conversation_of(row: agents.Agent, pid: int) -> str | None:
    """The conversation of the agent whose program is `pid`; None when nothing tells (yet). Only on Linux."""
    for process in _tree(pid):
        found = _in_status(row, process) or _in_open_files(row, process)
        if found is not None:
            return found
    return None


def learnable(row: agents.Agent) -> bool:
    """Whether looking can ever tell."""
    return row.status is not None or bool(row.open_file)


def _tree(root: int) -> list[int]:
    """`root` and what it started, parents first: the agent may be the child of a wrapper."""
    found = [root]
    for pid in found:
        if len(found) < PROCESSES_MAX:
            found += _children(pid)
    return found[:PROCESSES_MAX]


def _children(pid: int) -> list[int]:
    children: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            text = Path(f"/proc/{pid}/task/{task}/children").read_text()
            children += [int(word) for word in text.split()]
    except OSError:
        return children  # it ended in between, or the kernel keeps no such list
    return children


def _in_status(row: agents.Agent, pid: int) -> str | None:
    if row.status is None:
        return None
    path = row.status.path(_environment(pid, row.status.variable), pid=str(pid))
    try:
        with open(path, "rb") as file:
            return agents.conversation_told(file.read(STATUS_MAX_BYTES))
    except OSError:
        return None  # this process of the tree is not the agent


def _in_open_files(row: agents.Agent, pid: int) -> str | None:
    """Of the one written last: an agent keeps those of conversations open that it was in before."""
    if not row.open_file:
        return None
    written: dict[int, str] = {}
    try:
        names = os.listdir(f"/proc/{pid}/fd")[:FILES_MAX]
    except OSError:
        return None
    for name in names:
        try:
            found = agents.conversation_open(row, os.readlink(f"/proc/{pid}/fd/{name}"))
            if found is not None:
                written[os.stat(f"/proc/{pid}/fd/{name}").st_mtime_ns] = found
        except OSError:
            continue  # closed in between
    return written[max(written)] if written else None


def _environment(pid: int, variable: str) -> dict[str, str]:
    """What a process was started with, of what tells where the agent keeps its files."""
    try:
        data = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return {}
    pairs = re.findall(rb"(?:^|\0)(HOME|%b)=([^\0]*)" % re.escape(variable.encode()), data)
    return {name.decode(): os.fsdecode(value) for name, value in pairs}
