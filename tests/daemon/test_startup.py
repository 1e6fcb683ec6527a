"""What must be true before the daemon serves."""

from __future__ import annotations

import fcntl
import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from attn.daemon import startup
from attn.errors import AttnError
from attn.lock import HomeLock
from attn.paths import DEFAULT_PORT, Home
from tests.daemon.scripted import bundle


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(root=tmp_path / "h", sockets=tmp_path / "s", is_default=False)
    startup.prepare_home(made)
    return made


def test_the_directories_are_made_private(tmp_path: Path) -> None:
    (tmp_path / "h").mkdir(mode=0o755)
    home = Home(root=tmp_path / "h", sockets=tmp_path / "s", is_default=False)
    startup.prepare_home(home)
    for directory in (home.root, home.run, home.logs, home.sockets):
        assert directory.stat().st_mode & 0o777 == 0o700
        assert not list(directory.glob(".probe*"))


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "h").write_text("")
    with pytest.raises(AttnError, match=str(tmp_path / "h")) as raised:
        startup.prepare_home(Home(root=tmp_path / "h", sockets=tmp_path / "s", is_default=False))
    assert raised.value.code == "home_unwritable" and raised.value.remedy


def test_identity_and_token_are_made_once(home: Home) -> None:
    assert startup.daemon_id(home) == startup.daemon_id(home)
    assert startup.client_token(home) == startup.client_token(home) != startup.daemon_id(home)
    assert home.token.stat().st_mode & 0o777 == 0o600


def test_a_link_or_an_empty_file_is_no_token(home: Home, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("stolen")
    home.token.symlink_to(tmp_path / "elsewhere")
    home.daemon_id.write_text("")
    for read in (startup.client_token, startup.daemon_id):
        with pytest.raises(AttnError, match="home_unwritable"):
            read(home)


def test_the_port_is_chosen_by_the_person_then_by_the_home(home: Home) -> None:
    assert startup.port_wanted(home, 5000) == 5000
    assert startup.port_wanted(home, None) is None
    assert startup.port_wanted(replace(home, is_default=True), None) == DEFAULT_PORT
    home.port.write_text("6000\n")
    assert startup.port_wanted(home, None) == 6000
    home.port.write_text("many\n")
    with pytest.raises(AttnError, match="invalid_config"):
        startup.port_wanted(home, None)


def test_a_free_port_is_kept_and_a_taken_one_is_fatal(home: Home) -> None:
    with startup.bind_port(home, None) as server:
        port = server.getsockname()[1]
        assert home.port.read_text() == f"{port}\n"
        assert f"(pid {os.getpid()})" in (startup.port_owner(port) or "")
        with pytest.raises(AttnError, match=f"port {port} .*pid {os.getpid()}") as raised:
            startup.bind_port(home, port)
    assert raised.value.code == "port_taken"
    assert startup.port_owner(1) is None


def test_a_stale_socket_is_replaced(home: Home) -> None:
    startup.listen_unix(home.daemon_socket).close()
    with startup.listen_unix(home.daemon_socket), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(home.daemon_socket))
        assert home.daemon_socket.stat().st_mode & 0o777 == 0o600


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


async def test_the_login_shell_is_asked(tmp_path: Path) -> None:
    shell = script(tmp_path / "shell", 'echo noise; export FROM_RC=yes; exec /bin/sh -c "$2"')
    found = await startup.login_environment({"SHELL": shell, "PATH": os.environ["PATH"]}, 0o027)
    assert (found.variables["FROM_RC"], found.umask, found.problem) == ("yes", 0o027, "")


async def test_a_shell_that_fails_leaves_a_minimal_environment(tmp_path: Path) -> None:
    for shell in (script(tmp_path / "silent", "exit 3"), "/no/such/shell"):
        found = await startup.login_environment({"SHELL": shell, "SECRET": "x"}, 0o022)
        assert shell in found.problem
        assert "PATH" in found.variables and "SECRET" not in found.variables


async def test_a_shell_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup, "LOGIN_SHELL_LIMIT_S", 0.2)
    found = await startup.login_environment({"SHELL": script(tmp_path / "stuck", "sleep 600 & wait")}, 0o022)
    assert "did not print" in found.problem


def test_a_look_at_the_lock_does_not_keep_a_daemon_from_starting(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients look by taking the lock shared for a moment (`attn.cli.starting.lock_holder`)."""
    looking = os.open(home.lock, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(looking, fcntl.LOCK_SH)
    monkeypatch.setattr("time.sleep", lambda _: fcntl.flock(looking, fcntl.LOCK_UN))
    HomeLock(home.lock, home.daemon_socket).release()
    os.close(looking)


def test_a_port_is_kept_whole_or_not_at_all(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Power may fail at any moment: the name must not stand before its content is on the disk."""
    synced: list[int] = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (synced.append(os.fstat(file).st_ino), fsync(file)))
    startup.bind_port(home, None).close()
    assert home.port.stat().st_ino in synced


def test_a_lost_id_is_taken_from_the_sessions_if_they_agree(home: Home) -> None:
    first = bundle(home.run, "aaaaaaaaaa", daemon_id="0123456789ab")
    assert startup.daemon_id(home) == "0123456789ab"
    home.daemon_id.unlink()
    bundle(home.run, "bbbbbbbbbb", daemon_id="another")
    assert startup.daemon_id(home) not in ("0123456789ab", "another")
    home.daemon_id.unlink()
    (first.path / "spec.json").write_text("{")
    assert startup.daemon_id(home) == "another"
