"""How xterm.js 6.0.0 and libghostty-vt 0.1.3 differ about the same bytes, without any snapshot: a closed list.

Each kind names what sets it off, which fields it can change from then on, and a proof: output after which the two
emulators differ in just that way (test_page_fidelity.py plays them).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tests.terminal.judge import Event, Resize
from tests.terminal.page_judge import Difference


class Kind(NamedTuple):
    """One way to differ. trigger: of the output that sets it off, None for a resize; fields: those it can change."""

    name: str
    trigger: str | None
    fields: str
    proof: list[Event]


_GRID = "(primary|alternate) (rows|wrapped|cursor|saved)"

# The narrow ones first: a difference counts for the first kind that explains it.
KINDS = (
    Kind(
        "left and right margins: xterm.js has none",
        r"\x1b\[\?69h",
        _GRID,
        [b"\x1b[?69h\x1b[3;8s\x1b[1;3Habcdefgh"],
    ),
    Kind(
        "ISO protection: xterm.js does not know SPA and EPA",
        r"\x1b[VW]",
        "(primary|alternate) rows",
        [b"a\x1bVbc\x1bWd\x1b[1K"],
    ),
    Kind(
        "soft reset: libghostty-vt does not know DECSTR",
        r"\x1b\[!p",
        r"charset|reverseWraparound|(primary|alternate) (saved|margins)|pen|insertMode|origin|wraparound",
        [b"\x1b)0\x1b[?45h\x1b[!p"],
    ),
    Kind(
        "tab stops: xterm.js has them for each screen",
        r"\x1bH|\x1b\[[03]?g",
        "(primary|alternate) (tabs|rows|cursor)",
        [b"\x1b[3g\x1b[5G\x1bH\x1b[?1049h"],
    ),
    Kind(
        "alternate screen: xterm.js clears it on the way back, whichever mode leads there",
        r"\x1b\[\?(47|1047)[hl]",
        "alternate (rows|wrapped)",
        [b"\x1b[?47hgone\x1b[?47l\x1b[?47h"],
    ),
    Kind(
        "erasing at a pending wrap: xterm.js keeps the last column and the pending wrap",
        r"\x1b\[[0-2]?[JKX]",
        "(primary|alternate) (rows|cursor)",
        [b"\x1b[7m" + b"x" * 20 + b"\x1b[m\x1b[K"],
    ),
    Kind(
        "DECSC: xterm.js saves a row of the history instead of one of the screen, and no underline",
        r"\x1b7|\x1b\[s|\x1b\[\?104[89]h",
        r"(primary|alternate) (saved|cursor|rows)|pen",
        [b"\x1b[3;3H\x1b[4m\x1b7\x1b[m\x1b[6;1H\n\n\x1b8x"],
    ),
    Kind(
        "soft wraps: erased, deleted and scrolled rows keep or lose their flag",
        r"\x1b\[\d*[JKLMST@PX]|\x1bM|\x1bD",
        "(primary|alternate) wrapped",
        [b"x" * 25 + b"\r\x1b[K"],
    ),
    Kind(
        "reflow: the emulators wrap differently at a resize (a snapshot follows every resize)",
        None,
        _GRID,
        [b"one\r\ntwo\r\nthree\r\nfour\r\nfive\r\nsix\x1b[2;1H", Resize(3, 20)],
    ),
)


def explained(difference: Difference, output: bytes, resized: bool) -> Kind | None:
    """The kind that a difference between two pages belongs to, after all this output."""
    text = output.decode("latin-1")
    for kind in KINDS:
        if not re.fullmatch(kind.fields, difference.field):
            continue
        if resized if kind.trigger is None else re.search(kind.trigger, text):
            return kind
    return None
