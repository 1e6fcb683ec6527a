"""What a wish may name: directories to start in, programs to start."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from attn.daemon.lifecycle import programs
from attn.errors import AttnError


def test_directories_are_checked(tmp_path: Path) -> None:
    login = {"HOME": str(tmp_path)}
    assert programs.directory(None, login) == str(tmp_path)
    assert programs.directory(f"{tmp_path}//", login) == str(tmp_path)
    for wanted, code in (("x/y", "directory_missing"), (f"{tmp_path}/no", "directory_missing"),
                         ("/etc/hostname", "not_a_directory"), ("/tmp/\0", "directory_missing")):  # fmt: skip
        with pytest.raises(AttnError, match=code):
            programs.directory(wanted, login)


def test_programs_are_found_as_the_session_would_find_them(tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\n")
    which = programs.finder(str(tmp_path), "/")
    for name, code in (("tool", "agent_missing"), (str(tool), "not_executable"), ("to\0ol", "agent_missing")):
        with pytest.raises(AttnError, match=code):
            programs.program(name, which, "/")
    tool.chmod(0o755)
    assert programs.program("tool", which, "/") == str(tool)
    assert programs.program("./tool", programs.finder("", str(tmp_path)), str(tmp_path)) == str(tool)


def test_a_directory_is_no_program_and_no_remedy_makes_it_one(tmp_path: Path) -> None:
    for name in (str(tmp_path), "./"):
        with pytest.raises(AttnError, match="is a directory") as raised:
            programs.program(name, programs.finder("", str(tmp_path)), str(tmp_path))
        assert raised.value.code == "not_executable"
        assert raised.value.remedy == f"to work there: attn new --cwd {name}"


def test_what_execve_refuses_is_refused_before() -> None:
    programs.check_arguments(["x" * 1000])
    for word in ("a\0b", "x" * (128 << 10)):
        with pytest.raises(AttnError, match="usage"):
            programs.check_arguments(["ok", word])


def test_one_more_session_needs_files_to_be_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    programs.check_descriptors()
    used = len(os.listdir("/dev/fd"))
    monkeypatch.setattr(programs.resource, "getrlimit", lambda _: (used + programs.RESERVED_DESCRIPTORS - 1, 0))
    with pytest.raises(AttnError, match=r"^fd_exhausted: "):
        programs.check_descriptors()
    monkeypatch.setattr(programs.resource, "getrlimit", lambda _: (programs.resource.RLIM_INFINITY, 0))
    programs.check_descriptors()
