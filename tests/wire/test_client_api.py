"""Client messages decode strictly, and every message class is reachable by its tag."""

import msgspec
import pytest

from attn.wire import client_api as api
from attn.wire import client_events as events
from attn.wire import client_requests as requests


def test_binary_frames_round_trip() -> None:
    frame = api.pack_binary(api.OUTPUT, 3, 2**33, b"data")
    assert len(frame) == api.BINARY_HEADER_BYTES + 4
    assert api.unpack_binary(frame) == (api.OUTPUT, 3, 2**33, b"data")
    with pytest.raises(ValueError, match="its header alone"):
        api.unpack_binary(b"\x01\x02")


def test_a_request_decodes_by_its_type() -> None:
    message = api.client_decoder.decode(b'{"type":"resize_session","id":4,"session":"a","rows":24,"cols":80}')
    assert message == requests.ResizeSession(id=4, session="a", rows=24, cols=80)


@pytest.mark.parametrize(
    "text",
    [b"{", b"[]", b'{"type":"nothing"}', b'{"type":"detach_session","id":1,"handle":"x"}', b'{"type":"get_status"}'],
)
def test_bad_messages_are_refused(text: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        api.client_decoder.decode(text)


def test_unknown_fields_are_ignored_so_that_newer_clients_work() -> None:
    assert api.client_decoder.decode(b'{"type":"get_status","id":1,"new":2}') == requests.GetStatus(id=1)


def _tagged(module: object) -> set[type]:
    found = {value for value in vars(module).values() if isinstance(value, type) and issubclass(value, msgspec.Struct)}
    return {cls for cls in found if cls.__struct_config__.tag is not None and cls.__module__ == module.__name__}  # type: ignore[attr-defined]


def test_every_message_stands_in_its_union() -> None:
    assert _tagged(requests) == set(requests.ClientMessage.__args__)  # type: ignore[attr-defined]
    assert _tagged(events) == set(events.DaemonMessage.__args__)  # type: ignore[attr-defined]
