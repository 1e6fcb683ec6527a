"""The order to start one worker: what the daemon hands to the spawner, or to a worker that it execs itself.

A record is a u32 (big-endian) length and NUL-separated fields, so that a freshly forked worker reads it without a
JSON parser: parsing JSON touches 280 KB of pages that it otherwise shares with all other workers. Neither argv nor
an environment can hold a NUL. One report descriptor travels with the first byte (SCM_RIGHTS); the worker answers on
it with one line, `ok <worker pid> <child pid>` or `error <code> <message>`. A daemon that gives up waiting for that
line writes TAKEN_BACK on its end.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

LENGTH: Final = struct.Struct(">I")
TAKEN_BACK: Final = b"-"
# execve(2) takes 2 MiB of arguments and environment on Linux (ARG_MAX); the rest is paths and numbers.
RECORD_MAX_BYTES: Final = 4 << 20
_EMULATOR: Final = 1
_PERSIST_SCREEN: Final = 2


class Launch(NamedTuple):
    """One program in one terminal. Everything that reaches execve stays bytes; rows and columns count cells.

    first_offset: what its first byte of output is numbered; above 0 when the session had a program before. orphan_ms:
    how long without a daemon and without output the worker waits until it ends, if its program has; 0 for ever.
    """

    session_id: str
    bundle_dir: bytes
    socket_path: bytes
    rows: int
    cols: int
    scrollback_lines: int
    emulator: bool
    persist_screen: bool
    umask: int
    cwd: bytes
    argv: list[bytes]
    env: dict[bytes, bytes]
    first_offset: int = 0
    orphan_ms: int = 0


def pack_request(
    *,
    session_id: str,
    bundle_dir: str,
    socket_path: str,
    rows: int,
    cols: int,
    scrollback_lines: int,
    emulator: bool,
    umask: int,
    cwd: str,
    argv: Sequence[str],
    env: Mapping[str, str],
    persist_screen: bool = True,
    first_offset: int = 0,
    orphan_ms: int = 0,
) -> bytes:
    """The record, with its length in front. Raises ValueError for a NUL in a field or a record over the bound."""
    flags = emulator * _EMULATOR | persist_screen * _PERSIST_SCREEN
    head = [session_id, bundle_dir, socket_path, str(rows), str(cols), str(scrollback_lines), str(flags)]
    head += [str(umask), cwd]
    names = [f"{name}={value}" for name, value in env.items()]
    later = [str(first_offset), str(orphan_ms)]  # what a build adds stands at the end, and earlier ones pass over it
    texts = [*head, str(len(argv)), *argv, str(len(env)), *names, *later]
    fields = [field.encode(errors="surrogateescape") for field in texts]
    if any(b"\0" in field for field in fields):
        raise ValueError("an argument, a path or the environment holds a NUL byte")
    record = b"\0".join(fields)
    if len(record) > RECORD_MAX_BYTES:
        raise ValueError(f"arguments and environment take {len(record)} bytes, over the bound of {RECORD_MAX_BYTES}")
    return LENGTH.pack(len(record)) + record


def unpack_request(record: bytes) -> Launch:
    """The record without its length -> Launch. Raises ValueError when it is not one."""
    fields = record.split(b"\0")
    if len(fields) < 11:
        raise ValueError("the order has too few fields")
    argc = int(fields[9])
    argv, rest = fields[10 : 10 + argc], fields[10 + argc :]
    envc = int(rest[0]) if rest else -1
    later = rest[1 + envc :]
    if argc < 1 or not 0 <= envc < len(rest) or len(later) == 1:
        raise ValueError("the order's counts do not match its fields")
    env: dict[bytes, bytes] = {}
    for entry in rest[1 : 1 + envc]:
        name, equals, value = entry.partition(b"=")
        if not equals:
            raise ValueError("an entry of the environment has no value")
        env[name] = value
    rows, cols, scrollback_lines, flags, umask = (int(field) for field in fields[3:8])
    return Launch(
        session_id=fields[0].decode("ascii"),
        bundle_dir=fields[1],
        socket_path=fields[2],
        rows=rows,
        cols=cols,
        scrollback_lines=scrollback_lines,
        emulator=bool(flags & _EMULATOR),
        persist_screen=bool(flags & _PERSIST_SCREEN),
        umask=umask,
        cwd=fields[8],
        argv=argv,
        env=env,
        first_offset=int(later[0]) if later else 0,
        orphan_ms=int(later[1]) if later else 0,
    )
