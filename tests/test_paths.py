"""Paths of a home, and the two refusals: a socket path that is too long, and a person's own home in a test."""

from pathlib import Path

import pytest

from attn.errors import AttnError
from attn.paths import SOCKET_PATH_MAX_BYTES, home_from_env


def test_attn_home_decides_the_root(tmp_path: Path) -> None:
    home = home_from_env({"ATTN_HOME": str(tmp_path), "HOME": "/home/x"})
    assert home.root == tmp_path
    assert not home.is_default
    assert home.database == tmp_path / "attn.db"
    assert home.bundle("abc") == tmp_path / "run" / "abc"


def test_without_attn_home_it_is_dot_attn() -> None:
    home = home_from_env({"HOME": "/home/x"})
    assert home.root == Path("/home/x/.attn")
    assert home.is_default


def test_a_relative_home_is_refused() -> None:
    with pytest.raises(AttnError) as caught:
        home_from_env({"ATTN_HOME": "x", "HOME": "/home/x"})
    assert caught.value.code == "home_invalid"


@pytest.mark.parametrize("env", [{}, {"ATTN_HOME": "/home/x/.attn"}, {"ATTN_HOME": "/home/x/../x/.attn"}])
def test_the_fence_keeps_tests_out_of_a_persons_home(env: dict[str, str]) -> None:
    with pytest.raises(AttnError) as caught:
        home_from_env({"HOME": "/home/x", "ATTN_TEST_FENCE": "1", **env})
    assert caught.value.code == "test_fence"


def test_sockets_stand_in_the_runtime_directory_when_there_is_one(tmp_path: Path) -> None:
    runtime = tmp_path / "r"
    runtime.mkdir()
    home = home_from_env({"ATTN_HOME": str(tmp_path / "h"), "XDG_RUNTIME_DIR": str(runtime)})
    assert home.daemon_socket.parent == runtime / "attn"
    assert home.daemon_socket != home.worker_socket("daemon2")


def test_two_homes_never_share_a_socket_name(tmp_path: Path) -> None:
    env = {"XDG_RUNTIME_DIR": str(tmp_path)}
    a = home_from_env({"ATTN_HOME": "/a", **env})
    b = home_from_env({"ATTN_HOME": "/b", **env})
    assert a.daemon_socket != b.daemon_socket
    assert a.worker_socket("s1") != b.worker_socket("s1")


def test_a_long_home_is_told_about_before_anything_is_bound() -> None:
    home = home_from_env({"ATTN_HOME": "/" + "x" * SOCKET_PATH_MAX_BYTES})
    with pytest.raises(AttnError) as caught:
        _ = home.daemon_socket
    assert caught.value.code == "socket_path_too_long"
    assert "XDG_RUNTIME_DIR" in caught.value.remedy
