"""The detach key: twice within half a second, in every encoding that a terminal may use."""

from __future__ import annotations

import pytest

from attn.cli.native.terminal.keys import WINDOW_S, DetachKey, Typed

PLAIN = b"\x1c"
KITTY = b"\x1b[92;5u"
PRESSES = [PLAIN, KITTY, b"\x1b[92;5:1u", b"\x1b[92::92;5;28u", b"\x1b[92;69u", b"\x1b[92;133u", b"\x1b[27;5;92~"]
OTHERS = [b"\x1b[92;6u", b"\x1b[92;7u", b"\x1b[92u", b"\x1b[92;5:3u", b"\x1b[27;6;92~", b"\x1b[93;5u", b"\\", b"a"]


@pytest.fixture
def key() -> DetachKey:
    return DetachKey(0x1C, "\\")


@pytest.mark.parametrize("press", PRESSES)
def test_two_presses_detach(key: DetachKey, press: bytes) -> None:
    assert key.feed(press, 1.0) == (b"", False)
    assert key.feed(press, 1.4) == (b"", True)


@pytest.mark.parametrize("press", PRESSES)
def test_two_presses_in_one_read_detach_and_what_came_before_is_typed(key: DetachKey, press: bytes) -> None:
    assert key.feed(b"ls" + press + press + b"x", 1.0) == (b"ls", True)


@pytest.mark.parametrize("press", PRESSES)
def test_one_press_is_typed_when_its_time_is_over(key: DetachKey, press: bytes) -> None:
    key.feed(press, 1.0)
    assert key.until_s == pytest.approx(1.0 + WINDOW_S)
    assert key.expired(1.2) == b""
    assert key.expired(1.0 + WINDOW_S) == press
    assert key.until_s is None


def test_two_slow_presses_are_typed(key: DetachKey) -> None:
    key.feed(PLAIN, 1.0)
    assert key.feed(PLAIN, 2.0) == (PLAIN, False)
    assert key.expired(3.0) == PLAIN


def test_another_key_between_lets_the_first_press_go_in_order(key: DetachKey) -> None:
    key.feed(PLAIN, 1.0)
    assert key.feed(b"a" + PLAIN, 1.1) == (PLAIN + b"a", False)
    assert key.feed(b"b", 1.2) == (PLAIN + b"b", False)


@pytest.mark.parametrize("other", OTHERS)
def test_keys_that_are_not_it_pass(key: DetachKey, other: bytes) -> None:
    assert key.feed(other + other, 1.0) == (other + other, False)


def test_releases_and_modifier_keys_between_do_not_matter(key: DetachKey) -> None:
    between = b"\x1b[92;5:3u" + b"\x1b[57442;1:3u" + b"\x1b[57442;5u"
    assert key.feed(KITTY, 1.0) == (b"", False)
    assert key.feed(between, 1.1) == (b"", False)
    assert key.feed(KITTY, 1.2) == (b"", True)


def test_releases_are_typed_with_the_press_they_belong_to(key: DetachKey) -> None:
    key.feed(KITTY, 1.0)
    key.feed(b"\x1b[92;5:3u", 1.1)
    assert key.expired(2.0) == KITTY + b"\x1b[92;5:3u"


def test_another_letter(key: DetachKey) -> None:
    other = DetachKey(0x01, "a")
    assert other.feed(b"\x01\x01", 1.0) == (b"", True)
    assert other.feed(b"\x1b[97;5u\x1b[97;5u", 1.0) == (b"", True)


@pytest.mark.parametrize(
    "answer",
    [
        b"\x1b[?62;22c",
        b"\x1b[>0;276;0c",
        b"\x1b[?2004;1$y",
        b"\x1b[?1u",
        b"\x1b[0n",
        b"\x1b]11;rgb:0000/0000/0000\x1b\\",
        b"\x1b]4;1;rgb:ff/00/00\x07",
        b"\x1bP>|xterm(390)\x1b\\",
        b"\x1bP1$r0m\x1b\\",
    ],
)
def test_answers_of_the_terminal_are_not_typed(answer: bytes) -> None:
    assert Typed().feed(b"a" + answer + b"b") == (b"ab", answer)


def test_an_answer_that_arrives_in_two_reads_is_not_typed_either() -> None:
    for answer in (b"\x1bP1$r2 q\x1b\\", b"\x1b]11;rgb:0000/0000/0000\x1b\\", b"\x1b]11;rgb:0000/0000/0000\x07"):
        for cut in range(6, len(answer)):
            terminal = Typed()
            assert terminal.feed(b"a" + answer[:cut]) == (b"a", b"")
            assert terminal.feed(answer[cut:] + b"b") == (b"b", answer)


@pytest.mark.parametrize(
    "typed",
    [b"\x1b", b"\x1b[A", b"\x1b[1;2R", b"\x1b[I", b"\x1b[<0;1;1M", b"\x1b[200~x\x1b[201~", b"\x1b[97;5u", b"\x1bP"],
)
def test_keys_mouse_and_pastes_are_typed(typed: bytes) -> None:
    assert Typed().feed(typed) == (typed, b"")
