"""Backups are made without a daemon too, listed, and each is looked at again when it is listed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from attn.cli import app
from attn.paths import Home
from attn.store.repair import proposals

Capture = pytest.CaptureFixture[str]


def listed(capsys: Capture) -> list[dict[str, object]]:
    assert app.run(["backups", "--json"]) == 0
    found: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return found


def test_a_backup_without_a_daemon(home: Home, tmp_path: Path, capsys: Capture) -> None:
    assert app.run(["backup"]) == 0  # nothing changed since the one that is there
    assert "verified" in capsys.readouterr().out and len(listed(capsys)) == 1
    target = tmp_path / "copy.db"
    assert app.run(["backup", "--to", str(target)]) == 0
    assert str(target) in capsys.readouterr().out and target.stat().st_mode & 0o777 == 0o600
    assert json.loads((tmp_path / "copy.db.json").read_text())["path"] == str(target)
    assert proposals.restore(home, target).needed and len(listed(capsys)) == 1
    assert app.run(["backup", "--to", str(target)]) == 64
    assert app.run(["backup", "--to", str(tmp_path / "no" / "copy.db")]) == 64
    (tmp_path / "folder").mkdir()
    assert app.run(["backup", "--to", str(tmp_path / "folder")]) == 0
    assert len(list((tmp_path / "folder").glob("attn-*-manual.db"))) == 1


def test_a_damaged_database_makes_no_backup(home: Home, capsys: Capture) -> None:
    data = home.database.read_bytes()
    home.database.write_bytes(data[:4096] + b"\x77" * 4096 + data[8192:])
    assert app.run(["backup"]) == 78
    assert "corrupt" in capsys.readouterr().err and len(listed(capsys)) == 1
    home.database.unlink()
    assert app.run(["backup"]) == 78
    assert "missing_file" in capsys.readouterr().err and not home.database.exists()


def test_a_backup_that_went_bad_is_shown_as_such(home: Home, capsys: Capture) -> None:
    [path] = home.backups.glob("*.db")
    [entry] = listed(capsys)
    assert (entry["good"], entry["problem"], entry["reason"], entry["path"]) == (True, None, "manual", str(path))
    shape = f"- `attn backups --json`: a list of `{{{', '.join(entry)}}}`"
    assert shape in (Path(__file__).parents[3] / "docs" / "cli.md").read_text()
    path.write_bytes(path.read_bytes()[:-100])
    [entry] = listed(capsys)
    assert entry["good"] is False and "corrupt" in str(entry["problem"])
    assert app.run(["backups"]) == 0
    assert "corrupt" in capsys.readouterr().out


def test_none_is_said(home: Home, capsys: Capture) -> None:
    for path in home.backups.iterdir():
        path.unlink()
    assert app.run(["backups"]) == 69
    assert "no_backup" in capsys.readouterr().err
    assert listed(capsys) == []
