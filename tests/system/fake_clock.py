"""A wall clock that a test can turn: libfaketime under everything that a daemon starts. Monotonic clocks stay true."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from tests.waiting import wait_until

# Each time they look costs a read of the file, and processes ask for the time often.
LOOKS_EVERY_S: Final = 1


class FakeClock:
    """The wall clock of one home."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.turn("+0")
        libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
        assert libraries, "libfaketime is missing; install: sudo apt-get install faketime"
        self.env = {
            "LD_PRELOAD": str(libraries[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": str(LOOKS_EVERY_S),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def turn(self, offset: str) -> None:
        """Every process sees the true time plus `offset` (`+5y`, `-1h`) when this returns."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(offset + "\n")
        fresh.rename(self._file)
        # It counts whole seconds, and looks once more than LOOKS_EVERY_S of them are over.
        seen = time.monotonic() + 3 * LOOKS_EVERY_S
        wait_until(lambda: time.monotonic() > seen, 10 * LOOKS_EVERY_S, "every process to look at its clock again")
