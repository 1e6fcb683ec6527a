"""Length-prefixed frames on a byte stream: 4-byte big-endian payload length, 1-byte kind, payload.

Both protocols that attn speaks over unix sockets use these frames. The standard library alone, and frozen:
workers of older releases speak exactly this.
"""

from __future__ import annotations

import struct

HEADER = struct.Struct(">IB")
MAX_PAYLOAD_BYTES = 1 << 20


class FramingError(Exception):
    """The peer sent a frame that cannot be one: the stream is unusable from here on."""


def encode(kind: int, payload: bytes) -> bytes:
    """One frame. Raises FramingError when `payload` is over MAX_PAYLOAD_BYTES: split it."""
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise FramingError(f"a payload of {len(payload)} bytes is over the bound of {MAX_PAYLOAD_BYTES}")
    return HEADER.pack(len(payload), kind) + payload


class Decoder:
    """Collects bytes as they arrive and gives back whole frames.

    Holds at most one unfinished frame, so its memory is bounded by MAX_PAYLOAD_BYTES plus one read.
    """

    def __init__(self, max_payload_bytes: int = MAX_PAYLOAD_BYTES) -> None:
        self._buffer = bytearray()
        self._max = max_payload_bytes

    @property
    def pending_bytes(self) -> int:
        """Bytes of an unfinished frame: non-zero at end of stream means that the peer was cut off."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """`data` in, the frames that are now complete out, as (kind, payload), in order.

        Raises FramingError when a header announces more than the bound; the bytes of earlier whole frames
        in the same call are lost with it, which is fine: the connection is over.
        """
        buffer = self._buffer
        buffer += data
        frames: list[tuple[int, bytes]] = []
        start, size = 0, len(buffer)
        while size - start >= HEADER.size:
            length, kind = HEADER.unpack_from(buffer, start)
            if length > self._max:
                raise FramingError(f"a frame announces {length} bytes, over the bound of {self._max}")
            end = start + HEADER.size + length
            if end > size:
                break
            frames.append((kind, bytes(memoryview(buffer)[start + HEADER.size : end])))
            start = end
        if start:
            del buffer[:start]
        return frames
