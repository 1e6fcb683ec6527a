"""Errors carry what a person needs and map to one exit status."""

import errno
import os

import pytest

from attn import errors


def test_an_error_prints_its_code_and_message() -> None:
    error = errors.AttnError("unknown_agent", "no agent is called 'x'", "attn new --help")
    assert str(error) == "unknown_agent: no agent is called 'x'"
    assert error.remedy == "attn new --help"
    assert error.exit_status == 64


def test_a_code_without_a_row_ends_with_1() -> None:
    assert errors.AttnError("something_else", "m").exit_status == 1


def test_exit_statuses_are_those_of_the_design() -> None:
    assert {errors.EXIT_BY_CODE[code] for code in ("timeout", "not_confirmed")} == {4, 3}
    assert set(errors.EXIT_BY_CODE.values()) <= {1, 3, 4, 64, 69, 73, 74, 75, 76, 77, 78}


@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.ENOSPC, "disk_full"), (errno.EDQUOT, "disk_full"), (errno.EMFILE, "fd_exhausted"), (errno.EIO, "internal")],
)
def test_what_the_system_refuses_has_its_own_code(number: int, code: str) -> None:
    error = errors.refused_by_system("the session cannot be made", OSError(number, os.strerror(number)))
    assert str(error) == f"{code}: the session cannot be made: {os.strerror(number)}"
    assert error.remedy
