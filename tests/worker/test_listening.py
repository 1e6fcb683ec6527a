"""The name under which a worker is found."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from attn.worker.listening import accept, listen, listen_again


def connect(path: bytes) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.connect(path)
    return client


def test_a_stale_socket_file_is_replaced(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path / "s")
    listen(path).close()
    with listen(path) as listener, connect(path):
        peer = accept(listener)
        assert peer is not None
        peer.close()
        assert accept(listener) is None


def test_the_directory_comes_back_with_the_name(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path / "attn" / "s")
    fresh = listen_again(path)
    assert fresh is not None
    with fresh, connect(path):
        assert (tmp_path / "attn").stat().st_mode & 0o777 == 0o700


def test_without_a_place_for_it_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert listen_again(os.fsencode(tmp_path / "file" / "s")) is None
    assert listen_again(os.fsencode(tmp_path / "a" / "b" / "s")) is None


def test_another_user_is_not_let_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the mode of the socket and of its directory."""
    somebody = os.getuid() + 1
    with listen(os.fsencode(tmp_path / "s")) as listener, connect(os.fsencode(tmp_path / "s")) as client:
        monkeypatch.setattr(os, "getuid", lambda: somebody)
        assert accept(listener) is None
        assert client.recv(1) == b""
