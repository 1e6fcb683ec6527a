"""Takes terminal queries out of a byte stream, and finds where a cut-off stream may begin.

The worker answers queries; a terminal that is fed the same stream must not, or its answer is typed into the program a
second time. Sequences are told apart as the parsers of xterm and xterm.js do it: ESC always begins anew, C1 controls
count in their UTF-8 form, C0 controls inside a CSI take effect and do not end it, a string ends at any ESC.
"""

from __future__ import annotations

import re
from typing import Final

# An unfinished sequence is held back until it is known to be a query or not. A longer one is let go or, where its
# kind is a query or a clipboard write, dropped to its end.
MAX_HELD_BYTES: Final = 64 << 10

_CSI: Final = rb"(?:\x1b\[|\xc2\x9b)"
_OSC: Final = rb"(?:\x1b\]|\xc2\x9d)"
_DCS: Final = rb"(?:\x1bP|\xc2\x90)"
_APC: Final = rb"(?:\x1b_|\xc2\x9f)"
_C0: Final = rb"\x00-\x17\x19\x1c-\x1f\x7f"  # everything below the space but CAN, SUB and ESC, and DEL
_C0S: Final = rb"[" + _C0 + rb"]*+"
_BODY: Final = rb"[\x20-\x3f" + _C0 + rb"]*+"  # parameters, intermediates, and controls that take effect meanwhile
_TEXT: Final = rb"(?:[^\x07\x18\x1a\x1b\xc2]|\xc2(?!\x9c))*+"
_DATA: Final = rb"(?:[^\x18\x1a\x1b\xc2]|\xc2(?!\x9c))*+"  # of DCS and APC, which BEL does not end
# The end of the data counts as an end: an unfinished string was cut off before, so what follows is held and is an ESC.
_OSC_END: Final = rb"(?:\x07|\x1b\\|\xc2\x9c|(?=\x1b(?!\\)|\Z))"
_ST: Final = rb"(?:\x1b\\|\xc2\x9c|(?=\x1b(?!\\)|\Z))"

# Prefix, parameters, intermediates and final byte of every CSI that a terminal answers (ctlseqs of xterm, kitty,
# contour). Sets that share a final byte, like `> n`, `> u` or `SP q`, are not here.
_CSI_QUERY: Final = re.compile(
    rb"""
      [>=]?[0-9;]*c           # DA1, DA2, DA3
    | \??[0-9;]*n             # DSR, CPR, colour scheme
    | \??[0-9;]*\$p           # DECRQM
    | >[0-9;]*q               # XTVERSION
    | \?[0-9;]*[ugmS]         # kitty keyboard flags, XTQFMTKEYS, XTQMODKEYS, XTSMGRAPHICS
    | (1[134569]|18|2[01])(;[0-9;]*)?t  # window and cell sizes, titles
    | [0-9;]*x                # DECREQTPARM
    | [0-9;]*\*y              # DECRQCRA
    | [0-9;]*\$[wu]           # DECRQPSR, DECRQTSR
    | [0-9;]*&u               # DECRQUPSS
    | [0-9;]*\#[R|]           # XTREPORTCOLORS, XTREPORTSGR
    | [0-9;]*'\|              # DECRQLP
    | [0-9;]*"v               # DECRQDE
    """,
    re.VERBOSE,
)
# OSC numbers whose fields may be questions: colours, kitty colours, fonts, notifications, iTerm2's own.
_ASKING_OSC: Final = rb"(?:4|5|1[0-9]|21|50|99|1337|5522)"

# All candidates, so that one pass over the bytes suffices; `_replaced` looks closer. SGR, by far the most common
# sequence, is none.
_CSI_PART: Final = _BODY + rb"[cnpqtuvwxyR|]|" + _C0S + rb"\?" + _BODY + rb"[gmS]"
_OSC_PART: Final = rb"(?:" + _ASKING_OSC + rb"|52);" + _TEXT + _OSC_END
_DCS_PART: Final = rb"[0-9;:<=>?]*[$+][qQ]" + _DATA + _ST  # DECRQSS, XTGETTCAP, XTGETXRES
_APC_PART: Final = rb"G" + _DATA + _ST  # kitty graphics: not rendered, and every command may be answered
_CANDIDATE: Final = re.compile(
    rb"\x1b(?:\[(?:" + _CSI_PART + rb")|\]" + _OSC_PART + rb"|P" + _DCS_PART + rb"|_" + _APC_PART + rb"|Z)"
    rb"|\xc2(?:\x9b(?:" + _CSI_PART + rb")|\x9d" + _OSC_PART + rb"|\x90" + _DCS_PART + rb"|\x9f" + _APC_PART +
    rb"|\x9a)"  # ESC Z and C2 9A: DECID
    rb"|\x05"  # ENQ
)  # fmt: skip

