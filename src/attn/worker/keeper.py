"""What a worker does for its screen in quiet moments: put it on disk, and give memory back."""

from __future__ import annotations

import _thread
from collections.abc import Callable, Generator
from typing import Final

from attn.bundle.records import ScreenRecord
from attn.worker.loop import Loop, note, now_ms, wall_ms
from attn.worker.screen import COMPRESS_BYTES, Screen

# The screen goes to disk when output has been quiet this long, and in long output this often.
QUIET_MS: Final = 2000
SAVE_MS: Final = 30_000
# Scrollback is compressed after this much quiet.
COMPRESS_MS: Final = 10_000


class Keeper:
    """Puts the screen on disk now and then, and gives memory back in quiet times."""

    def __init__(self, screen: Screen, loop: Loop, write: Callable[[ScreenRecord], None] | None) -> None:
        """`write` puts a record on disk and may take its time; None keeps no screens."""
        self._screen = screen
        self._loop = loop
        self._write = write
        self._changed_ms = 0
        self._saved_ms = -SAVE_MS
        self._saving: Generator[None, None, ScreenRecord] | None = None
        # Held while a record is on its way to the disk. Not `threading`: its import costs each fork 400 KB.
        self._disk = _thread.allocate_lock()

    def changed(self) -> None:
        """The screen is another one now."""
        self._changed_ms = now_ms()
        if self._write is not None and not self._loop.waits("save"):
            self._loop.after("save", QUIET_MS, self._save)
        if not (self._loop.waits("compress") or self._screen.compressed) and self._screen.offset > COMPRESS_BYTES:
            self._loop.after("compress", COMPRESS_MS, self._compress_when_quiet)

    def compress(self) -> None:
        """Compress the scrollback from now on, a step each turn of the loop."""
        if self._screen.compress():
            self._loop.after("compress", 0, self.compress)

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

    def _compress_when_quiet(self) -> None:
        quiet_ms = now_ms() - self._changed_ms
        if quiet_ms < COMPRESS_MS:
            self._loop.after("compress", COMPRESS_MS - quiet_ms, self._compress_when_quiet)
        else:
            self.compress()
