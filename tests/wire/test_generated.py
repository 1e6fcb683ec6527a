"""The files generated from the wire structs are what the generator gives today."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gen_protocol", ROOT / "tools/gen_protocol.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_typescript_is_current(generator: ModuleType) -> None:
    assert generator.TYPESCRIPT.read_text() == generator.render_typescript(), "run tools/gen_protocol.py"


def test_markdown_is_current(generator: ModuleType) -> None:
    assert generator.MARKDOWN.read_text() == generator.render_markdown(), "run tools/gen_protocol.py"


def test_every_message_is_described(generator: ModuleType) -> None:
    text = generator.render_typescript()
    for name in ("attach_session", "pty_keys", "attach_result", "conditions_changed"):
        assert f'type: "{name}"' in text


def test_what_the_daemon_sends_has_no_optional_field_and_what_a_client_sends_may(generator: ModuleType) -> None:
    client, daemon = generator.render_typescript().split("export type ClientMessage")
    assert "since?: number | null" in client
    assert "?:" not in daemon