# The end of a chunk that may become one of the above.
_UNFINISHED: Final = re.compile(
    rb"(?:"
    + _CSI + _BODY +
    rb"|" + _OSC + rb"(?:[0-9]{0,4}|(?:" + _ASKING_OSC + rb"|52);" + _TEXT + rb"[\x1b\xc2]?)"
    rb"|" + _DCS + rb"[0-9;:<=>?]*(?:[$+](?:[qQ]" + _DATA + rb"[\x1b\xc2]?)?)?"
    rb"|" + _APC + rb"(?:G" + _DATA + rb"[\x1b\xc2]?)?"
    rb"|\x1b"
    rb")\Z"
)  # fmt: skip
_C1_INTRODUCER: Final = re.compile(rb"\xc2[\x90\x9b\x9d\x9f]")
_UNFINISHED_CHARACTER: Final = re.compile(rb"(?:[\xc2-\xdf]|[\xe0-\xef][\x80-\xbf]?|[\xf0-\xf4][\x80-\xbf]{0,2})\Z")

_STRING_END: Final = re.compile(rb"[\x07\x18\x1a]|\x1b\\?|\xc2\x9c")
_OSC_TERMINATOR: Final = re.compile(rb"(?:\x07|\x1b\\|\xc2\x9c)\Z")
_CONTROLS: Final = re.compile(rb"[" + _C0 + rb"]")

# What is no text, for `plain_text`: strings with their contents, CSI by its final byte, all other escapes.
_STRINGS: Final = re.compile(
    rb"(?:\x1b[\]PX^_]|\xc2[\x98\x9d\x90\x9e\x9f])(?:[^\x07\x18\x1a\x1b\xc2]|\xc2(?!\x9c))*+(?:\x07|\x1b\\|\xc2\x9c)?"
)
_CSI_ANY: Final = re.compile(_CSI + rb"[\x20-\x3f]*([\x40-\x7e]?)")
_ESCAPES: Final = re.compile(rb"\x1b[\x20-\x2f]*[\x30-\x7e]?|\xc2[\x80-\x9f]")
_MOVES: Final = b"ABEFHdf"  # to another row: what follows does not belong to the text before
_NO_TEXT: Final = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f]")


class QueryFilter:
    """One stream, chunk by chunk, without the queries in it.

    clipboard: let OSC 52 writes pass; reads never do. Holds at most MAX_HELD_BYTES.
    """

    def __init__(self, *, clipboard: bool = False) -> None:
        self._clipboard = clipboard
        self._held = b""
        self._dropping = False

    def feed(self, data: bytes) -> bytes:
        """The next bytes of the stream in, what a terminal may be fed now out."""
        if self._held:
            data, self._held = self._held + data, b""
        if self._dropping:
            data = self._skip_string(data)
        if b"\x1b" not in data and b"\xc2" not in data and b"\x05" not in data:
            return self._whole_characters(data)
        cut = _unfinished_from(data)
        if cut < len(data):
            data, self._held = data[:cut], data[cut:]
            if len(self._held) > MAX_HELD_BYTES:
                data += self._give_up()
        return _CANDIDATE.sub(self._replaced, data)

    def flush(self) -> bytes:
        """The stream has ended: what was held back."""
        held, self._held = self._held, b""
        return held

    def _whole_characters(self, data: bytes) -> bytes:
        cut = _whole_until(data)
        self._held = data[cut:]
        return data[:cut]

    def _give_up(self) -> bytes:
        """What is held is over the bound: a string that asks or writes a clipboard is dropped, parameters pass."""
        held, self._held = self._held, b""
        if held.startswith((b"\x1b[", b"\xc2\x9b")):
            return held
        self._dropping = True
        self._held = held[-1:] if held.endswith((b"\x1b", b"\xc2")) else b""
        return b""

    def _skip_string(self, data: bytes) -> bytes:
        end = _STRING_END.search(data)
        if end is None:
            self._held = data[-1:] if data.endswith(b"\xc2") else b""
            return b""
        if end.group() == b"\x1b" and end.end() == len(data):
            self._held = b"\x1b"
            return b""
        self._dropping = False
        return data[end.start() :] if end.group() == b"\x1b" else data[end.end() :]

    def _replaced(self, match: re.Match[bytes]) -> bytes:
        text = match.group()
        kind = text[1:2]
        if kind in (b"[", b"\x9b"):
            is_query = _CSI_QUERY.fullmatch(_CONTROLS.sub(b"", text[2:])) is not None
            return b"".join(_CONTROLS.findall(text[1:])) if is_query else text
        if kind not in (b"]", b"\x9d"):
            return b""
        body = _OSC_TERMINATOR.sub(b"", text[2:])
        if body.startswith(b"52;"):
            return text if self._clipboard and not body.endswith(b";?") else b""
        return _sets_of(body) if _asks(body) else text


