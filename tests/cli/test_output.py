"""Standard output that cannot be written: one line, or nothing at all where the reader has enough."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from attn.cli.output import ReaderGone, Stderr, Stdout
from attn.errors import AttnError

ATTN = f"'{sys.executable}' -I -m attn"


def shell(command: str) -> tuple[int, str]:
    """Exit status and stderr of a command line in which `attn` is ours."""
    line = f'attn() {{ {ATTN} "$@"; }}; {command}'
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def test_a_full_disk_is_an_error_once() -> None:
    with Path("/dev/full").open("wb") as full:
        output = Stdout(full.fileno())
        with pytest.raises(AttnError, match="No space left on device") as raised:
            output.write(b"lost")
        assert (raised.value.code, raised.value.exit_status) == ("output_failed", 1)
        assert output.write(b"what Python has left") == 20


def test_a_reader_that_has_enough_is_told_apart() -> None:
    readable, writable = os.pipe()
    os.close(readable)
    output = Stdout(writable)
    with pytest.raises(ReaderGone):
        output.write(b"lost")
    assert output.write(b"more") == 4
    os.close(writable)


def test_an_error_output_that_fails_is_let_be() -> None:
    with Path("/dev/full").open("wb") as full:
        assert Stderr(full.fileno()).write(b"lost") == 4


def test_a_pipe_that_does_not_block_is_waited_for() -> None:
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    received = bytearray()

    def read() -> None:
        while chunk := os.read(readable, 4096):
            received.extend(chunk)

    reader = threading.Thread(target=read)
    data, output = memoryview(bytes(1 << 20)), Stdout(writable)
    reader.start()
    while data:
        data = data[output.write(data) :]
    os.close(writable)
    reader.join(20)
    os.close(readable)
    assert len(received) == 1 << 20


@pytest.mark.parametrize(
    ("redirection", "reason"), [("> /dev/full", "No space left on device"), (">&-", "Bad file descriptor")]
)
@pytest.mark.parametrize("args", ["--help", "--version", "new --help"])
def test_every_command_says_in_one_line_that_its_output_is_lost(args: str, redirection: str, reason: str) -> None:
    status, said = shell(f"attn {args} {redirection}")
    assert status == 1
    assert said.splitlines()[0] == f"output_failed: standard output cannot be written: {reason}"
    assert len(said.splitlines()) == 2


@pytest.mark.parametrize("redirection", ["2> /dev/full", "2>&-", "0<&- >&- 2>&-"])
def test_an_error_that_cannot_be_told_keeps_its_status(redirection: str) -> None:
    assert shell(f"attn nonsense {redirection}") == (64, "")


def test_a_reader_that_reads_nothing_is_no_failure() -> None:
    # The second half of the pipe ends before the first one writes.
    assert shell("{ read -r; attn --help; echo $? >&2; } < <(echo) | exec true") == (0, "0\n")
