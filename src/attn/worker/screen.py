"""One session's screen: the emulator, or where there is none (switched off, or failed) the tail of the raw output."""

from __future__ import annotations

import _thread
from collections.abc import Callable, Generator, Iterator
from typing import Any, Final

from attn.bundle.records import ScreenRecord
from attn.core.vtfilter import QueryFilter, last_lines, plain_text, safe_cut
from attn.terminal import cells
from attn.terminal.emulator import SNAPSHOT_FORMAT, Emulator, EmulatorError
from attn.terminal.keys import encode_paste
from attn.terminal.records import Capture
from attn.terminal.repaint import repaint
from attn.worker.host import SliceFailed
from attn.worker.loop import Loop, note, now_ms, wall_ms
from attn.worker.ring import Ring

# What stands for a screen without an emulator, and what a bundle keeps raw: several full redraws of a TUI.
TAIL_BYTES: Final = 256 << 10
# A bundle keeps this much history: enough to read what happened, and a screen file stays below a megabyte.
KEPT_HISTORY_LINES: Final = 1000
# The screen goes to disk when output has been quiet this long, and in long output this often.
QUIET_MS: Final = 2000
SAVE_MS: Final = 30_000
# Scrollback is compressed after this much quiet; the library gives back nothing worth its 5 ms from less output.
COMPRESS_MS: Final = 10_000
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

    def compress(self) -> bool:
        """Give memory back while nothing happens, a step of it. -> whether there is more to do"""
        return self.emulator is not None and self.emulator.compress()

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


class Keeper:
    """Puts the screen on disk now and then, and gives memory back in quiet times."""

    def __init__(self, screen: Screen, loop: Loop, write: Callable[[ScreenRecord], None] | None) -> None:
        """`write` puts a record on disk and may take its time; None keeps no screens."""
        self._screen = screen
        self._loop = loop
        self._write = write
        self._changed_ms = 0
        self._saved_ms = -SAVE_MS
        self._compressed_at = 0
        self._saving: Generator[None, None, ScreenRecord] | None = None
        # Held while a record is on its way to the disk. Not `threading`: its import costs each fork 400 KB.
        self._disk = _thread.allocate_lock()

    def changed(self) -> None:
        """The screen is another one now."""
        self._changed_ms = now_ms()
        if self._write is not None and not self._loop.waits("save"):
            self._loop.after("save", QUIET_MS, self._save)
        if self._screen.offset - self._compressed_at > COMPRESS_BYTES and not self._loop.waits("compress"):
            self._loop.after("compress", COMPRESS_MS, self._compress)

    def step(self) -> bool:
        """A slice of the work; whether there was any."""
        if self._saving is None:
            return False
        try:
            next(self._saving)
        except StopIteration as made:
            self._saving = None
            # fsync may take seconds on a busy disk, and the terminal must not wait for it.
            self._disk.acquire()
            _thread.start_new_thread(self._put, (made.value,))
        return True

    def finish(self) -> None:
        """Put the last screen on disk, now."""
        self._loop.cancel("save")
        self._loop.cancel("compress")
        if self._write is None:
            return
        self._saving = self._screen.record(wall_ms())
        while self.step():
            continue
        with self._disk:
            self._write = None

    def _save(self) -> None:
        wait_ms = min(self._changed_ms + QUIET_MS, self._saved_ms + SAVE_MS) - now_ms()
        if self._disk.locked():
            wait_ms = max(wait_ms, QUIET_MS)
        if wait_ms > 0:
            self._loop.after("save", wait_ms, self._save)
            return
        self._saved_ms = now_ms()
        self._saving = self._screen.record(wall_ms())

    def _put(self, record: ScreenRecord) -> None:
        try:
            assert self._write is not None
            self._write(record)
        except OSError as error:
            note(f"the screen could not be kept: {error}")
        finally:
            self._disk.release()

    def _compress(self) -> None:
        quiet_ms = now_ms() - self._changed_ms
        if quiet_ms < COMPRESS_MS:
            self._loop.after("compress", COMPRESS_MS - quiet_ms, self._compress)
            return
        self._compressed_at = self._screen.offset
        if self._screen.compress():
            self._loop.after("compress", 0, self._compress)


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
