"""`attn doctor` and `attn debug` as a person and a script see them."""

from __future__ import annotations

import json
import re
import tarfile
from pathlib import Path

import pytest

from attn.cli import app
from attn.cli.upkeep import examination
from attn.paths import Home

Capture = pytest.CaptureFixture[str]


def test_all_is_well(home: Home, capsys: Capture) -> None:
    (home.run).mkdir(mode=0o700)
    assert app.run(["doctor"]) in (0, 1)  # the only backup is years old
    out = capsys.readouterr().out
    assert "0 not working" in out and re.search(r"^ok +database +sound: ", out, re.MULTILINE)


def test_what_is_not_well_says_where_and_what_to_do(home: Home, capsys: Capture) -> None:
    home.database.write_text("no database " * 20)
    assert app.run(["doctor"]) == 2
    out = capsys.readouterr().out
    assert re.search(
        rf"^fail  database +not_a_database: .*\n +{home.database}\n +run: attn restore ", out, re.MULTILINE
    )


def test_the_json_has_the_shape_that_is_promised(home: Home, capsys: Capture) -> None:
    assert app.run(["doctor", "--json"]) in (0, 1)
    told = json.loads(capsys.readouterr().out)
    text = (Path(__file__).parents[3] / "docs/doctor.md").read_text()
    promised = re.search(r"prints `\{(.*), findings: \[\{(.*)\}\]\}`", text)
    assert promised is not None
    assert list(told) == [*promised[1].split(", "), "findings"]
    assert all(list(finding) == promised[2].split(", ") for finding in told["findings"])
    assert {finding["level"] for finding in told["findings"]} <= {"ok", "warn"} and told["home"] == str(home.root)


def test_a_home_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ATTN_HOME", str(tmp_path / "file"))
    assert app.run(["doctor"]) == 2
    assert "it is no directory" in capsys.readouterr().out
    monkeypatch.setenv("ATTN_HOME", str(tmp_path / "nowhere"))
    assert app.run(["doctor"]) == 0
    assert not (tmp_path / "nowhere").exists()
    monkeypatch.setenv("ATTN_HOME", "relative")
    assert app.run(["doctor"]) == 73


def test_the_worst_decides() -> None:
    assert examination.worst([]) == "ok"


def test_the_archive_is_private_and_new(home: Home, tmp_path: Path, capsys: Capture) -> None:
    target = tmp_path / "out.tar.gz"
    assert app.run(["debug", "--to", str(target)]) == 0
    assert str(target) in capsys.readouterr().out and target.stat().st_mode & 0o777 == 0o600
    with tarfile.open(target) as archive:
        names = archive.getnames()
        doctor = archive.extractfile("attn-debug/doctor.json")
        assert doctor is not None and json.load(doctor)["home"] == str(home.root)
    assert {"attn-debug/versions.json", "attn-debug/files.txt", "attn-debug/bundles.json"} <= set(names)
    assert app.run(["debug", "--to", str(target)]) == 64
