"""Remembers what a stream set in the terminal that it passed through, to take exactly that back. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

# A sequence that ends in a later chunk is kept up to this length; longer ones (images, clipboard) set no mode.
UNFINISHED_MAX_BYTES: Final = 4096

# What a private mode (DECSET) is when nobody touched it: xterm's ctlseqs. Modes that terminals start differently
# (1007 alternate scroll, 2027 graphemes, 12 cursor blink) or that clear the screen (3) are left as they are.
_PRIVATE_ON: Final = frozenset({7, 25})
_PRIVATE_LEFT: Final = frozenset({3, 12, 40, 1007, 1048, 2027})
_ALTERNATE: Final = frozenset({47, 1047, 1049})

_SEQUENCE: Final = re.compile(
    rb"\x1b\[(?P<prefix>[<=>?]?)(?P<params>[0-9;:]*)(?P<between>[ !]?)(?P<final>[hlruqpt])"
    rb"|\x1b\[>(?P<keys>[0-9]+)[0-9;]*m"
    rb"|\x1b\](?P<osc>[0-9]+)(?P<text>;[^\x07\x1b]*)?(?:\x07|\x1b\\|(?=\x1b[^\\]))"
    rb"|\x1b(?P<set>[()*+])(?P<charset>[0-9A-Za-z])"
    rb"|\x1b(?P<escape>[=>cn~o|}])"
    rb"|(?P<shift>[\x0e\x0f])"
)
_UNFINISHED: Final = re.compile(rb"\x1b(?:\[[<=>?]?[0-9;:]*[ !]?|\][^\x07\x1b]*\x1b?|[()*+])?\Z")

# OSC number that sets -> the one that takes it back (all of it: a palette entry may have been set by number).
_OSC_UNDO: Final[dict[int, bytes]] = {
    4: b"\x1b]104\x1b\\",
    10: b"\x1b]110\x1b\\",
    11: b"\x1b]111\x1b\\",
    12: b"\x1b]112\x1b\\",
    17: b"\x1b]117\x1b\\",
    19: b"\x1b]119\x1b\\",
    22: b"\x1b]22;\x1b\\",
}
_PROGRESS: Final = b";4;"

# What the cursor looks like. Not every terminal goes back to its default by `0 q` (xterm blinks then), so it is asked.
ASK_CURSOR_STYLE: Final = b"\x1bP$q q\x1b\\"
_CURSOR_STYLE: Final = re.compile(rb"\x1bP1\$r([0-9]{1,2}) q\x1b\\")


class ModeTracker:
    """Follows the bytes written to a terminal; `undo` gives those that take the changes back."""

    def __init__(self, colours_before: Mapping[int, bytes] | None = None) -> None:
        """`colours_before`: what the terminal's colours were, by OSC number, as far as it told."""
        self._unfinished = b""
        self._style_before = b"0"
        self._colours_before = {} if colours_before is None else colours_before
        self._clear()

    def heard(self, data: bytes) -> None:
        """The terminal answered; what it says to ASK_CURSOR_STYLE may be in `data`."""
        if (answer := _CURSOR_STYLE.search(data)) is not None:
            # A blinking block is what xterm's default is, and what kitty calls its own, whatever that looks like.
            self._style_before = b"0" if answer[1] == b"1" else answer[1]

    def _clear(self) -> None:
        self._private: dict[int, bool] = {}  # only those that differ from an untouched terminal
        self._ansi: set[int] = set()
        self._alternate = False
        self._entered: set[int] = set()  # the modes that entered the alternate screen and were not reset
        self._kitty_depth = [0, 0]  # pushes on the primary and the alternate screen
        self._kitty_set = [False, False]  # flags set below all pushes
        self._modified_keys: set[bytes] = set()
        self._osc: set[int] = set()
        self._titles_pushed = 0
        self._link = self._margins = self._cursor_style = self._charset = self._keypad = self._progress = False

    @property
    def alternate_screen(self) -> bool:
        return self._alternate

    def feed(self, data: bytes) -> None:
        """`data` goes to the terminal. Sequences may be split anywhere."""
        data = self._unfinished + data
        for match in _SEQUENCE.finditer(data):
            self._follow(match)
        tail = _UNFINISHED.search(data, max(0, len(data) - UNFINISHED_MAX_BYTES))
        self._unfinished = tail.group() if tail else b""

    def undo(self) -> bytes:
        """The bytes that take everything back, leaving the cursor anywhere; the tracker starts afresh.

        Begins with ST, which ends an unfinished sequence of any kind and does nothing otherwise.
        """
        parts = [b"\x1b\\"]
        self.feed(parts[0])  # the string that it ends may set something
        if self._private.pop(2026, False):
            parts.append(b"\x1b[?2026l")  # first: until then the terminal may hold back the rest
        if self._alternate:
            parts.append(self._kitty_undo(1))
        parts += [b"\x1b[?%dl" % mode for mode in sorted(self._entered)]
        parts.append(self._kitty_undo(0))
        parts += [b"\x1b[>%sm" % keys for keys in sorted(self._modified_keys)]
        parts += [b"\x1b[?%d%s" % (mode, b"l" if on else b"h") for mode, on in sorted(self._private.items())]
        parts += [b"\x1b[%dl" % mode for mode in sorted(self._ansi)]
        parts += [self._osc_undo(number) for number in sorted(self._osc)]
        parts += [
            sequence
            for wanted, sequence in (
                (self._margins, b"\x1b[r"),
                (self._cursor_style, b"\x1b[%s q" % self._style_before),
                (self._charset, b"\x1b(B\x1b)B\x0f"),
                (self._keypad, b"\x1b>"),
                (self._link, b"\x1b]8;;\x1b\\"),
                (self._progress, b"\x1b]9;4;0\x1b\\"),
            )
            if wanted
        ]
        parts += [b"\x1b[23;0t"] * self._titles_pushed
        parts.append(b"\x1b[m")
        self._unfinished = b""
        self._clear()
        return b"".join(parts)

    def _osc_undo(self, number: int) -> bytes:
        before = self._colours_before.get(number)
        return _OSC_UNDO[number] if before is None else b"\x1b]%d;%s\x1b\\" % (number, before)

    def _kitty_undo(self, screen: int) -> bytes:
        pops = b"\x1b[<%du" % self._kitty_depth[screen] if self._kitty_depth[screen] else b""
        return pops + (b"\x1b[=0;1u" if self._kitty_set[screen] else b"")

    def _follow(self, match: re.Match[bytes]) -> None:
        found = match.groupdict()
        if found["final"]:
            self._control(found["prefix"] + found["between"] + found["final"], found["params"])
        elif found["keys"]:
            self._modified_keys.add(found["keys"])
        elif found["osc"]:
            self._system(int(found["osc"]), found["text"] or b"")
        elif found["set"]:
            self._charset = self._charset or found["charset"] != b"B"
        elif found["shift"]:
            self._charset = self._charset or found["shift"] == b"\x0e"
        elif found["escape"] == b"c":
            colours, titles = self._osc, self._titles_pushed
            self._clear()
            self._osc, self._titles_pushed = colours, titles  # a hard reset (RIS) leaves these
        elif found["escape"] in (b"=", b">"):
            self._keypad = found["escape"] == b"="
        else:
            self._charset = True  # locking shifts other than SO

    def _control(self, kind: bytes, params: bytes) -> None:
        numbers = [int(part) for part in params.replace(b":", b";").split(b";") if part]
        screen = 1 if self.alternate_screen else 0
        match kind:
            case b"?h" | b"?l":
                for mode in numbers:
                    self._private_mode(mode, on=kind == b"?h")
            case b"h":
                self._ansi.update(numbers)
            case b"l":
                self._ansi.difference_update(numbers)
            case b"r":
                self._margins = bool(numbers)
            case b" q":
                # Leaving the alternate screen may bring back the shape that the primary one had.
                self._cursor_style = numbers not in ([], [0]) or (self._alternate and self._cursor_style)
            case b">u":
                self._kitty_depth[screen] += 1
            case b"<u":
                self._kitty_depth[screen] = max(0, self._kitty_depth[screen] - (numbers or [1])[0])
            case b"=u" if not self._kitty_depth[screen]:
                self._kitty_set[screen] = True
            case b"t" if numbers[:1] == [22]:
                self._titles_pushed += 1
            case b"t" if numbers[:1] == [23]:
                self._titles_pushed = max(0, self._titles_pushed - 1)
            case _:
                return

    def _private_mode(self, mode: int, *, on: bool) -> None:
        if mode in _ALTERNATE:
            self._alternate = on
            (self._entered.add if on else self._entered.discard)(mode)
        elif mode in _PRIVATE_LEFT:
            return
        elif on == (mode in _PRIVATE_ON):
            self._private.pop(mode, None)
        else:
            self._private[mode] = on

    def _system(self, number: int, text: bytes) -> None:
        if number == 8:
            if text.count(b";") > 1:  # one without parameters and address says nothing to a terminal
                self._link = not text.endswith(b";")
        elif number == 9 and text.startswith(_PROGRESS):
            self._progress = not text.startswith(_PROGRESS + b"0")
        elif number in _OSC_UNDO and text != b";?":
            self._osc.add(number)
