"""The client protocol, version 1: what clients (page, CLI, scripts) and the daemon say to each other.

JSON messages carry requests, replies and events; binary frames carry terminal bytes. On the WebSocket a text message
is JSON and a binary message is one binary frame; on the unix socket both stand in frames of `attn.wire.framing` with
kind JSON or BINARY. The first message each way is `hello`. Every request has an `id` (> 0) and gets exactly one reply
with it: its own result type, `ok`, or `error`. Fields are only ever added.

The structs of client_views, client_requests and client_events are the single source:
`docs/protocol.md` and the page's `protocol.ts` are generated from them.
"""

from __future__ import annotations

import struct
from typing import Final

import msgspec

from attn.wire.client_events import DaemonMessage
from attn.wire.client_requests import ClientMessage

PROTOCOL: Final = 1
PROTOCOL_MIN: Final = 1

JSON: Final = 1
BINARY: Final = 2
# Bound of one message in either direction; a paste or a snapshot is split below it.
MAX_MESSAGE_BYTES: Final = 1 << 20

# Binary frames: u8 kind, u32 handle, u64 offset, data.
OUTPUT: Final = 1  # daemon -> client; `offset` of the first byte (this is pty_output)
SNAPSHOT: Final = 2  # daemon -> client; a part of the payload that the last attach_result announced
SNAPSHOT_END: Final = 3  # daemon -> client; its last part, perhaps empty; `offset` is that of the attach_result
INPUT: Final = 4  # client -> daemon; `offset` is a request id, 0 = no answer wanted (this is pty_input)
_BINARY: Final = struct.Struct(">BIQ")
BINARY_HEADER_BYTES: Final = _BINARY.size

# What a client can paint of the payloads that are called `snapshot`; a format that it does not know is no snapshot.
SNAPSHOT_FORMATS: Final = ("vt1",)

# How many output bytes the daemon sends ahead of what a client acknowledged.
ACK_WINDOW_BYTES: Final = 512 << 10


def pack_binary(kind: int, handle: int, offset: int, data: bytes) -> bytes:
    """One binary frame."""
    return _BINARY.pack(kind, handle, offset) + data


def unpack_binary(frame: bytes) -> tuple[int, int, int, bytes]:
    """A binary frame -> (kind, handle, offset, data). Raises ValueError when it is too short."""
    if len(frame) < _BINARY.size:
        raise ValueError(f"a binary frame has {len(frame)} bytes, its header alone has {_BINARY.size}")
    kind, handle, offset = _BINARY.unpack_from(frame)
    return kind, handle, offset, frame[_BINARY.size :]


client_decoder: Final = msgspec.json.Decoder(ClientMessage)
daemon_decoder: Final = msgspec.json.Decoder(DaemonMessage)
encoder: Final = msgspec.json.Encoder()
