"""Finding and ending the daemon; starting a real one is in tests/system/test_cli.py."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from attn.cli import starting
from attn.errors import EXIT_BUSY, AttnError
from attn.paths import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(root=tmp_path, sockets=tmp_path, is_default=False)


@pytest.fixture
def held(home: Home) -> Iterator[int]:
    """The lock file, open and locked by this process."""
    descriptor = os.open(home.lock, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    yield descriptor
    os.close(descriptor)


def test_nobody_holds_a_lock_that_is_not_there(home: Home) -> None:
    assert starting.lock_holder(home) is None


def test_an_old_pid_in_a_free_lock_is_nobody(home: Home) -> None:
    home.lock.write_text(f"{os.getpid()}\n")
    assert starting.lock_holder(home) is None
    assert home.lock.read_text() == f"{os.getpid()}\n"


def test_the_holder_is_proved_by_its_open_file(home: Home, held: int) -> None:
    os.write(held, b"%d\n" % os.getpid())
    assert starting.lock_holder(home) == os.getpid()


@pytest.mark.parametrize("text", [b"1\n", b"99999999\n", b"", b"x"])
def test_a_lock_held_by_somebody_else_than_it_says_is_never_signalled(home: Home, held: int, text: bytes) -> None:
    os.write(held, text)
    with pytest.raises(AttnError, match="daemon_unreachable"):
        starting.lock_holder(home)


def test_without_a_daemon_a_command_that_starts_none_says_how(home: Home) -> None:
    with pytest.raises(AttnError) as caught:
        starting.connect(home, start=False)
    assert (caught.value.code, caught.value.remedy) == ("daemon_unreachable", "run: attn daemon start")


def test_a_socket_that_a_dead_daemon_left_is_no_daemon(home: Home) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(home.daemon_socket))
    assert starting.open_link(home) is None


def test_a_daemon_that_does_not_answer_is_not_started_again(home: Home) -> None:
    with socket.socket(socket.AF_UNIX) as stopped:
        stopped.bind(str(home.daemon_socket))
        stopped.listen()
        with pytest.raises(AttnError, match="daemon_unreachable: the daemon does not answer"):
            starting.open_link(home, timeout_s=0.05)


def test_stopping_without_a_daemon_says_so(home: Home) -> None:
    assert starting.stop_daemon(home) is None


def test_the_last_words_are_those_since_the_start(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("old\n" * 5)
    end = log.stat().st_size
    with log.open("a") as file:
        file.write("port_taken: no\nremedy\n")
    assert starting.last_words(log, end) == ["  port_taken: no", "  remedy"]
    assert starting.last_words(log, 10**9)[-1] == "  remedy"


def test_the_log_is_private(home: Home) -> None:
    assert starting._make_log(home) == 0
    assert home.logs.stat().st_mode & 0o777 == 0o700
    assert home.daemon_log.stat().st_mode & 0o777 == 0o600


def test_a_home_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    home = Home(root=tmp_path / "file", sockets=tmp_path, is_default=False)
    with pytest.raises(AttnError, match="home_unwritable"):
        starting._make_log(home)


def test_waiting_ends() -> None:
    assert starting.wait_until(lambda: True, 0)
    assert not starting.wait_until(lambda: False, 0.02)


class Started:
    """A daemon that found the lock taken and ended."""

    pid = 1

    def poll(self) -> int:
        return EXIT_BUSY


def test_a_daemon_is_started_again_when_the_one_before_was_just_ending(
    home: Home, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    link, started = object(), []

    def launch(home: Home, options: object) -> Started:
        started.append(options)
        return Started()

    def ended(_: float) -> None:
        fcntl.flock(held, fcntl.LOCK_UN)

    monkeypatch.setattr(starting, "_launch", launch)
    monkeypatch.setattr(starting, "open_link", lambda home: link if len(started) == 2 else None)
    monkeypatch.setattr(starting.time, "sleep", ended)
    monkeypatch.setattr(starting, "START_TIMEOUT_S", 1.0)
    assert starting.start_daemon(home) is link


def test_a_daemon_of_another_runtime_directory_is_found(home: Home, held: int, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Path] = []

    def nobody(path: Path, timeout_s: float) -> object:
        opened.append(path)
        raise FileNotFoundError

    monkeypatch.setattr(starting.Link, "open", nobody)
    os.write(held, b"%d\n/elsewhere/d1\n" % os.getpid())
    assert starting.open_link(home) is None and starting.lock_holder(home) == os.getpid()
    assert opened == [home.daemon_socket, Path("/elsewhere/d1")]
    fcntl.flock(held, fcntl.LOCK_UN)
    opened.clear()
    assert starting.open_link(home) is None and opened == [home.daemon_socket], "what a dead daemon left is no daemon"
