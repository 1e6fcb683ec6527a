"""Frames survive any split of the stream, and a frame that cannot be one is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attn.wire import framing

frames = st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=300)), max_size=8)


@given(frames, st.lists(st.integers(1, 64), min_size=1))
def test_any_split_gives_the_same_frames(sent: list[tuple[int, bytes]], sizes: list[int]) -> None:
    stream = b"".join(framing.encode(kind, payload) for kind, payload in sent)
    decoder = framing.Decoder()
    received: list[tuple[int, bytes]] = []
    position, turn = 0, 0
    while position < len(stream):
        size = sizes[turn % len(sizes)]
        received += decoder.feed(stream[position : position + size])
        position, turn = position + size, turn + 1
    assert received == sent
    assert decoder.pending_bytes == 0


def test_an_unfinished_frame_is_counted() -> None:
    decoder = framing.Decoder()
    assert decoder.feed(framing.encode(1, b"abc")[:-1]) == []
    assert decoder.pending_bytes == framing.HEADER.size + 2


def test_a_header_over_the_bound_is_refused_before_its_payload_arrives() -> None:
    decoder = framing.Decoder(max_payload_bytes=10)
    with pytest.raises(framing.FramingError, match="11 bytes"):
        decoder.feed(framing.HEADER.pack(11, 1))


def test_encoding_over_the_bound_is_refused() -> None:
    with pytest.raises(framing.FramingError, match="over the bound"):
        framing.encode(1, bytes(framing.MAX_PAYLOAD_BYTES + 1))
