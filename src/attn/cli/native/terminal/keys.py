"""The detach key in what a person types: pressed twice in a row, however the terminal encodes it. Pure."""

from __future__ import annotations

import re
from typing import Final

WINDOW_S: Final = 0.5

_CONTROL: Final = 4
# Keys that may come between the two presses without being typed: releases, and modifiers reported as keys
# (https://sw.kovidgoyal.net/kitty/keyboard-protocol/: event type 3; 57441 to 57454).
_SILENT: Final = re.compile(rb"(?:\x1b\[(?:[0-9:]+;[0-9]*:3|574(?:4[1-9]|5[0-4]);[0-9:]+)[0-9;:]*u)*")

# Answers of a terminal to questions that only the worker may answer; no key sends any of these. The cursor position
# report is not among them: it looks like Shift-F3.
_ANSWER: Final = re.compile(
    rb"\x1b\[[?>=][0-9;]*c|\x1b\[\??[0-9;]*\$y|\x1b\[\?[0-9]+u|\x1b\[0n"
    rb"|\x1b\](?:4;[0-9]+|1[0-9]|52;[a-z]*);[^\x07\x1b]*(?:\x07|\x1b\\)|\x1bP[^\x1b]*\x1b\\"
)


# The beginning of an answer that the next read ends, as on a slow line. No key sends this much of one.
_BEGUN: Final = re.compile(rb"\x1bP[01][^\x1b]{0,64}\x1b?\Z|\x1b\](?:4;|1[0-9];)[^\x07\x1b]{0,64}\x1b?\Z")


class Typed:
    """What a person types, without the terminal's answers to queries. The program's were answered by its worker."""

    def __init__(self) -> None:
        self._begun = b""

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Bytes of the terminal -> (those that were typed, the answers among them)."""
        data = self._begun + data
        begun = _BEGUN.search(data) if b"\x1b" in data else None
        self._begun = begun.group() if begun else b""
        data = data[: len(data) - len(self._begun)]
        if b"\x1b" not in data:
            return data, b""
        return _ANSWER.sub(b"", data), b"".join(_ANSWER.findall(data))


class DetachKey:
    """Holds back the first press for WINDOW_S: sent on at once it would quit the program in front (SIGQUIT)."""

    def __init__(self, byte: int, letter: str) -> None:
        """byte: what the key sends on a plain terminal; letter: the key that is pressed with Ctrl."""
        code = ord(letter.lower())
        self._press = re.compile(
            b"|".join(
                (
                    re.escape(bytes([byte])),
                    rb"\x1b\[%d(?::[0-9:]*)?;(?P<kitty>[0-9]+)(?::1)?(?:;[0-9:]*)?u" % code,
                    rb"\x1b\[27;(?P<xterm>[0-9]+);%d~" % code,
                )
            )
        )
        self._held = b""
        self._until_s = 0.0

    @property
    def until_s(self) -> float | None:
        """When `expired` must be asked; None while nothing is held."""
        return self._until_s if self._held else None

    def feed(self, data: bytes, now_s: float) -> tuple[bytes, bool]:
        """Typed bytes -> (bytes for the program, whether the key was pressed twice). `now_s` is monotonic."""
        typed = bytearray()
        position = 0
        for match in self._press.finditer(data):
            if not _with_control(match):
                continue
            between = data[position : match.start()]
            position = match.end()
            if self._held and now_s <= self._until_s and _SILENT.fullmatch(between):
                self._held = b""
                return bytes(typed), True
            typed += self._held + between
            self._held, self._until_s = match.group(), now_s + WINDOW_S
        rest = data[position:]
        if self._held and _SILENT.fullmatch(rest):
            self._held += rest
            return bytes(typed), False
        typed += self._held + rest
        self._held = b""
        return bytes(typed), False

    def expired(self, now_s: float) -> bytes:
        """The held press once its time is over: it was meant for the program."""
        if not self._held or now_s < self._until_s:
            return b""
        held, self._held = self._held, b""
        return held


def _with_control(match: re.Match[bytes]) -> bool:
    """Whether a key has Ctrl and neither Alt nor Shift. Locks (64, 128) do not count; one is added on the wire."""
    modifiers = match["kitty"] or match["xterm"]
    return modifiers is None or (int(modifiers) - 1) & ~(64 | 128) == _CONTROL
