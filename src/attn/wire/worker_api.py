"""The worker protocol, version 1: what a daemon and one session's worker say to each other.

Frozen and append-only. A worker keeps running through upgrades of everything else, so a daemon must drive the
workers of the two previous minors: never change the meaning of a kind, method, field or event below, only add.
Frames are those of `attn.wire.framing`; everything here is the standard library alone.

kind      direction        payload
REQUEST   daemon -> worker  JSON {"id": u32 > 0, "method": str, "params": {...}}
RESPONSE  worker -> daemon  JSON {"id": u32, "ok": {...}} or {"id": u32, "error": {"code", "message"}}
EVENT     worker -> daemon  JSON {"event": str, ...}
OUTPUT    worker -> daemon  u64 offset of the first byte, then bytes the program wrote
INPUT     daemon -> worker  u32 id (0 = no answer wanted), then bytes for the program
CHUNK     worker -> daemon  u32 id of the request, u8 flags (1 = last), then a part of its bulk result

Methods. Any method not listed answers error `unknown_method` and the feature hides.
hello     {token, daemon_id, protocol: [min, max], build} -> {session_id, protocol: [min, max], build, pid,
          snapshot_format, features: [method names]}; must be first; errors `unauthorized`, `wrong_daemon`
info      {} -> {pid, rows, cols, offset, title, directory, alternate_screen, emulator: bool, last_output_at_ms,
          exit: null | {code, signal, at_ms}}
attach    {} -> {offset}: OUTPUT frames follow on this connection from exactly `offset` on
detach    {} -> {}
input     INPUT frame; with an id: -> {written} once the PTY took every byte
keys      {events: [{action, key, code, text, mods}]} -> {}: encoded as the program's keyboard modes ask
send      {text, enter: bool, ready_ms} -> {written}: a paste as the program set it, Enter as its own later write;
          error `not_ready` when the terminal is still in canonical mode after `ready_ms`
resize    {rows, cols, width_px, height_px} -> {rows, cols, offset}
signal    {signal: int} -> {} to the foreground process group; or {ladder: true} -> {}: HUP, TERM, KILL over the tree
snapshot  {since: offset | null, history: lines | null} -> HEAD, then CHUNKs. When `since` is in the ring the payload
          is the missing bytes; `history` null means all
screen    {format: "text" | "joined" | "cells" | "html" | "ansi", history: lines | null} -> HEAD, then CHUNKs;
          "joined" is the text with soft wraps joined, for searching
theme     {foreground, background, cursor: "#rrggbb", scheme: "dark" | "light", palette: ["#rrggbb", ...]} -> {};
          `palette` holds the first colours, the others are the usual ones; it may be left out
remove    {} -> {}: end the program if it runs, then leave
health    {} -> counters, all integers: fed_bytes, ring_bytes, connections, encode_failures, repairs, loop_max_us,
          rss_kb, dropped_inputs, scrollback_bytes (as it is while in use), scrollback_compressed (0 or 1),
          scrollback_cuts (how often lines were dropped by `scrollback`)
scrollback  {compress: bool, keep_bytes: int | null} -> {scrollback_bytes}: drop the oldest lines until about
          `keep_bytes` are left, then compress the rest; added after version 1

HEAD = {payload: "snapshot" | "delta" | "tail" | "none", format, fidelity: "screen" | "tail" | "none", rows, cols,
        cursor: {row, col, visible}, alternate_screen, offset, taken_at_ms, total_bytes | null}
`offset` is the absolute count of output bytes that are included once the payload is applied. On a connection every
OUTPUT frame before HEAD ends at or before `offset`, and the first one after it begins exactly there.

Events: exit {code, signal, at_ms, offset, last_output_at_ms} (once, after exit.json is on disk) · title {title} ·
directory {path} · bell {} · resized {rows, cols, offset} · activity {offset, at_ms} (instead of OUTPUT where not
attached, at most one a second) · clipboard {text} · goodbye {}
"""

from __future__ import annotations

import json
import struct
from typing import Any, Final

PROTOCOL_MIN: Final = 1
PROTOCOL_MAX: Final = 1

REQUEST: Final = 1
RESPONSE: Final = 2
EVENT: Final = 3
OUTPUT: Final = 4
INPUT: Final = 5
CHUNK: Final = 6

CHUNK_LAST: Final = 1
# Small enough that a snapshot in flight does not hold up an echo behind it, large enough to be few frames.
CHUNK_MAX_BYTES: Final = 64 << 10

_OFFSET: Final = struct.Struct(">Q")
_ID: Final = struct.Struct(">I")
_CHUNK: Final = struct.Struct(">IB")

Json = dict[str, Any]
# json.dumps with these arguments would make an encoder for every frame.
_encode: Final = json.JSONEncoder(separators=(",", ":")).encode


def pack_json(value: Json) -> bytes:
    """A JSON payload of a REQUEST, RESPONSE or EVENT frame."""
    return _encode(value).encode()


def unpack_json(payload: bytes) -> Json:
    """The object in a JSON payload. Raises ValueError when it is not a JSON object."""
    value = json.loads(payload)
    if not isinstance(value, dict):
        raise ValueError("the payload is not a JSON object")
    return value


def pack_output(offset: int, data: bytes) -> bytes:
    """OUTPUT payload: `data` begins at absolute byte `offset`."""
    return _OFFSET.pack(offset) + data


def unpack_output(payload: bytes) -> tuple[int, bytes]:
    """OUTPUT payload -> (offset, data). Raises ValueError when it is too short."""
    if len(payload) < _OFFSET.size:
        raise ValueError("an OUTPUT frame is shorter than its offset")
    return _OFFSET.unpack_from(payload)[0], payload[_OFFSET.size :]


def pack_input(request_id: int, data: bytes) -> bytes:
    """INPUT payload; `request_id` 0 asks for no answer."""
    return _ID.pack(request_id) + data


def unpack_input(payload: bytes) -> tuple[int, bytes]:
    """INPUT payload -> (request id, data). Raises ValueError when it is too short."""
    if len(payload) < _ID.size:
        raise ValueError("an INPUT frame is shorter than its id")
    return _ID.unpack_from(payload)[0], payload[_ID.size :]


def pack_chunk(request_id: int, last: bool, data: bytes) -> bytes:
    """CHUNK payload: one part of the bulk result of `request_id`."""
    return _CHUNK.pack(request_id, CHUNK_LAST if last else 0) + data


def unpack_chunk(payload: bytes) -> tuple[int, bool, bytes]:
    """CHUNK payload -> (request id, last, data). Raises ValueError when it is too short."""
    if len(payload) < _CHUNK.size:
        raise ValueError("a CHUNK frame is shorter than its header")
    request_id, flags = _CHUNK.unpack_from(payload)
    return request_id, bool(flags & CHUNK_LAST), payload[_CHUNK.size :]
