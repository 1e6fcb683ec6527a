"""The table of conditions."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import get_args

import pytest

from attn.core import health
from attn.wire import client_views

VALUES = {
    "db": "/h/attn.db",
    "home": "/h",
    "path": "/h/x",
    "backup": "/h/backups/b.db",
    "pid": "71",
    "session": "abcdefghij",
}
# As docs/recovery.md writes them.
DOCUMENTED = {"db": "DB", "home": "HOME", "path": "PATH", "backup": "BACKUP", "pid": "PID", "session": "SESSION"}
RECOVERY = Path(__file__).parents[2] / "docs" / "recovery.md"


def test_severities_are_those_of_the_wire() -> None:
    assert get_args(health.Severity) == get_args(client_views.Severity)


@pytest.mark.parametrize("code", health.KINDS)
def test_every_condition_has_a_short_title_and_a_way_out(code: str) -> None:
    row = health.kind(code)
    assert row.code == code and 0 < len(row.title) <= health.MAX_TITLE_CHARS
    assert row.severity == "info" or health.commands(code, VALUES)


def test_no_command_deletes_anything() -> None:
    words = {word for code in health.KINDS for text in health.commands(code, VALUES) for word in shlex.split(text)}
    assert not words & {"rm", "dd", "truncate", "shred", "unlink"}


def test_a_command_whose_value_is_not_known_is_left_out() -> None:
    with_backup = health.commands("corrupt", VALUES)
    without = health.commands("corrupt", {**VALUES, "backup": ""})
    assert len(with_backup) == len(without) + 1
    assert any("/h/backups/b.db" in text for text in with_backup)


def test_paths_are_quoted_for_the_shell() -> None:
    [command] = [c for c in health.commands("permission_denied", {"path": "/a b/$(x)"}) if c.startswith("chmod")]
    assert shlex.split(command) == ["chmod", "u+rwX", "/a b/$(x)"]


def test_commands_for_another_home_name_it() -> None:
    """They are copied from a page into a shell that knows nothing of it, where they would meet the default home."""
    values = {**VALUES, "attn_home": "/it's here"}
    for code, row in health.KINDS.items():
        for plain, told in zip(health.commands(code, VALUES), health.commands(code, values), strict=True):
            named = "ATTN_HOME=" + shlex.quote("/it's here") + " "
            assert told.replace(named, "") == plain
            attns = [part for part in told.split(" && ") if re.search(r"(^| )attn ", part.replace(named, ""))]
            assert all(part.startswith(named) for part in attns if not part.startswith(("pip", "pipx"))), row
    assert health.commands("hard_link", values)[0].endswith(
        "&& ATTN_HOME=" + shlex.quote("/it's here") + " attn store retry"
    )


def test_a_code_outside_the_table_is_a_fault() -> None:
    with pytest.raises(KeyError):
        health.kind("no_such_code")


def sections() -> dict[str, str]:
    """The sections of docs/recovery.md by the code in their heading."""
    parts = re.split(r"^## `(\w+)`$", RECOVERY.read_text(), flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_every_condition_has_its_section_and_no_section_is_left_over() -> None:
    assert list(sections()) == list(health.KINDS)


@pytest.mark.parametrize("code", health.KINDS)
def test_the_section_of_a_condition_has_its_commands(code: str) -> None:
    lines = [line.strip() for line in sections()[code].splitlines() if line.startswith("    ")]
    assert lines == health.commands(code, DOCUMENTED)
