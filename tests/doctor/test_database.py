"""The database in every state, without touching it."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace

import pytest

from attn.doctor import database
from attn.doctor.scene import Scene
from attn.paths import Home
from attn.store import open_store
from attn.store.file.sentinel import Sentinel
from attn.store.repair import intent
from attn.store.repair.intent import Intent
from tests.doctor.conftest import NOW_MS, ROW, answered, look
from tests.store.losses import EDITS, LOSSES


def change(home: Home, *statements: str) -> None:
    connection = sqlite3.connect(home.database, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


def damaged(home: Home) -> None:
    data = home.database.read_bytes()
    home.database.write_bytes(data[:4096] + b"\x77" * 4096 + data[8192:])


def newer(home: Home) -> None:
    change(home, "UPDATE file_facts SET value = '99' WHERE key = 'min_reader'")


def conflicting(home: Home) -> None:
    change(home, "ALTER TABLE settings ADD COLUMN mine TEXT")


def foreign(home: Home) -> None:
    home.database.unlink()
    change(home, "CREATE TABLE schema_migrations (version INTEGER)")


def stray(home: Home) -> None:
    home.database.with_name("attn.db-wal").write_bytes(b"x" * 100)


STATES: list[tuple[Callable[[Home], object], str, str]] = [
    (damaged, "corrupt", "attn repair salvage --apply"),
    (newer, "schema_newer", "pip install --upgrade attn"),
    (conflicting, "schema_conflict", "attn repair s"),
    (foreign, "foreign_schema", "attn repair reset --apply"),
    (stray, "wal_mismatch", "attn repair salvage --apply"),
    (lambda home: home.database.unlink(), "missing_file", "attn restore"),
    (lambda home: home.database.write_bytes(b""), "empty_file", "attn restore"),
    (lambda home: home.database.write_text("a text " * 50), "not_a_database", "attn restore"),
]


@pytest.mark.parametrize(("damage", "code", "command"), STATES, ids=[code for _, code, _ in STATES])
def test_every_state_has_its_code_and_its_command(
    scene: Scene, damage: Callable[[Home], object], code: str, command: str
) -> None:
    damage(scene.home)
    told = look(scene, database.content)["fail"]
    assert told.startswith(f"{code}: ") and f"| {command}" in told
    assert look(answered(scene, store_state="degraded"), database.content)["fail"] == told


@pytest.mark.parametrize(("damage", "code"), [*LOSSES, *EDITS], ids=lambda value: getattr(value, "__name__", ""))
def test_it_says_what_a_start_says(scene: Scene, damage: Callable[[Home], None], code: str) -> None:
    damage(scene.home)
    check = database.interrupted if code == "repair_incomplete" else database.content
    assert look(scene, check)["fail"].startswith(f"{code}: ")


def test_a_sound_one(scene: Scene) -> None:
    told = look(scene, database.content)["ok"]
    assert "sound: " in told and "schema and its history" in told
    assert "has it open: ok" in look(answered(scene), database.content)["ok"]


def test_one_that_was_not_closed(scene: Scene) -> None:
    store = open_store(scene.home, now_ms=NOW_MS)
    store.sessions.upsert(replace(ROW, id="abcde00002"))
    kept = {path: path.read_bytes() for path in scene.home.root.iterdir() if path.name.startswith("attn.db")}
    store.close()
    for path, data in kept.items():
        path.write_bytes(data)
    assert "sound: " in look(scene, database.content)["ok"]
    assert "not closed in order" in look(scene, database.sentinel)["ok"]


def test_an_older_one_is_brought_up_to_date_by_a_start(scene: Scene) -> None:
    change(scene.home, "DELETE FROM migrations WHERE name = 'prs-host'")
    assert "the next start brings it up to date: prs-host" in look(scene, database.content)["ok"]


def test_a_repair_that_waits(scene: Scene) -> None:
    assert not any(look(scene, database.interrupted).values())
    intent.write(scene.home, Intent("salvage", "x", "", 1))
    assert "attn repair salvage --resume" in look(scene, database.interrupted)["fail"]
    intent.clear(scene.home)
    (scene.home.aside / "x").mkdir(parents=True)
    assert "1 earlier databases" in look(scene, database.interrupted)["ok"]


def test_the_sentinel(scene: Scene) -> None:
    assert "closed in order" in look(scene, database.sentinel)["ok"]
    assert "a daemon uses" in look(answered(scene), database.sentinel)["ok"]
    before = Sentinel.read(scene.home.sentinel)
    assert before is not None
    replace(before, newest_version="99.0.0", newest_python="/new/python").write(scene.home.sentinel)
    assert "binary_mismatch: attn 99.0.0" in look(scene, database.sentinel)["warn"]
    replace(before, clean=False, log_origin=7).write(scene.home.sentinel)
    assert "log_missing: " in look(scene, database.sentinel)["warn"]
    (scene.home.root / "attn.db-wal").touch()
    assert not look(scene, database.sentinel)["warn"]
    scene.home.sentinel.unlink()
    scene.home.sentinel.mkdir()
    assert str(scene.home.sentinel) in look(scene, database.sentinel)["fail"]


def test_backups_that_cannot_be_listed(scene: Scene) -> None:
    shutil.rmtree(scene.home.backups)
    scene.home.backups.symlink_to(scene.home.backups)
    assert look(scene, database.backups)["fail"].startswith("io_error: ")
    scene.home.database.unlink()
    assert "missing_file" in look(scene, database.content)["fail"]


def test_backups(scene: Scene) -> None:
    assert "1 are there; the newest good one is 0 d" in look(scene, database.backups)["ok"]
    later = replace(scene, now_ms=NOW_MS + 8 * 86_400_000 + 7_200_000)
    assert "8 d 2 h 0 min" in look(later, database.backups)["warn"]
    [path] = scene.home.backups.glob("*.db")
    path.write_bytes(b"no")
    told = look(scene, database.backups)["warn"]
    assert "not good: corrupt" in told and "there is no good backup" in told
