"""The exit status of an attach."""

from __future__ import annotations

import pytest

from attn.cli.native.ending import program_end
from attn.wire.client_views import ExitView


@pytest.mark.parametrize(
    ("code", "signal", "status", "words"),
    [(0, None, 0, "exit 0"), (7, None, 7, "exit 7"), (None, 9, 137, "signal 9"), (None, None, 254, "nobody knows")],
)
def test_the_status_is_the_programs_own(code: int | None, signal: int | None, status: int, words: str) -> None:
    end = program_end(ExitView(code=code, signal=signal, at_ms=1))
    assert end.status == status and words in end.words


def test_an_end_that_nobody_saw_is_a_lost_attach() -> None:
    assert program_end(None).status == 254
