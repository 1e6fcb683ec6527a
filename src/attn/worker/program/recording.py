"""Putting the end of a program on disk, however long the disk takes nothing.

An end is never lost: a worker whose `exit.json` cannot be written says what it knows to whoever asks, and tries again.
It gives up when nobody came for `orphan_ms`, or when there is no place for the file any more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

# A disk that was full is free again when somebody freed it.
RETRY_MS: Final = 2000


class Recording:
    """One end on its way to the disk. Call `due` after the milliseconds that it returns, until it returns None."""

    def __init__(self, write: Callable[[], None], note: Callable[[str], None], orphan_ms: int, now_ms: int) -> None:
        """`write` raises OSError while it cannot be done, FileNotFoundError when it never can; orphan_ms 0: for ever.

        All times on one clock that never jumps.
        """
        self._write = write
        self._note = note
        self._orphan_ms = orphan_ms
        self._alone_since_ms = now_ms
        self._noted = False

    def due(self, now_ms: int, *, visited: bool) -> int | None:
        """Try; `visited` whether a daemon is connected. None: written, or given up."""
        try:
            self._write()
        except FileNotFoundError:
            self._note("the exit is not recorded: the session's directory is gone")
            return None
        except OSError as error:
            if not self._noted:
                self._note(f"the exit could not be recorded yet: {error}")
                self._noted = True
        else:
            return None
        if visited:
            self._alone_since_ms = now_ms
        if self._orphan_ms and now_ms - self._alone_since_ms >= self._orphan_ms:
            self._note("the exit was never recorded: no daemon came for it")
            return None
        return RETRY_MS
