"""The colours of the person's terminal: asked for once, told to the daemon, put back at the end. Pure."""

from __future__ import annotations

import re
from typing import Final

from attn.wire.client_views import Theme

FOREGROUND: Final = 10
BACKGROUND: Final = 11
CURSOR: Final = 12
ASK: Final = b"".join(b"\x1b]%d;?\x1b\\" % number for number in (FOREGROUND, BACKGROUND, CURSOR))

# As terminals answer: two or four digits a colour, of which the first two are what there is to see.
_ANSWER: Final = re.compile(
    rb"\x1b\](1[0-2]);(rgb:([0-9a-fA-F]{2})[0-9a-fA-F]*/([0-9a-fA-F]{2})[0-9a-fA-F]*/([0-9a-fA-F]{2})[0-9a-fA-F]*)"
)
# Weights of red, green and blue in how light a colour looks (ITU-R BT.709); from half on a background is light.
_WEIGHTS: Final = (0.2126, 0.7152, 0.0722)
_LIGHT: Final = 128


class Colours:
    """What the terminal said of its colours.

    before: OSC number -> the colour as it was answered first, which is the one to go back to.
    """

    def __init__(self) -> None:
        self.before: dict[int, bytes] = {}
        self._known: dict[int, tuple[int, int, int]] = {}

    def heard(self, answers: bytes) -> Theme | None:
        """Answers of the terminal in; its theme out when something new is known of it and it is whole."""
        news = False
        for number, text, *channels in _ANSWER.findall(answers):
            colour = (int(channels[0], 16), int(channels[1], 16), int(channels[2], 16))
            self.before.setdefault(int(number), text)
            news = news or self._known.get(int(number)) != colour
            self._known[int(number)] = colour
        return self.theme if news else None

    @property
    def theme(self) -> Theme | None:
        """The theme for programs that ask; None while foreground or background are unknown."""
        foreground, background = self._known.get(FOREGROUND), self._known.get(BACKGROUND)
        if foreground is None or background is None:
            return None
        lightness = sum(weight * channel for weight, channel in zip(_WEIGHTS, background, strict=True))
        return Theme(
            foreground=_hex(foreground),
            background=_hex(background),
            cursor=_hex(self._known.get(CURSOR, foreground)),
            scheme="light" if lightness >= _LIGHT else "dark",
        )


def _hex(colour: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
