"""Ids, labels, sizes, and what people type to name a session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attn.core import session
from attn.core.session import (
    automatic_label,
    check_size,
    clean_label,
    new_session_id,
    parse_size,
    printable,
    resolve,
    valid_session_id,
)
from attn.errors import AttnError
from attn.wire import client_views


@dataclass
class Named:
    id: str
    label: str


SESSIONS = [
    Named("abcde00001", "web"),
    Named("abcde00002", "api"),
    Named("xyz0000003", "api"),
    Named("web0000004", "db"),
]


def code_of(call: object, *args: object) -> str:
    with pytest.raises(AttnError) as raised:
        call(*args)  # type: ignore[operator]
    assert raised.value.message and raised.value.remedy
    return raised.value.code


@given(st.binary(min_size=8, max_size=32))
def test_a_new_id_is_valid(random_bytes: bytes) -> None:
    assert valid_session_id(new_session_id(random_bytes))


def test_too_little_randomness_makes_no_id() -> None:
    with pytest.raises(ValueError):
        new_session_id(b"seven77")


@pytest.mark.parametrize("text", ["", "short", "ABCDE00001", "../../etc/x", "abcde0000\n", "abcde000011", "abcde0000é"])
def test_what_is_no_id(text: str) -> None:
    assert not valid_session_id(text)


def test_states_are_those_of_the_wire() -> None:
    assert get_args(session.State) == get_args(client_views.State)


def test_a_label_is_kept_as_it_was_typed() -> None:
    assert clean_label(" fix the login – 修复 👩‍💻 ") == "fix the login – 修复 👩‍💻"


@pytest.mark.parametrize(
    "label",
    [
        "",
        "   ",
        "a\nb",
        "a\x1b[31mb",
        "\x07",
        "a\u202egpj.exe",
        "a\u2066b",
        "a\x9bb",
        "x" * 201,
        "x" * 10_000,
        "\ud800",
    ],
)
def test_a_label_that_would_deceive_or_flood_is_refused(label: str) -> None:
    assert code_of(clean_label, label) == "invalid_label"


@given(st.text())
def test_an_automatic_label_is_always_a_valid_one(text: str) -> None:
    assert clean_label(automatic_label(text)) == automatic_label(text)


def test_an_automatic_label_is_unlike_the_others() -> None:
    assert automatic_label("codex", {"codex", "codex-2"}) == "codex-3"


@given(st.text())
def test_printable_text_holds_no_escape(text: str) -> None:
    shown = printable(text)
    assert not any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 for char in shown)
    assert printable(shown) == shown


@pytest.mark.parametrize("size", [(2, 2), (40, 120), (1000, 1000)])
def test_sizes_that_can_be_shown(size: tuple[int, int]) -> None:
    check_size(*size)
    assert parse_size(f"{size[0]}x{size[1]}") == size


@pytest.mark.parametrize(
    "text", ["0x0", "1x1", "1x80", "24x1", "100000x100000", "1001x80", "", "40", "40x", "-1x5", "٤x٥"]
)
def test_sizes_that_cannot(text: str) -> None:
    assert code_of(parse_size, text) == "invalid_size"


def test_a_session_is_found_by_id_label_and_prefix() -> None:
    assert resolve(SESSIONS, "abcde00001") == "abcde00001"
    assert resolve(SESSIONS, "db") == "web0000004"
    assert resolve(SESSIONS, "xyz") == "xyz0000003"


def test_a_label_wins_over_the_beginning_of_an_id() -> None:
    assert resolve(SESSIONS, "web") == "abcde00001"


@pytest.mark.parametrize(("ref", "code"), [("abcde", "ambiguous_session"), ("api", "ambiguous_session"),
                                           ("nothing", "unknown_session"), ("", "unknown_session")])  # fmt: skip
def test_a_session_that_cannot_be_told(ref: str, code: str) -> None:
    assert code_of(resolve, SESSIONS, ref) == code


def test_the_candidates_are_named() -> None:
    with pytest.raises(AttnError, match=r"abcde00002 .api., xyz0000003 .api."):
        resolve(SESSIONS, "api")
