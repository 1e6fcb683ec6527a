"""The terminal is raw inside the block and as it was behind it, whatever happens; on a real PTY."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
from collections.abc import Iterator

import pytest

from attn.cli.native.terminal.console import Console
from attn.errors import AttnError


@pytest.fixture
def ends() -> Iterator[tuple[int, int]]:
    """The terminal's side and the program's side."""
    master, slave = pty.openpty()
    yield master, slave
    os.close(slave)
    os.close(master)


def settings(fd: int) -> tuple[list[object], int]:
    return termios.tcgetattr(fd), fcntl.fcntl(fd, fcntl.F_GETFL)


def test_a_pipe_is_no_terminal() -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader), os.fdopen(writer, "w"), pytest.raises(AttnError) as caught:
        Console(reader, writer)
    assert caught.value.code == "not_a_terminal"
    assert "attn screen" in caught.value.remedy


def test_raw_inside_and_as_before_behind(ends: tuple[int, int]) -> None:
    _, slave = ends
    before = settings(slave)
    with Console(slave, slave):
        local_flags = termios.tcgetattr(slave)[3]
        assert not local_flags & (termios.ICANON | termios.ECHO | termios.ISIG)
        assert fcntl.fcntl(slave, fcntl.F_GETFL) & os.O_NONBLOCK
    assert settings(slave) == before


def test_as_before_behind_an_exception_and_the_handlers_too(ends: tuple[int, int]) -> None:
    _, slave = ends
    before = settings(slave)
    handlers = [signal.getsignal(number) for number in (signal.SIGWINCH, signal.SIGTERM, signal.SIGHUP)]
    with pytest.raises(ZeroDivisionError), Console(slave, slave):
        raise ZeroDivisionError
    assert settings(slave) == before
    assert [signal.getsignal(number) for number in (signal.SIGWINCH, signal.SIGTERM, signal.SIGHUP)] == handlers


def test_the_last_bytes_are_written_before_the_settings_come_back(ends: tuple[int, int]) -> None:
    master, slave = ends
    with Console(slave, slave) as console:
        console.write(b"\x1b[?2004l")
    assert os.read(master, 100) == b"\x1b[?2004l"


def test_a_terminal_that_does_not_read_holds_nothing_up(ends: tuple[int, int]) -> None:
    master, slave = ends
    with Console(slave, slave) as console:
        console.write(b"x" * 200_000)
        console.flush()
        waiting = console.pending_bytes
        assert 0 < waiting < 200_000
        assert console.written_bytes == 200_000 - waiting
        while console.pending_bytes:
            os.read(master, 65536)
            console.flush()


def test_keys_arrive_as_they_are(ends: tuple[int, int]) -> None:
    master, slave = ends
    with Console(slave, slave) as console:
        assert console.read() == b""
        os.write(master, b"\x03\x1c\r")
        select.select([console.input_fd], [], [], 5)
        assert console.read() == b"\x03\x1c\r"


def test_signals_and_size(ends: tuple[int, int]) -> None:
    master, slave = ends
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
    with Console(slave, slave) as console:
        assert console.size() == (33, 77)
        assert console.signals() == set()
        os.kill(os.getpid(), signal.SIGWINCH)
        select.select([console.signal_fd], [], [], 5)
        assert console.signals() == {signal.SIGWINCH}


def test_settings_that_a_shell_put_back_are_taken_again(ends: tuple[int, int]) -> None:
    _, slave = ends
    before = settings(slave)
    with Console(slave, slave) as console:
        termios.tcsetattr(slave, termios.TCSANOW, before[0])  # type: ignore[arg-type]
        console.make_raw()
        assert not termios.tcgetattr(slave)[3] & termios.ICANON
    assert settings(slave) == before


def test_it_listens_until_it_heard_enough_or_the_time_is_over(ends: tuple[int, int]) -> None:
    master, slave = ends
    heard: list[bytes] = []

    def enough(data: bytes) -> bool:
        heard.append(data)
        return b"." in data

    with Console(slave, slave) as console:
        os.write(master, b"one.two")
        console.listen(enough, 10.0)
        assert b"".join(heard) == b"one.two"
        heard.clear()
        console.listen(enough, 0.05)
        assert heard == [b""]


def test_a_stop_and_a_new_size_of_a_terminal_that_hung_up_are_no_failures() -> None:
    master, slave = os.openpty()
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 7, 33, 0, 0))
    with Console(slave, slave) as console:
        assert console.size() == (7, 33)
        os.close(master)
        console.make_raw()
        assert console.size() == (7, 33)
        assert console.read() is None
    os.close(slave)


def test_a_terminal_that_hangs_up_is_noticed() -> None:
    master, slave = pty.openpty()
    try:
        with Console(slave, slave) as console:
            os.close(master)
            assert console.read() is None
            console.write(b"lost")
            console.flush()
            assert console.pending_bytes == 0
    finally:
        os.close(slave)
