"""Finding and ending the daemon; starting a real one is in tests/system/test_cli.py."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from attn.cli import starting
from attn.cli.app import run
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
    assert starting.new_lines(log, end) == ["port_taken: no", "remedy"]
    assert starting.new_lines(log, 10**9)[-1] == "remedy"


def test_the_log_is_private(home: Home) -> None:
    assert starting._make_log(home) == 0
    assert home.logs.stat().st_mode & 0o777 == 0o700
    assert home.daemon_log.stat().st_mode & 0o777 == 0o600


def test_a_home_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    home = Home(root=tmp_path / "file", sockets=tmp_path, is_default=False)
    with pytest.raises(AttnError, match="home_unwritable"):
        starting._make_log(home)


@pytest.mark.parametrize(
    "command", ["ls", "status", "logs", "new", "daemon run", "daemon start", "daemon stop", "daemon restart"]
)
def test_every_command_names_a_home_that_is_no_directory(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for home, reason in ((file, "it is not a directory"), (file / "x", "Not a directory")):
        monkeypatch.setenv("ATTN_HOME", str(home))
        assert run(command.split()) == 73
        said = capsys.readouterr().err.splitlines()
        assert said[0] == f"home_unwritable: {home} cannot be used: {reason}"
        assert "set ATTN_HOME" in said[1]


def test_a_directory_of_sockets_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("")
    with pytest.raises(AttnError, match=f"home_unwritable: {tmp_path}/s cannot be used: Not a directory"):
        starting.open_link(Home(root=tmp_path, sockets=tmp_path / "s", is_default=False))


def test_nothing_is_made_in_the_home_of_somebody_else(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = home.root.stat().st_uid
    monkeypatch.setattr(starting.os, "getuid", lambda: owner + 1)
    with pytest.raises(AttnError, match=f"{home.root} cannot be used: it belongs to uid {owner}, not to you") as raised:
        starting.connect(home)
    assert (raised.value.code, raised.value.exit_status) == ("home_unwritable", 73)
    assert list(home.root.iterdir()) == []


def test_a_lock_that_cannot_be_opened_is_told(home: Home) -> None:
    home.lock.mkdir()
    with pytest.raises(AttnError, match=f"home_unwritable: {home.lock} cannot be used: Is a directory"):
        starting.stop_daemon(home)


def test_waiting_ends() -> None:
    assert starting.wait_until(lambda: True, 0)
    assert not starting.wait_until(lambda: False, 0.02)


def test_what_the_daemon_told_is_known_by_its_exit_status() -> None:
    lines = ["2026-01-01 INFO attn d=1", "port_taken: port 9 is taken", "end it", "or not"]
    told = starting.told_error(lines, 69)
    assert told is not None
    assert (told.code, told.message, told.remedy) == ("port_taken", "port 9 is taken", "end it\nor not")
    assert starting.told_error(lines, 73) is None
    assert starting.told_error(["Traceback", "ValueError: port_taken: no"], 1) is None


@pytest.mark.parametrize(
    ("said", "status", "told"),
    [
        ("port_taken", 69, ("port_taken", 69)),
        ("home_unwritable", 73, ("home_unwritable", 73)),
        ("store_locked", 75, ("store_locked", 75)),
        ("ValueError", 1, ("daemon_not_startable", 69)),
    ],
)
def test_a_daemon_that_ends_gives_its_own_reason(
    said: str, status: int, told: tuple[str, int], home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ended:
        pid = 1

        def poll(self) -> int:
            return status

    def launch(home: Home, options: object) -> Ended:
        with home.daemon_log.open("a") as log:
            log.write(f"{said}: it is\nend it\n")
        return Ended()

    home.logs.mkdir()
    home.daemon_log.write_text("port_taken: told at a start of long ago\n")
    monkeypatch.setattr(starting, "_launch", launch)
    with pytest.raises(AttnError) as raised:
        starting.start_daemon(home)
    assert (raised.value.code, raised.value.exit_status) == told
    assert "it is" in raised.value.message and "long ago" not in raised.value.message
    assert raised.value.remedy == ("end it" if told[0] == said else f"read {home.daemon_log}, or run: attn logs")


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
