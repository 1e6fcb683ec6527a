"""Standard output that fails in one line, or quietly when its reader has enough."""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from typing import Any, Final, TextIO

from attn.errors import AttnError

# What stands in for a standard descriptor that the caller closed. Writing to a read-only one fails as to a closed one,
# and no socket of ours can get its number and be written over.
_INSTEAD_OF_CLOSED: Final = (os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)


class ReaderGone(Exception):
    """The reader of standard output (`head`, `less`) has enough, which is no failure."""


class _Stream(io.FileIO):
    """A standard descriptor, written to the end also where somebody who shares the pipe made it non-blocking."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._lost = False

    def write(self, data: Any, /) -> int:
        """How many bytes were taken, at least one; all of them, unwritten, after the first failure.

        Python writes its buffer once more when it ends, and would complain once more.
        """
        if self._lost:
            return memoryview(data).nbytes
        written: int | None  # None when it would block, which typeshed does not say
        try:
            while (written := super().write(data)) is None:
                select.select([], [self], [])
        except OSError as error:
            self._lost = True
            self._failed(error)
            return memoryview(data).nbytes
        return written

    def _failed(self, error: OSError) -> None:
        """What the first failure means; nothing here."""


class Stdout(_Stream):
    """Standard output, whose failures are known from those of all other files.

    Raises ReaderGone for a pipe without a reader, AttnError `output_failed` for everything else.
    """

    def _failed(self, error: OSError) -> None:
        if error.errno == errno.EPIPE:
            raise ReaderGone from error
        message = f"standard output cannot be written: {error.strerror}"
        raise AttnError("output_failed", message, "give it a place that takes what is written") from error


class Stderr(_Stream):
    """Standard error: where nobody can be told that it fails, the exit status still says what else did."""


def guard() -> None:
    """Put these under sys.stdout and sys.stderr, and something under every standard descriptor that is closed."""
    for descriptor, flags in enumerate(_INSTEAD_OF_CLOSED):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, flags)  # gets the lowest free number, which is this one
    output = Stdout(1)
    sys.stdout = _text(output, sys.stdout, line_buffering=output.isatty())
    sys.stderr = _text(Stderr(2), sys.stderr, line_buffering=True)


def _text(raw: _Stream, before: TextIO | None, *, line_buffering: bool) -> TextIO:
    """A text stream that writes as the one `before` it; that is None where the caller closed the descriptor."""
    encoding, errors = (before.encoding, before.errors) if before is not None else (None, None)
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, errors, line_buffering=line_buffering)
