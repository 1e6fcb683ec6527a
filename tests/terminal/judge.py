"""Judge A: a terminal and its copy made from a capture, compared field by field.

Both are libghostty-vt, so it proves that nothing is lost or invented on the way through VT bytes, not that the
emulator is right. What cannot be said in VT bytes, or is said in two equal ways, is made equal first; each case has its
reason beside it.
"""

from __future__ import annotations

import base64
import json
import random
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from attn.terminal.emulator import Emulator
from attn.terminal.repaint import repaint
from attn.terminal.snapshot.pages import EMPTY, HEAD, PLAIN_STYLE, TAIL
from attn.terminal.snapshot.records import MODES, Capture, Screen, Snapshot

CORPUS = Path(__file__).parents[1] / "corpus"
SCROLLBACK_LINES = 20_000


class Resize(NamedTuple):
    rows: int
    cols: int


Event = bytes | Resize
Cell = tuple[object, ...]


class Recording(NamedTuple):
    """What a program wrote and how its terminal was resized, in order."""

    name: str
    rows: int
    cols: int
    events: list[Event]


def load(path: Path) -> Recording:
    """A recording: a header line, then `[seconds, "o", base64]` or `[seconds, "r", [cols, rows]]` a line."""
    with path.open() as lines:
        header = json.loads(next(lines))
        events: list[Event] = []
        for line in lines:
            _seconds, kind, value = json.loads(line)
            if kind == "o":
                events.append(base64.b64decode(value))
            elif kind == "r":
                events.append(Resize(value[1], value[0]))
    return Recording(path.name.partition(".")[0], header["rows"], header["cols"], events)


def recordings() -> list[Recording]:
    """All of the corpus."""
    return [load(path) for path in sorted(CORPUS.glob("*.rec.jsonl"))]


def split_at(recording: Recording, cut: int) -> tuple[list[Event], list[Event]]:
    """The events before and after `cut` bytes of output; resizes at the cut are before it."""
    before: list[Event] = []
    for index, event in enumerate(recording.events):
        if isinstance(event, bytes):
            if len(event) > cut:
                return [*before, event[:cut]], [event[cut:], *recording.events[index + 1 :]]
            cut -= len(event)
        before.append(event)
    return before, []


_SPLIT_CHARACTER = re.compile(rb"[\xc2-\xf4](?=[\x80-\xbf])")
_FRAME = re.compile(rb"\x1b\[\?2026h(.+?)\x1b\[\?2026l", re.DOTALL)
# So many cuts of each special kind for every random one.
_CUTS_PER_ROUND = 13


