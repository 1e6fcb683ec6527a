"""Keys and pastes as the program's modes ask for them."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attn.terminal.emulator import Emulator
from attn.terminal.keys import CODES, encode_paste

SHIFT, ALT, CTRL = 1, 2, 4
KITTY_FLAGS_7 = b"\x1b[>7u"
OTHER_KEYS = b"\x1b[>4;2m"
APPLICATION_CURSOR = b"\x1b[?1h"


def press(modes: bytes, key: str, code: str, mods: int = 0, action: str = "press") -> bytes:
    emulator = Emulator(24, 80)
    emulator.feed(modes)
    text = key if len(key) == 1 else ""
    return emulator.encode_keys([{"action": action, "key": key, "code": code, "text": text, "mods": mods}])


@pytest.mark.parametrize(
    ("modes", "key", "code", "mods", "expected"),
    [
        (b"", "a", "KeyA", 0, b"a"),
        (b"", "A", "KeyA", SHIFT, b"A"),
        (b"", "c", "KeyC", CTRL, b"\x03"),
        (b"", "a", "KeyA", ALT, b"\x1ba"),
        (b"", "Enter", "Enter", 0, b"\r"),
        (b"", "Enter", "Enter", ALT, b"\x1b\r"),
        (b"", "Escape", "Escape", 0, b"\x1b"),
        (b"", "Tab", "Tab", SHIFT, b"\x1b[Z"),
        (b"", "Backspace", "Backspace", 0, b"\x7f"),
        (b"", "ArrowUp", "ArrowUp", 0, b"\x1b[A"),
        (b"", "ArrowUp", "ArrowUp", CTRL, b"\x1b[1;5A"),
        (b"", "F5", "F5", 0, b"\x1b[15~"),
        (b"", "é", "Digit2", 0, "é".encode()),
        (b"", "漢", "", 0, "漢".encode()),
        (APPLICATION_CURSOR, "ArrowUp", "ArrowUp", 0, b"\x1bOA"),
        (APPLICATION_CURSOR, "Home", "Home", 0, b"\x1bOH"),
        (KITTY_FLAGS_7, "a", "KeyA", 0, b"a"),
        (KITTY_FLAGS_7, "Enter", "Enter", 0, b"\r"),
        (KITTY_FLAGS_7, "Enter", "Enter", SHIFT, b"\x1b[13;2u"),
        (KITTY_FLAGS_7, "Enter", "Enter", ALT, b"\x1b[13;3u"),
        (KITTY_FLAGS_7, "Enter", "Enter", CTRL, b"\x1b[13;5u"),
        (KITTY_FLAGS_7, "Escape", "Escape", 0, b"\x1b[27u"),
        (KITTY_FLAGS_7, "c", "KeyC", CTRL, b"\x1b[99;5u"),
        (KITTY_FLAGS_7, "A", "KeyA", SHIFT | CTRL, b"\x1b[97:65;6u"),
        (KITTY_FLAGS_7, "Backspace", "Backspace", ALT, b"\x1b[127;3u"),
        (KITTY_FLAGS_7, "Shift", "ShiftLeft", SHIFT, b""),
        (OTHER_KEYS, "Enter", "Enter", SHIFT, b"\x1b[27;2;13~"),
        (OTHER_KEYS, "c", "KeyC", CTRL, b"\x1b[27;5;99~"),
        (OTHER_KEYS, "a", "KeyA", 0, b"a"),
    ],
)
def test_a_key_in_the_encoding_the_program_asked_for(
    modes: bytes, key: str, code: str, mods: int, expected: bytes
) -> None:
    assert press(modes, key, code, mods) == expected


def test_a_release_is_reported_only_to_programs_that_asked() -> None:
    assert press(KITTY_FLAGS_7, "Escape", "Escape", action="release") == b"\x1b[27;1:3u"
    assert press(b"", "Escape", "Escape", action="release") == b""


def test_a_key_without_a_code_is_found_by_its_name() -> None:
    assert press(b"", "ArrowLeft", "") == b"\x1b[D"
    assert press(KITTY_FLAGS_7, "Enter", "", SHIFT) == b"\x1b[13;2u"


def test_several_keys_are_encoded_in_order() -> None:
    emulator = Emulator(24, 80)
    events = [{"action": "press", "key": key, "code": "", "text": key, "mods": 0} for key in "ls"]
    assert emulator.encode_keys([*events, {"action": "press", "key": "Enter"}]) == b"ls\r"


@pytest.mark.parametrize(
    "event",
    [{"action": "tap", "key": "a"}, {"action": "press", "key": 5}, {"action": "press", "key": "a", "mods": "1"}],
)
def test_what_is_no_key_event_is_refused(event: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not a key event"):
        Emulator(24, 80).encode_keys([event])


@pytest.mark.parametrize(
    ("modes", "wanted"),
    [
        (b"", False),
        (KITTY_FLAGS_7, True),
        (b"\x1b[>7u\x1b[<u", False),
        (OTHER_KEYS, True),
        (b"\x1b[>4;2m\x1b[>4m", False),
    ],
)
def test_events_are_wanted_while_a_mode_changes_keys(modes: bytes, wanted: bool) -> None:
    emulator = Emulator(24, 80)
    emulator.feed(modes)
    assert emulator.key_events_wanted is wanted


def test_codes_are_in_the_order_of_the_library() -> None:
    spec = importlib.util.find_spec("pyghostty")
    assert spec is not None and spec.origin is not None
    text = (Path(spec.origin).parent / "_cdef.py").read_text()
    names = re.findall(
        r"^ +GHOSTTY_KEY_(\w+)(?: = 0)?,", text[text.index("GHOSTTY_KEY_UNIDENTIFIED") - 40 :], re.MULTILINE
    )
    ours = [re.sub(r"^(Key|Arrow)?", lambda match: "ARROW" if match[0] == "Arrow" else "", code) for code in CODES]
    assert [code.upper() for code in ours] == [name.replace("_", "") for name in names[: len(CODES)]]


def test_a_paste_in_brackets_only_where_the_program_wants_them() -> None:
    emulator = Emulator(24, 80)
    assert emulator.encode_paste("a\nb") == b"a\rb"
    emulator.feed(b"\x1b[?2004h")
    assert emulator.encode_paste("a\nb") == b"\x1b[200~a\nb\x1b[201~"


def test_a_paste_cannot_end_its_own_brackets() -> None:
    assert encode_paste("x\x1b[201~rm -rf\r", bracketed=True) == b"\x1b[200~x[201~rm -rf\n\x1b[201~"
    assert encode_paste("x\x9b201~y", bracketed=True) == b"\x1b[200~x201~y\x1b[201~"


@given(st.text(), st.booleans())
def test_no_control_character_gets_through_a_paste(text: str, bracketed: bool) -> None:
    sent = encode_paste(text, bracketed=bracketed)
    inner = sent.removeprefix(b"\x1b[200~").removesuffix(b"\x1b[201~").decode()
    assert not re.search("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", inner)
    assert ("\n" if not bracketed else "\r") not in inner
