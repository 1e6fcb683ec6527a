"""attn, its Python and its settings."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

import attn
from attn.doctor import installation
from attn.doctor.scene import Scene
from tests.doctor.conftest import answered, look


def test_the_program_and_others_of_its_name(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert attn.__version__ in look(scene, installation.program)["ok"]
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "attn").write_text("")
        (tmp_path / folder / "attn").chmod(0o755)
    scene = replace(scene, env={**scene.env, "PATH": f"{tmp_path}/one:{tmp_path}/two:{tmp_path}/three"})
    assert "2 programs called attn" in look(scene, installation.program)["warn"]
    monkeypatch.setattr(sys, "executable", "/gone/python")
    assert "interpreter_missing" in look(scene, installation.program)["fail"]


def test_a_daemon_of_another_build(scene: Scene) -> None:
    assert not any(look(scene, installation.versions).values())
    assert look(answered(scene, version=attn.__version__), installation.versions)["ok"]
    assert "attn daemon restart" in look(answered(scene, version="9.9.9"), installation.versions)["warn"]


def test_sqlite_and_its_bug(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "without the bug" in look(scene, installation.sqlite)["ok"]
    monkeypatch.setattr(installation, "library_version", lambda: "3.40.1")
    assert "attn has only one" in look(scene, installation.sqlite)["ok"]


def test_settings(scene: Scene) -> None:
    assert "defaults" in look(scene, installation.settings)["ok"]
    scene.home.config.write_text("scrollback_lines = 5\n")
    assert look(scene, installation.settings)["ok"]
    scene.home.config.write_text("nonsense = 5\n")
    assert "invalid_config" in look(scene, installation.settings)["fail"]
