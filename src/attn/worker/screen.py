"""One session's screen: the emulator, or where there is none (switched off, or failed) the tail of the raw output."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any, Final

from attn.bundle.records import ScreenRecord
from attn.core.vtfilter import QueryFilter, last_lines, plain_text, safe_cut
from attn.terminal import cells
from attn.terminal.emulator import SNAPSHOT_FORMAT, Emulator, EmulatorError
from attn.terminal.keys import encode_paste
from attn.terminal.repaint import repaint
from attn.terminal.snapshot.records import Capture
from attn.worker.host import SliceFailed
from attn.worker.loop import note
from attn.worker.ring import Ring

# What stands for a screen without an emulator, and what a bundle keeps raw: several full redraws of a TUI.
TAIL_BYTES: Final = 256 << 10
# A bundle keeps this much history: enough to read what happened, and a screen file stays below a megabyte.
KEPT_HISTORY_LINES: Final = 1000
# The library gives back nothing worth the work from less output.
COMPRESS_BYTES: Final = 256 << 10
_SLICE_BYTES: Final = 64 << 10
# Text is written out in slices of so many characters, at most 2 ms of work; a row counts for at least this many.
_SLICE_COST: Final = 16 << 10
_PIECE_COST: Final = 64
_PASTE_ON: Final = b"\x1b[?2004h"
_PASTE_OFF: Final = b"\x1b[?2004l"

Json = dict[str, Any]
Bulk = tuple[Json, Iterator[bytes]]

_FORMATS: Final[dict[str, Callable[[Capture, int | None], Iterator[str]]]] = {
    "text": cells.text_pieces,
    "joined": cells.joined_pieces,
    "cells": cells.cells_pieces,
    "html": cells.html_pieces,
}
FORMATS: Final = ("ansi", *_FORMATS)
# How many lines of history a bundle keeps in each form.
_KEPT_FORMS: Final = {
    "ansi": KEPT_HISTORY_LINES, "text": KEPT_HISTORY_LINES, "joined": KEPT_HISTORY_LINES, "cells": 0, "html": 0,
}  # fmt: skip


class NoScreen(Exception):
    """There is no emulator to ask."""


class Screen:
    """What the program's output looks like. Never raises for what the emulator does wrong: then the tail serves."""

    def __init__(self, ring: Ring, rows: int, cols: int, scrollback_lines: int, emulator: Emulator | bool) -> None:
        """`emulator` says whether there is one, or is one that was made in advance and saw no output."""
        self.rows = rows
        self.cols = cols
        self.emulator: Emulator | None = None
        self.failures = 0
        self._ring = ring
        self._resized_at = -1
        self._compressed_at: int | None = None
        self.cuts = 0
        if emulator:
            try:
                if isinstance(emulator, Emulator):
                    emulator.prepare(rows, cols, scrollback_lines)
                    self.emulator = emulator
                else:
                    self.emulator = Emulator(rows, cols, scrollback_lines=scrollback_lines)
            except EmulatorError as error:
                self._fail(error)

    @property
    def fidelity(self) -> str:
        return "tail" if self.emulator is None else "screen"

    @property
    def offset(self) -> int:
        """How many bytes the screen includes."""
        return self._ring.end

    @property
    def title(self) -> str:
        return self.emulator.title if self.emulator else ""

    @property
    def directory(self) -> str:
        return self.emulator.directory if self.emulator else ""

    @property
    def alternate_screen(self) -> bool:
        return self.emulator.alternate_screen if self.emulator else False

    def feed(self, data: bytes) -> tuple[bytes, list[tuple[str, str]]]:
        """Parse output; the answers to its queries and the events in it."""
        if self.emulator is None:
            return b"", []
        self.emulator.feed(data)
        return self.emulator.take_replies(), self.emulator.take_events()

    def resize(self, rows: int, cols: int, width_px: int, height_px: int) -> None:
        """Another grid, in cells and in pixels of the whole grid. Output before it cannot be applied after it."""
        self.rows, self.cols = rows, cols
        self._resized_at = self._ring.end
        self._compressed_at = None  # wrapping the lines anew unpacks them
        if self.emulator is not None:
            try:
                self.emulator.resize(rows, cols, width_px, height_px)
            except EmulatorError as error:
                self._fail(error)

    @property
    def bracketed_paste(self) -> bool:
        """Does the program want pastes in brackets; without an emulator by the last switch in recent output."""
        if self.emulator is not None:
            return self.emulator.bracketed_paste
        recent = self._ring.tail(_SLICE_BYTES)
        return recent.rfind(_PASTE_ON) > recent.rfind(_PASTE_OFF)

    def paste(self, text: str) -> bytes:
        """`text` as the program wants pastes."""
        return encode_paste(text, bracketed=self.bracketed_paste)

    def encode_keys(self, events: list[dict[str, Any]]) -> bytes:
        """Key events as the program's keyboard modes ask for. Raises ValueError for no key event, NoScreen.

        Without an emulator the modes are those that recent output set.
        """
        if self.emulator is not None:
            return self.emulator.encode_keys(events)
        try:
            stand_in = Emulator(self.rows, self.cols, scrollback_lines=0)
        except EmulatorError as error:
            raise NoScreen("keys cannot be encoded without an emulator: send bytes") from error
        try:
            stand_in.feed(self._ring.tail(_SLICE_BYTES))
            return stand_in.encode_keys(events)
        finally:
            stand_in.close()

    def snapshot(self, since: int | None, history: int | None, at_ms: int) -> Bulk:
        """HEAD and payload of a `snapshot`: the missing bytes when `since` is in the ring, else the screen."""
        if since is not None and since > self._resized_at:
            missing = self._ring.since(since)
            if missing is not None:
                return self._head("delta", at_ms, len(missing)), _sliced(missing)
        return self.show("ansi", history, at_ms)

    def show(self, form: str, history: int | None, at_ms: int) -> Bulk:
        """HEAD and payload of a `screen` in one of FORMATS.

        Without an emulator the end of the raw output serves: as it is, or its text. Raises NoScreen for the others.
        """
        capture = self._capture(frame_only=history == 0)
        if capture is not None:
            return self._head("snapshot", at_ms, None), self._guarded(_paint(form, capture, history))
        tail = self._tail()
        if form in ("text", "joined"):
            tail = last_lines(plain_text(tail), self.rows if form == "text" else None, history).encode()
        elif form != "ansi":
            raise NoScreen("this session runs without an emulator: only its raw output is known")
        return self._head("tail", at_ms, len(tail)), _sliced(tail)

    def record(self, at_ms: int) -> Generator[None, None, ScreenRecord]:
        """What the bundle keeps of this moment; made in steps, so that the loop can do other things in between."""
        offset, title, raw = self._ring.end, self.title, self._ring.tail(TAIL_BYTES)
        capture = self._capture(frame_only=False)
        row, col, visible = self.emulator.cursor if self.emulator else (0, 0, True)
        rows, cols, alternate_screen = self.rows, self.cols, self.alternate_screen
        parts = dict.fromkeys(_KEPT_FORMS, b"")
        if capture is not None:
            try:
                for form, history in _KEPT_FORMS.items():
                    for piece in self._guarded(_paint(form, capture, history)):
                        parts[form] += piece
                        yield
            except SliceFailed:
                capture, parts = None, dict.fromkeys(_KEPT_FORMS, b"")
        return ScreenRecord(
            rows=rows, cols=cols, cursor_row=row, cursor_col=col, cursor_visible=visible,
            alternate_screen=alternate_screen, offset=offset, taken_at_ms=at_ms, format=SNAPSHOT_FORMAT,
            title=title, vt=parts["ansi"] if capture else self._tail(), tail=raw, cells_json=parts["cells"].decode(),
            html=parts["html"].decode(), joined=parts["joined"].decode(), **_split(parts["text"].decode(), rows),
        )  # fmt: skip

    @property
    def scrollback_bytes(self) -> int:
        """What the history takes while it is not compressed."""
        return self.emulator.scrollback_bytes if self.emulator else 0

    @property
    def compressed(self) -> bool:
        """Whether nearly all of the history is compressed. Looking at it does not change that."""
        return self._compressed_at is not None and self._ring.end - self._compressed_at <= COMPRESS_BYTES

    def compress(self) -> bool:
        """Give memory back, a step of it. -> whether there is more to do"""
        if self.emulator is not None and self.emulator.compress():
            return True
        self._compressed_at = self._ring.end
        return False

    def cut_scrollback(self, keep_bytes: int) -> None:
        """Drop the oldest lines until about `keep_bytes` are left."""
        if self.emulator is not None and self.emulator.scrollback_bytes > keep_bytes:
            self.cuts += 1
            self.emulator.cut_scrollback(keep_bytes)

    def _capture(self, *, frame_only: bool) -> Capture | None:
        if self.emulator is None:
            return None
        try:
            return self.emulator.capture(frame_only=frame_only)
        except EmulatorError as error:
            # The next byte may already help; the emulator itself goes on.
            self.failures += 1
            note(f"no snapshot at offset {self._ring.end}: {error}")
            return None

    def _tail(self) -> bytes:
        raw = self._ring.tail(TAIL_BYTES)
        if len(raw) < self._ring.end:
            raw = raw[safe_cut(raw) :]
        return QueryFilter().feed(raw)

    def _head(self, payload: str, at_ms: int, total_bytes: int | None) -> Json:
        row, col, visible = self.emulator.cursor if self.emulator else (0, 0, True)
        return {
            "payload": payload, "format": SNAPSHOT_FORMAT, "fidelity": "tail" if payload == "tail" else self.fidelity,
            "rows": self.rows, "cols": self.cols, "cursor": {"row": row, "col": col, "visible": visible},
            "alternate_screen": self.alternate_screen, "offset": self._ring.end, "taken_at_ms": at_ms,
            "total_bytes": total_bytes,
        }  # fmt: skip

    def _guarded(self, slices: Iterator[bytes]) -> Iterator[bytes]:
        try:
            yield from slices
        except Exception as error:  # a fault in painting costs a picture, never the running program
            self._fail(error)
            raise SliceFailed(str(error)) from error

    def _fail(self, error: Exception) -> None:
        self.failures += 1
        self.emulator = None
        note(f"the emulator failed at offset {self._ring.end}, the raw output serves: {error!r}")


def _paint(form: str, capture: Capture, history: int | None) -> Iterator[bytes]:
    if form == "ansi":
        yield from repaint(capture, history)
    else:
        yield from _batched(_FORMATS[form](capture, history))


def _batched(pieces: Iterator[str]) -> Iterator[bytes]:
    """Pieces of text in slices that take no longer than those of a snapshot: an empty piece costs something too."""
    batch: list[str] = []
    cost = 0
    for piece in pieces:
        batch.append(piece)
        cost += len(piece) + _PIECE_COST
        if cost >= _SLICE_COST:
            yield "".join(batch).encode()
            batch, cost = [], 0
    yield "".join(batch).encode()


def _split(text: str, rows: int) -> dict[str, str]:
    """The visible rows of a screen, and what stands above them."""
    lines = text.split("\n")[:-1]  # a cell may hold U+2028, which splitlines() would take for an end
    visible = max(0, len(lines) - rows)
    return {"text": _lines(lines[visible:]), "scrolled": _lines(lines[:visible])}


def _lines(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _sliced(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), _SLICE_BYTES):
        yield data[start : start + _SLICE_BYTES]
