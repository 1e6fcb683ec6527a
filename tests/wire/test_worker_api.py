"""The payloads of the worker protocol: exact bytes, since workers of older releases speak them."""

import pytest

from attn.wire import worker_api as api


def test_the_frozen_numbers() -> None:
    assert (api.REQUEST, api.RESPONSE, api.EVENT, api.OUTPUT, api.INPUT, api.CHUNK) == (1, 2, 3, 4, 5, 6)
    assert (api.PROTOCOL_MIN, api.PROTOCOL_MAX) == (1, 1)


def test_output_carries_a_64_bit_offset() -> None:
    payload = api.pack_output(2**40, b"hi")
    assert payload == b"\x00\x00\x01\x00\x00\x00\x00\x00hi"
    assert api.unpack_output(payload) == (2**40, b"hi")


def test_input_carries_its_id() -> None:
    assert api.pack_input(7, b"x") == b"\x00\x00\x00\x07x"
    assert api.unpack_input(b"\x00\x00\x00\x07x") == (7, b"x")


@pytest.mark.parametrize("last", [True, False])
def test_chunk_round_trip(last: bool) -> None:
    assert api.unpack_chunk(api.pack_chunk(9, last, b"part")) == (9, last, b"part")


@pytest.mark.parametrize("unpack", [api.unpack_output, api.unpack_input, api.unpack_chunk])
def test_short_payloads_are_refused(unpack: object) -> None:
    with pytest.raises(ValueError, match="shorter"):
        unpack(b"\x00")  # type: ignore[operator]


def test_json_payloads_are_objects() -> None:
    assert api.unpack_json(api.pack_json({"id": 1, "method": "info"})) == {"id": 1, "method": "info"}
    with pytest.raises(ValueError, match="not a JSON object"):
        api.unpack_json(b"[1]")
