"""Random terminal output from a grammar of escape sequences, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Literal

Level = Literal["common", "everything"]

_TEXTS = ("hello world ", "lorem ipsum dolor ", "x", "    ", "0123456789" * 6, "a\tb\tc", "The quick brown fox jumps. ")
_COMMON_LETTERS = ("中文字符", "日本語テキスト", "héllo", "ñandú", "│─┌┐", "ｆｕｌｌ", "한글", "€", "漢", "Ω≈ç√")
_ALL_LETTERS = (
    *_COMMON_LETTERS,
    *(
        "e\u0301",
        "a\u0308\u0304",
        "👍",
        "👩\u200d💻",
        "👨\u200d👩\u200d👧",
        "🇩🇪",
        "❤️",
        "☺",
        "✓",
        "नमस्ते",
        "ไทย",
        "عربي",
        "👍🏽",
    ),
    *("\u1112\u1161\u11ab", "①", "¡", "\ue0b0", "😀😃"),
)
_ATTRIBUTES = "0 1 2 3 4 5 7 8 9 22 23 24 27 29 39 49 4:3 53 55 59 21".split()  # noqa: SIM905
_BROKEN_BYTES = (b"\xff", b"\xc3", b"\xe4\xb8", b"\xed\xa0\x80", b"\x80\x9b31m", b"\xf0\x9f")
_BROKEN_RATE = 0.003


class Grammar:
    """Writes output for a terminal of `rows` x `cols`. level: what xterm.js does as well, or everything."""

    def __init__(self, seed: int, rows: int, cols: int, level: Level) -> None:
        self._random = random.Random(seed)
        self._rows, self._cols, self._level = rows, cols, level
        actions = [*self._common(), *(self._rare() if level == "everything" else ())]
        self._weights = [weight for weight, _action in actions]
        self._actions = [action for _weight, action in actions]

    def write(self, count: int) -> bytes:
        """`count` actions."""
        pieces = []
        for _ in range(count):
            action = self._random.choices(self._actions, self._weights)[0]
            pieces.append(action().encode("utf-8", "surrogatepass"))
            if self._level == "everything" and self._random.random() < _BROKEN_RATE:
                pieces.append(self._random.choice(_BROKEN_BYTES))
        return b"".join(pieces)

    def _number(self, most: int) -> str:
        between = self._random.randint
        return str(self._random.choice([between(1, most), between(1, most), 1, 0, "", between(1, 200)]))

    def _color(self) -> str:
        base, between = self._random.choice([38, 48]), self._random.randint
        if self._random.random() < 0.5:
            return f"{base};5;{between(0, 255)}"
        return f"{base};2;{between(0, 255)};{between(0, 255)};{between(0, 255)}"

    def _style(self) -> str:
        between, kinds = self._random.randint, self._random.choice
        parts = [
            kinds(
                [kinds(_ATTRIBUTES), str(between(30, 37)), str(between(40, 47)), str(between(90, 107)), self._color()]
            )
            for _ in range(between(1, 4))
        ]
        return f"\x1b[{';'.join(parts)}m"

    def _letters(self) -> str:
        letters = _ALL_LETTERS if self._level == "everything" else _COMMON_LETTERS
        return "".join(self._random.choice(letters) for _ in range(self._random.randint(1, 4)))

    def _pick(self, *choices: str) -> Callable[[], str]:
        return lambda: self._random.choice(choices)

    def _form(self, form: str, *mosts: int) -> Callable[[], str]:
        """`form` with a random number up to each of `mosts` for its {}s."""
        return lambda: form.format(*(self._number(most) for most in mosts))

    def _final(self, form: str, most: int, finals: str) -> Callable[[], str]:
        return lambda: form.format(self._number(most), self._random.choice(finals))

    def _mode(self, numbers: tuple[int, ...], finals: str, mark: str = "?") -> Callable[[], str]:
        return lambda: f"\x1b[{mark}{self._random.choice(numbers)}{self._random.choice(finals)}"

    def _margins(self) -> str:
        if self._random.random() < 0.3:
            return "\x1b[r"
        top = self._random.randint(1, self._rows - 2)
        return f"\x1b[{top};{self._random.randint(self._rows // 2, self._rows)}r"

    def _common(self) -> list[tuple[int, Callable[[], str]]]:
        return [
            (30, self._pick(*_TEXTS)),
            (10, self._letters),
            (12, self._style),
            (10, self._pick("\r\n")),
            (3, self._pick("\r", "\n", "\b", "\t", "\b\b", "\n\n")),
            (10, self._form("\x1b[{};{}H", self._rows, self._cols)),
            (8, self._final("\x1b[{}{}", 10, "ABCDEFG`deaI")),
            (6, self._pick(*(f"\x1b[{part}{kind}" for part in ("", "0", "1", "2") for kind in "JK"))),
            (6, self._final("\x1b[{}{}", 8, "@PXLMST")),
            (3, self._margins),
            (2, self._pick("\x1b7", "\x1b8")),
            (3, self._pick("\x1bD", "\x1bM", "\x1bE")),
            (2, lambda: f"\x1b[{self._random.randint(1, 9)}b"),
            (2, self._mode((1, 5, 6, 7, 25, 45, 66, 1000, 1002, 1003, 1004, 1006, 2004), "hhl")),
            (1, self._mode((4,), "hll", mark="")),
            (1, self._pick("\x1b[20l")),
            (1, self._pick("\x1b(0", "\x1b(B", "\x1b)0", "\x0e", "\x0f", "\x1b(A")),
            (1, self._mode((1049,), "hl")),
            (1, self._pick(*(f"\x1b]{kind};title {number}\x07" for kind in (0, 2) for number in range(20)))),
            (
                2,
                self._pick(
                    *(f"\x1b]8;;http://a.b/{number}\x1b\\" for number in range(3)),
                    "\x1b]8;id=x1;http://c.d/\x1b\\",
                    "\x1b]8;;\x1b\\",
                    "\x1b]8;;\x07",
                ),
            ),
            (1, self._pick("\x1bH", "\x1b[g", "\x1b[3g\x1b[5G\x1bH\x1b[33G\x1bH")),
            (1, self._pick(*(f"\x1b[{number} q" for number in range(7)))),
        ]

    def _rare(self) -> list[tuple[int, Callable[[], str]]]:
        colors = "4;7;rgb:12/34/56 10;#ff0000 11;rgb:00/11/22 12;#00ff00 104 110 111 112".split()  # noqa: SIM905
        others = "7;file:///tmp 22;pointer 133;A 133;B 133;C 133;D;0 52;c;YWJj 9;hello 9;4;1;30 1337;X=1 777;notify;a;b"
        return [
            (1, self._mode((12, 40, 69, 1005, 1007, 1015, 1016, 1035, 1036, 1039, 1045, 2026, 2027, 2031), "hl")),
            (1, self._mode((2048, 47, 1047, 1048, 8, 67), "hl")),
            (1, self._form("\x1b[{};{}s", self._cols // 2, self._cols)),
            (1, self._mode((1, 25, 2004, 7), "sr")),
            (1, self._pick("\x1b[>1u", "\x1b[>5u", "\x1b[<u", "\x1b[=3;1u")),
            (1, self._pick('\x1b[1"q', '\x1b[0"q', "\x1b[?J", "\x1b[?K", "\x1bV", "\x1bW")),
            (1, self._pick(*(f"\x1b]{command}\x1b\\" for command in (*colors, *others.split())))),
            (1, self._pick("\x1bn", "\x1bo", "\x1b*0", "\x1b+0", "\x1bN", "\x1bO", "\x1b~", "\x1b|", "\x1b}")),
            (
                1,
                self._pick("\x1b[>4;2m", "\x1b[>4m", "\x1b#8", "\x1b[!p", "\x1b=", "\x1b>", "\x1b[22;0t", "\x1b[23;0t"),
            ),
            (
                1,
                self._pick(
                    "\x1bP$qm\x1b\\", "\x1bPq#0;2;0;0;0~~\x1b\\", "\x1b_Ga=T,f=24,s=1,v=1;AAAA\x1b\\", "\x1b[6n"
                ),
            ),
            (1, self._pick("\x1b[c", "\x1b[>c", "\x1b[?u", "\x1b['}", "\x1b[2 @")),
            (1, self._pick("\x1bc", "\x18", "\x1a", "\x1b[12;\x1b[m", "\x1b[1;2")),
            (1, self._pick("\x1b[?1049h\x1b[2J\x1b[H")),
        ]
