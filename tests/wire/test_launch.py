"""The order to start one worker."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attn.wire.launch import LENGTH, RECORD_MAX_BYTES, Launch, pack_request, unpack_request

ORDER: dict[str, Any] = {
    "session_id": "abcdefghij", "bundle_dir": "/run/abcdefghij", "socket_path": "/run/s", "rows": 40, "cols": 120,
    "scrollback_lines": 10_000, "emulator": True, "umask": 0o022, "cwd": "/tmp/ä", "argv": ["sh", "-c", ""],
    "env": {"A": "b=c", "E": ""},
}  # fmt: skip
no_nul = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


def _unpack(record: bytes) -> Launch:
    assert LENGTH.unpack_from(record) == (len(record) - LENGTH.size,)
    return unpack_request(record[LENGTH.size :])


def test_every_field_arrives() -> None:
    launch = _unpack(pack_request(**ORDER))
    assert launch == Launch(
        "abcdefghij", b"/run/abcdefghij", b"/run/s", 40, 120, 10_000, True, True, 0o022, "/tmp/ä".encode(),
        [b"sh", b"-c", b""], {b"A": b"b=c", b"E": b""},
    )  # fmt: skip
    launch = _unpack(pack_request(**ORDER, first_offset=1 << 40, orphan_ms=7))
    assert (launch.first_offset, launch.orphan_ms, launch.env) == (1 << 40, 7, {b"A": b"b=c", b"E": b""})
    launch = _unpack(pack_request(**{**ORDER, "emulator": False, "persist_screen": False, "env": {}}))
    assert (launch.emulator, launch.persist_screen, launch.env) == (False, False, {})


@given(st.lists(no_nul, min_size=1), st.dictionaries(no_nul.filter(lambda name: name and "=" not in name), no_nul))
def test_arguments_and_environment_arrive_as_they_are(argv: list[str], env: dict[str, str]) -> None:
    launch = _unpack(pack_request(**{**ORDER, "argv": argv, "env": env}))
    assert launch.argv == [argument.encode() for argument in argv]
    assert launch.env == {name.encode(): value.encode() for name, value in env.items()}


def test_bytes_that_are_no_text_arrive_too() -> None:
    odd = b"\xff\xfe".decode(errors="surrogateescape")
    assert _unpack(pack_request(**{**ORDER, "argv": ["x", odd]})).argv == [b"x", b"\xff\xfe"]


@pytest.mark.parametrize("change", [{"argv": ["a\0b"]}, {"env": {"A": "\0"}}, {"cwd": "/\0"}])
def test_a_nul_cannot_be_ordered(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="NUL"):
        pack_request(**{**ORDER, **change})


def test_an_order_is_bounded() -> None:
    with pytest.raises(ValueError, match="bound"):
        pack_request(**{**ORDER, "argv": ["x" * RECORD_MAX_BYTES]})


@pytest.mark.parametrize("cut", [0, 1, 8, 9, 10, 12, -1])
def test_a_mangled_order_is_refused(cut: int) -> None:
    fields = pack_request(**ORDER)[LENGTH.size :].split(b"\0")
    with pytest.raises(ValueError):
        unpack_request(b"\0".join(fields[:cut]))
    with pytest.raises(ValueError):
        unpack_request(b"\0".join([*fields[:-3], b"NOEQUALS", *fields[-2:]]))


def test_orders_of_earlier_and_later_builds_are_understood() -> None:
    fields = pack_request(**ORDER, first_offset=9)[LENGTH.size :].split(b"\0")
    earlier, later = fields[:-2], [*fields, b"new"]
    assert unpack_request(b"\0".join(earlier)).first_offset == 0
    assert unpack_request(b"\0".join(later)).first_offset == 9