def cuts(recording: Recording, count: int) -> list[int]:
    """Random places, the same in every run. Of every kind that the recording has, some are among them: inside a
    sequence, inside a character, right after a resize, inside a synchronized frame."""
    seeded = random.Random(zlib.crc32(recording.name.encode()))
    output = b"".join(event for event in recording.events if isinstance(event, bytes))
    kinds = [choices for choices in _special_places(recording, output) if choices]
    rounds = max(1, count // _CUTS_PER_ROUND)
    special = [seeded.choice(choices) for _ in range(rounds) for choices in kinds]
    anywhere = [seeded.randint(0, len(output)) for _ in range(count)]
    return (special + anywhere)[:count]


def _special_places(recording: Recording, output: bytes) -> Iterator[list[int]]:
    yield [at + 2 for at in range(len(output)) if output[at] == 0x1B]
    yield [match.end() for match in _SPLIT_CHARACTER.finditer(output)]
    resizes, offset = [], 0
    for event in recording.events:
        if isinstance(event, bytes):
            offset += len(event)
        else:
            resizes.append(offset)
    yield resizes
    yield [(match.start(1) + match.end(1)) // 2 for match in _FRAME.finditer(output)]


def play(emulator: Emulator, events: list[Event]) -> None:
    for event in events:
        if isinstance(event, bytes):
            emulator.feed(event)
        else:
            emulator.resize(event.rows, event.cols)


def copy_of(capture: Capture) -> Emulator:
    """A fresh terminal, painted from the capture."""
    header = capture.snapshot.header
    copy = Emulator(header.rows, header.cols, scrollback_lines=SCROLLBACK_LINES)
    for piece in repaint(capture):
        copy.feed(piece)
    return copy


def judge(recording: Recording, cut: int) -> tuple[list[str], list[str]]:
    """Names of the fields that differ right at the cut, and after both terminals got the rest."""
    before, after = split_at(recording, cut)
    original = Emulator(recording.rows, recording.cols, scrollback_lines=SCROLLBACK_LINES)
    play(original, before)
    capture = original.capture()
    copy = copy_of(capture)
    at_cut = differences(capture, copy.capture())
    for emulator in (original, copy):
        play(emulator, after)
    at_end = differences(original.capture(), copy.capture())
    original.close()
    copy.close()
    return at_cut, at_end


# Fields of the header that must be equal as they are.
_HEADER_FIELDS = (
    *("cols", "rows", "margin_top", "margin_bottom", "margin_left", "margin_right", "active_screen"),
    *("modify_other_keys", "mouse_event", "mouse_format", "mouse_shape", "cursor_is_default"),
)
# 3 (132 columns) is a request that the emulator refuses, 1048 is an action and no state, and 2026 is left out of
# snapshots on purpose: a client must not be left holding a frame.
_FREE_MODES = {(3, False), (1048, False), (2026, False)}


def differences(left: Capture, right: Capture) -> list[str]:
    """Names of everything that differs between two captures."""
    a, b = left.snapshot, right.snapshot
    found = [name for name in _HEADER_FIELDS if getattr(a.header, name) != getattr(b.header, name)]
    found += [name for name in ("tab_stops", "palette_overrides", "title", "directory", "continuation")
              if getattr(a, name) != getattr(b, name)]  # fmt: skip
    for name in ("foreground", "background", "cursor_color"):
        if getattr(a.header, name)[4:] != getattr(b.header, name)[4:]:
            found.append(name)
    for bits in ("modes", "saved_modes"):
        changed = getattr(a.header, bits) ^ getattr(b.header, bits)
        found += [f"{bits} {number}" for bit, (number, ansi) in enumerate(MODES)
                  if changed >> bit & 1 and (number, ansi) not in _FREE_MODES]  # fmt: skip
    for key, screen in a.screens.items():
        found += [f"screen {key} {name}" for name in _screen_differences(a, b, screen, b.screens.get(key))]
    return found


def _screen_differences(a: Snapshot, b: Snapshot, left: Screen, right: Screen | None) -> list[str]:
    shown = left is a.active
    if right is None:  # a hidden alternate screen that nobody wrote to need not exist
        return ["missing"] if any(cells for _wraps, cells in _canonical_rows(left)) else []
    found = _row_differences(_canonical_rows(left), _canonical_rows(right))
    fields = ["row", "col", "pen"] if left.header.key == 0 or shown else []  # entering the alternate screen copies them
    found += [name for name in fields if getattr(left.header, name) != getattr(right.header, name)]
    if fields and (left.pending_wrap, left.protected) != (right.pending_wrap, right.protected):
        found.append("pending wrap or protection")
    if shown and _charset(left.header.charset) != _charset(right.header.charset):
        found.append("charset")
    if shown and not a.header.cursor_is_default and left.header.cursor_style != right.header.cursor_style:
        found.append("cursor style")
    if (left.link and left.link.uri) != (right.link and right.link.uri):
        found.append("open link")
    if _kitty(left) != _kitty(right):
        found.append("kitty keyboard")
    if _saved(left) != _saved(right):
        found.append("saved cursor")
    return found


def _row_differences(left: list[tuple[bool, list[Cell]]], right: list[tuple[bool, list[Cell]]]) -> list[str]:
    if len(left) != len(right):
        return [f"row count {len(left)} {len(right)}"]
    found = []
    # The bottom row's flag says that the row below goes on with it. There is none, and no bytes set the flag without
    # scrolling, so it counts only once it has a row below.
    if [wraps for wraps, _cells in left[:-1]] != [wraps for wraps, _cells in right[:-1]]:
        found.append("wrap flags")
    if [cells for _wraps, cells in left] != [cells for _wraps, cells in right]:
        found.append("cells")
    return found


def _canonical_rows(screen: Screen) -> list[tuple[bool, list[Cell]]]:
    """Rows as (wraps, cells): empty cells are spaces, wide blanks ideographic spaces, and blanks at the end are cut."""
    rows = []
    for page, row in screen.rows():
        cells: list[Cell] = []
        line, begin = page.line(row), 0
        for end, look in line.spans:
            link = (look.link.uri, look.link.id) if look.link else None
            for col in range(begin, end):
                char = line.clusters.get(col, line.text[col])
                if char == HEAD:  # its style is never seen
                    cells.append((" ", PLAIN_STYLE, None, False))
                elif char == TAIL and cells[-1][0] == " ":
                    cells[-1] = ("\u3000", *cells[-1][1:])
                    cells.append((TAIL, look.style, link, look.protected))
                else:
                    cells.append((" " if char == EMPTY else char, look.style, link, look.protected))
            begin = end
        while cells and cells[-1] == (" ", PLAIN_STYLE, None, False):
            cells.pop()
        rows.append((row.wraps, cells))
    return rows


def _charset(state: int) -> int:
    """UTF-8 and ASCII designate the same characters."""
    for slot in range(4):
        if state >> 2 * slot & 3 == 1:
            state &= ~(3 << 2 * slot)
    return state


def _kitty(screen: Screen) -> bytes:
    return screen.header.kitty_flags[: screen.header.kitty_index + 1]


def _saved(screen: Screen) -> object:
    saved = screen.saved_cursor
    return saved and saved._replace(charset=_charset(saved.charset))
