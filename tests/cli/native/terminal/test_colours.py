"""What a terminal says of its colours."""

from __future__ import annotations

import pytest

from attn.cli.native.terminal.colours import ASK, Colours
from attn.terminal.emulator import Emulator
from attn.wire.client_views import Theme


def test_a_real_terminals_answers_make_a_theme() -> None:
    terminal = Emulator(4, 20)
    terminal.set_theme("#010203", "#fefdfc", "#0a0b0c", "light")
    terminal.feed(ASK)
    colours = Colours()
    answers = terminal.take_replies()
    wanted = Theme(foreground="#010203", background="#fefdfc", cursor="#0a0b0c", scheme="light")
    assert colours.heard(answers) == colours.theme == wanted
    assert colours.heard(answers) is None, "the same again is no news"


def test_a_theme_is_told_once_it_is_whole() -> None:
    colours = Colours()
    assert colours.heard(b"\x1b]11;rgb:00/00/00\x07") is None
    theme = colours.heard(b"\x1b]10;rgb:ffff/8000/0000\x07")
    assert theme == Theme(foreground="#ff8000", background="#000000", cursor="#ff8000", scheme="dark")


def test_the_first_answer_is_what_to_go_back_to() -> None:
    colours = Colours()
    colours.heard(b"\x1b]11;rgb:1111/2222/3333\x07")
    colours.heard(b"\x1b]11;rgb:4444/5555/6666\x07")
    assert colours.before == {11: b"rgb:1111/2222/3333"}


@pytest.mark.parametrize(("background", "scheme"), [("#ffffff", "light"), ("#fdf6e3", "light"), ("#002b36", "dark")])
def test_light_is_light_and_dark_is_dark(background: str, scheme: str) -> None:
    rgb = "/".join(background[at : at + 2] for at in (1, 3, 5))
    theme = Colours().heard(f"\x1b]10;rgb:80/80/80\x07\x1b]11;rgb:{rgb}\x07".encode())
    assert theme is not None and theme.scheme == scheme