def _asks(body: bytes) -> bool:
    number, _, rest = body.partition(b";")
    if number == b"1337":
        return rest.startswith((b"Report", b"Capabilities", b"RequestUpload"))
    if number in (b"21", b"99"):
        return any(part.endswith(b"=?") for part in re.split(rb"[;:]", rest))
    return number == b"5522" or b"?" in rest.split(b";")


def _sets_of(body: bytes) -> bytes:
    """The sequences that set the colours which stand among the questions of one OSC."""
    number, _, rest = body.partition(b";")
    fields = rest.split(b";")
    if number in (b"4", b"5"):
        pairs = zip(fields[::2], fields[1::2], strict=False)
        sets = [b"%b;%b;%b" % (number, index, value) for index, value in pairs if value != b"?"]
    elif len(number) == 2 and number.startswith(b"1"):
        sets = [b"%d;%b" % (int(number) + i, value) for i, value in enumerate(fields) if value != b"?"]
    else:
        sets = []
    return b"".join(b"\x1b]%b\x1b\\" % one for one in sets)


def _unfinished_from(data: bytes) -> int:
    """Where the unfinished sequence or character at the end of `data` begins; len(data) when there is none."""
    last = data.rfind(b"\x1b")
    # A string may end in a lone ESC, so the sequence may begin at the ESC before the last one.
    before = data.rfind(b"\x1b", 0, last) if 0 < last == len(data) - 1 else -1
    for start in (before, last):
        if start >= 0 and _UNFINISHED.match(data, start):
            return start
    for match in _C1_INTRODUCER.finditer(data, max(0, last)):
        if _UNFINISHED.match(data, match.start()):
            return match.start()
    return _whole_until(data)


def _whole_until(data: bytes) -> int:
    character = _UNFINISHED_CHARACTER.search(data, max(0, len(data) - 3))
    return len(data) if character is None else character.start()


def safe_cut(tail: bytes) -> int:
    """The index from which the end of a stream can be replayed without beginning inside a sequence or a character.

    A stream cut anywhere may begin inside a control string. An ST as its first escape proves it; otherwise the first
    line end, BEL, CAN or SUB is behind whatever was cut, and an ESC begins anew.
    """
    escape = tail.find(b"\x1b")
    if escape >= 0 and tail[escape + 1 : escape + 2] == b"\\":
        return escape + 2
    match = re.search(rb"[\n\x07\x18\x1a\x1b]", tail)
    if match is not None:
        return match.start() if match.group() == b"\x1b" else match.end()
    start = 0
    while start < min(3, len(tail)) and 0x80 <= tail[start] < 0xC0:
        start += 1
    return start


def plain_text(stream: bytes) -> str:
    """What a raw stream says, for sessions without an emulator: its lines without sequences, each ended by LF.

    No screen: texts that a full-screen program places become lines of their own, in the order in which they came.
    A line that was begun anew by CR shows its last beginning, as a progress display does.
    """
    stream = _STRINGS.sub(b"", stream)
    stream = _CSI_ANY.sub(lambda match: b"\n" if match[1] and match[1] in _MOVES else b"", stream)
    text = _ESCAPES.sub(b"", stream).decode("utf-8", "replace")
    lines = [_NO_TEXT.sub("", _last_of(line)).rstrip() for line in text.split("\n")]
    return "\n".join(lines).rstrip("\n") + "\n" if any(lines) else ""


def _last_of(line: str) -> str:
    """What stands in a line once its CRs and backspaces were obeyed, as far as that needs no screen."""
    last = next((part for part in reversed(line.split("\r")) if part), "")
    if "\b" not in last:
        return last
    shown: list[str] = []
    for char in last:
        if char != "\b":
            shown.append(char)
        elif shown:
            shown.pop()
    return "".join(shown)


def last_lines(text: str, rows: int | None, history: int | None) -> str:
    """The last `rows` lines of `text` and `history` lines above them; all of it where one of the two is None."""
    if rows is None or history is None:
        return text
    lines = text.split("\n")[:-1][-(rows + history) :]
    return "".join(f"{line}\n" for line in lines)
