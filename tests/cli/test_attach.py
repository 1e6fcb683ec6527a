"""What refuses an attach before it begins; tests/system/test_native_attach.py runs it."""

from __future__ import annotations

import pytest

from attn.cli import app, attach
from attn.errors import AttnError
from tests.cli.test_render import SESSION


def test_without_a_terminal_nothing_is_attached(capfd: pytest.CaptureFixture[str]) -> None:
    assert app.run(["attach", "x"]) == attach.EXIT_NOT_ATTACHED
    assert capfd.readouterr().err.startswith("not_a_terminal: ")


def test_without_a_terminal_nothing_is_started_to_be_attached() -> None:
    with pytest.raises(AttnError, match="not_a_terminal"):
        attach.require_terminal()


def test_a_session_is_not_shown_inside_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    attach._refuse_nested(SESSION)
    monkeypatch.setenv("ATTN_SESSION", "another")
    attach._refuse_nested(SESSION)
    monkeypatch.setenv("ATTN_SESSION", SESSION.id)
    with pytest.raises(AttnError, match="nested_attach"):
        attach._refuse_nested(SESSION)
