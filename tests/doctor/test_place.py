"""The home as a directory."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from attn.doctor import place
from attn.doctor.scene import Scene
from tests.doctor.conftest import look


def test_a_home_that_is_right(scene: Scene) -> None:
    assert "yours alone" in look(scene, place.home)["ok"]
    assert "yours alone" in look(scene, place.secrets)["ok"]


def test_a_home_that_others_may_read(scene: Scene) -> None:
    scene.home.root.chmod(0o755)
    assert f"chmod 700 {scene.home.root}" in look(scene, place.home)["warn"]


def test_a_home_that_is_a_file_or_a_loop(empty: Scene) -> None:
    empty.home.root.write_text("")
    assert "no directory" in look(empty, place.home)["fail"]
    empty.home.root.unlink()
    empty.home.root.symlink_to(empty.home.root)
    assert "cannot be looked at" in look(empty, place.home)["fail"]


def test_little_space_is_told(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.statvfs(scene.home.root)
    monkeypatch.setattr(os, "statvfs", lambda path: os.statvfs_result((*real[:4], 100, *real[5:])))
    assert "df -h" in look(scene, place.home)["warn"]


def test_a_home_of_somebody_else_is_told(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    assert "belongs to uid" in look(scene, place.home)["fail"]
    assert "others may read" in look(scene, place.secrets)["warn"]


def test_files_that_others_may_read(scene: Scene) -> None:
    scene.home.token.chmod(0o644)
    [backup] = scene.home.backups.glob("*.db")
    backup.chmod(0o640)
    told = look(scene, place.secrets)["warn"]
    assert f"chmod go-rwx {scene.home.token}" in told and f"chmod go-rwx {backup}" in told


def test_a_token_that_is_none(scene: Scene, tmp_path: Path) -> None:
    scene.home.token.write_text("")
    scene.home.daemon_id.unlink()
    scene.home.daemon_id.symlink_to(tmp_path)
    told = look(scene, place.secrets)["fail"]
    assert f"rm {scene.home.token}" in told and "no plain file" in told


@pytest.mark.parametrize(("text", "level"), [("KillUserProcesses=yes", "warn"), ("#KillUserProcesses=yes", "ok")])
def test_a_logout_that_ends_everything(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, level: str
) -> None:
    (tmp_path / "logind.conf").write_text(f"[Login]\n{text}\n")
    monkeypatch.setattr(place, "_LOGIND", (tmp_path / "logind.conf", tmp_path / "logind.conf.d"))
    monkeypatch.setattr(place, "_LINGER", tmp_path / "linger")
    assert look(scene, place.service)[level]
    (tmp_path / "linger").mkdir()
    (tmp_path / "linger" / "me").touch()
    assert look(replace(scene, env={**scene.env, "USER": "me"}), place.service)["ok"]


def test_a_service_without_lingering(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "_LOGIND", (tmp_path / "none", tmp_path / "none.d"))
    assert "no service" in look(scene, place.service)["ok"]
    unit = tmp_path / ".config/systemd/user/attn.service"
    unit.parent.mkdir(parents=True)
    unit.touch()
    assert "loginctl enable-linger" in look(scene, place.service)["warn"]
