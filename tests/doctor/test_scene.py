"""Findings carry the command that helps, with the paths of this home in it."""

from __future__ import annotations

from attn.doctor.scene import Scene, of_code, of_error, quoted
from attn.errors import AttnError


def test_a_condition_brings_its_command(scene: Scene) -> None:
    found = of_code(scene, "database", "corrupt", "it is", scene.home.database)
    assert (found.level, found.command) == ("fail", "attn repair salvage --apply")
    assert found.what == "corrupt: it is" and found.path == str(scene.home.database)
    assert of_code(scene, "x", "network_fs", "", scene.home.root).level == "warn"


def test_the_newest_backup_is_named(scene: Scene) -> None:
    [path] = scene.home.backups.glob("*.db")
    assert of_code(scene, "x", "missing_file", "", scene.home.database).command == f"attn restore {path} --apply"
    path.unlink()
    path.with_name(f"{path.name}.json").unlink()
    assert of_code(scene, "x", "missing_file", "", scene.home.database).command == "attn repair reset --apply"


def test_an_error_keeps_its_remedy() -> None:
    found = of_error("x", AttnError("invalid_config", "no", "edit it"), "/p")
    assert (found.what, found.command, found.path) == ("invalid_config: no", "edit it", "/p")
    assert quoted("/a b") == "'/a b'"
