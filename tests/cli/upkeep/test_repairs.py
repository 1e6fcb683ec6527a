"""A repair says what it would do, does it when told to, and says what became of the rows."""

from __future__ import annotations

import hashlib
import shlex
import shutil
import sqlite3

import pytest

from attn.cli import app
from attn.paths import Home
from attn.store.repair import intent
from attn.store.repair.intent import Intent
from tests.cli.upkeep.conftest import ROW, rows

Capture = pytest.CaptureFixture[str]


def tree(home: Home) -> dict[str, str]:
    files = [path for path in home.root.rglob("*") if path.is_file() and path != home.lock]
    return {str(path.relative_to(home.root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def overwrite(home: Home) -> None:
    data = home.database.read_bytes()
    home.database.write_bytes(data[:4096] + b"\x77" * 4096 + data[8192:])


def conflicting(home: Home) -> None:
    database = sqlite3.connect(home.database)
    database.execute("ALTER TABLE settings ADD COLUMN mine TEXT DEFAULT 'x'")
    database.close()


def doubled(home: Home) -> None:
    database = sqlite3.connect(home.database)
    database.execute("DROP INDEX prs_host_repo_number")
    for name in ("one", "two"):
        database.execute("INSERT INTO prs VALUES (?, 'o/r', 7, 't', 'u', 'author', 'open', 1, 'github.com')", (name,))
    database.commit()
    database.close()


@pytest.mark.parametrize(
    ("damage", "command", "told"),
    [
        (conflicting, "repair schema", "has the schema that attn needs, and all of its rows"),
        (conflicting, "repair salvage", "is whole again, and no row is lost"),
        (overwrite, "repair salvage", "is whole again, and no row is lost"),
        (doubled, "repair salvage", "is usable again; 1 row is left out, and kept in report.json"),
        (overwrite, "repair reset", "is new"),
        (overwrite, "restore --latest-good", "is what the backup holds"),
    ],
)
def test_plan_then_apply(home: Home, capsys: Capture, damage: object, command: str, told: str) -> None:
    damage(home)  # type: ignore[operator]
    before = tree(home)
    assert app.run(shlex.split(command)) == 0
    plan = capsys.readouterr().out
    assert tree(home) == before and f"to do it: attn {command} --apply" in plan
    assert app.run([*shlex.split(command), "--apply"]) == 0
    out = capsys.readouterr().out
    assert told in out
    [folder] = home.aside.iterdir()
    assert str(folder) in out and hashlib.sha256((folder / "attn.db").read_bytes()).hexdigest() == before["attn.db"]
    assert rows(home) == ([] if "reset" in command else [ROW])


def test_a_sound_database_is_left_alone(home: Home, capsys: Capture) -> None:
    before = tree(home)
    for kind in ("schema", "salvage"):
        assert app.run(["repair", kind, "--apply"]) == 0
        assert "nothing to repair" in capsys.readouterr().out
    assert tree(home) == before


def test_a_backup_can_be_named(home: Home, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    [backup] = home.backups.glob("*.db")
    home.database.unlink()
    monkeypatch.chdir(home.backups)
    shutil.copy(backup, "it's mine.db")
    assert app.run(["restore", "it's mine.db"]) == 0
    told = capsys.readouterr().out
    assert "saved later do not" in told
    command = shlex.split(told.splitlines()[-1].removeprefix("to do it: attn "))
    assert app.run(command) == 0
    assert rows(home) == [ROW]
    home.database.unlink()
    assert app.run(["restore", backup.name, "--apply"]) == 0
    assert rows(home) == [ROW]
    assert app.run(["restore", str(home.root / "no.db"), "--apply"]) == 78
    assert "missing_file" in capsys.readouterr().err


@pytest.mark.parametrize(
    "args",
    [
        ["restore"],
        ["restore", "x", "--latest-good"],
        ["repair", "schema", "--apply", "--abort"],
        ["repair", "nonsense"],
    ],
)
def test_wrong_usage(home: Home, args: list[str]) -> None:
    assert app.run(args) == 64


def test_what_was_interrupted_is_ended_one_way_or_the_other(home: Home, capsys: Capture) -> None:
    before = tree(home)
    begun = Intent("reset", "20231114T221320000-reset", "", 5)
    intent.write(home, begun)
    assert app.run(["repair", "salvage", "--apply"]) == 78
    assert "repair_incomplete" in capsys.readouterr().err
    assert app.run(["repair", "salvage", "--abort"]) == 0
    assert "the reset is undone" in capsys.readouterr().out and tree(home) == before
    intent.write(home, begun)
    assert app.run(["repair", "salvage", "--resume"]) == 0
    assert "is new" in capsys.readouterr().out and not home.intent.exists()
    assert app.run(["repair", "salvage", "--resume"]) == 64


def test_an_intent_that_cannot_be_read_is_no_dead_end(home: Home, capsys: Capture) -> None:
    before = tree(home)
    home.intent.write_text("")
    assert app.run(["repair", "salvage", "--resume"]) == 78
    assert "run: attn repair salvage --abort" in capsys.readouterr().err
    assert app.run(["repair", "salvage", "--abort"]) == 0
    assert tree(home) == before


def test_a_backup_that_is_none_points_to_those_that_are(home: Home, capsys: Capture) -> None:
    assert app.run(["restore", str(home.token.parent), "--apply"]) == 78
    assert "run: attn backups" in capsys.readouterr().err
