"""The newest output, numbered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attn.worker import ring as ring_module
from attn.worker.ring import Ring


@given(
    st.lists(st.binary(min_size=1, max_size=40), max_size=60), st.integers(1, 64), st.integers(4, 32),
    st.sampled_from([0, 1 << 36]),
)  # fmt: skip
def test_it_holds_the_newest_bytes_under_their_numbers(pieces: list[bytes], limit: int, block: int, first: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ring_module, "_BLOCK_BYTES", block)
        ring, everything = Ring(limit, first), b""
        for piece in pieces:
            ring.append(piece)
            everything += piece
            assert ring.end == first + len(everything)
            assert min(limit, ring.end - first) <= ring.end - ring.start < limit + max(block, 40) + 1
            for offset in range(ring.start, ring.end + 1):
                assert ring.since(offset) == everything[offset - first :]
            assert ring.since(ring.end + 1) is None
            assert ring.start == 0 or ring.since(ring.start - 1) is None
            assert ring.tail(limit) == everything[-limit:]


def test_a_megabyte_of_keystrokes_is_few_objects() -> None:
    ring = Ring(1 << 16)
    for _ in range(3 << 16):
        ring.append(b"x")
    assert len(ring._blocks) <= 3
    assert ring.tail(1 << 20) == b"x" * (ring.end - ring.start)


def test_an_empty_ring() -> None:
    ring = Ring()
    assert (ring.since(0), ring.since(1), ring.tail(10)) == (b"", None, b"")
