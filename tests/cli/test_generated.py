"""docs/cli.md is what the commands say today."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from attn import errors
from attn.cli.app import COMMANDS

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gen_cli_docs", ROOT / "tools/gen_cli_docs.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_reference_is_current(generator: ModuleType) -> None:
    assert generator.MARKDOWN.read_text() == generator.render(), "run tools/gen_cli_docs.py"


def test_every_command_and_every_exit_status_is_there(generator: ModuleType) -> None:
    text = generator.render()
    assert [name for name in COMMANDS if f"### attn {name}\n" not in text] == []
    assert set(errors.EXIT_BY_CODE.values()) <= {status for status, _ in generator.STATUSES}
    assert [code for code in errors.EXIT_BY_CODE if f"`{code}`" not in text] == []
