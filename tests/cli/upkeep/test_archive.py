"""What is sent away holds no secret, wherever it stood, and no more than it may."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from attn.bundle.bundle import Bundle
from attn.bundle.records import Meta, Spec
from attn.cli.upkeep import archive
from attn.cli.upkeep.archive import REDACTED, Redaction
from attn.doctor.scene import Scene
from attn.errors import AttnError
from attn.paths import Home

TOKEN = "tok-" + "a" * 39
ARGUMENT = "--password=hunter2"


def gathered(home: Home) -> dict[str, bytes]:
    return archive.gather(Scene(home, {}, 5), {"level": "ok"}, None, [])


def test_no_secret_stands_anywhere(home: Home) -> None:
    home.token.write_text(TOKEN + "\n")
    for folder in (home.run, home.logs):
        folder.mkdir()
    bundle = Bundle(home.bundle("abcde00001"))
    spec = Spec("abcde00001", "d", ["/bin/prog", ARGUMENT, "true"], "/", ["SECRET_NAME"], "program", "l", 4, 9, 5)
    control = bundle.create(spec, Meta("l", 0))
    (bundle.path / "screen").write_text("what was on the screen")
    home.daemon_log.write_text(f"started {ARGUMENT} with {TOKEN} and {control} #login=abcdef12345\n")
    parts = gathered(home)
    everything = b"\n".join(parts.values())
    for secret in (TOKEN, ARGUMENT, control, "abcdef12345", "SECRET_NAME", "what was on the screen"):
        assert secret.encode() not in everything, secret
    described = json.loads(parts["bundles.json"])
    assert described[0]["spec"]["program"] == "/bin/prog" and described[0]["lock_held"] is False
    assert parts["logs/daemon.log"].count(REDACTED.encode()) == 4
    assert str(bundle.path / "spec.json") in parts["files.txt"].decode()


def test_values_of_the_environment_are_left_out(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTN_SECRET", "the-value-of-it")
    parts = gathered(home)
    assert b"ATTN_SECRET" in parts["versions.json"] and b"the-value-of-it" not in b"".join(parts.values())


def test_damaged_bundles_are_described_as_such(home: Home) -> None:
    (home.run / "abcde00001").mkdir(parents=True)
    assert "missing" in json.loads(gathered(home)["bundles.json"])[0]["problem"]


def test_it_is_bounded(home: Home) -> None:
    home.logs.mkdir()
    for number in range(20):
        (home.logs / f"daemon.log.{number}").write_bytes(b"x y\n" * (archive.LOG_MAX_BYTES // 2))
    parts = gathered(home)
    assert sum(map(len, parts.values())) <= archive.TOTAL_MAX_BYTES
    assert len(parts["logs/daemon.log.0"]) == archive.LOG_MAX_BYTES


def test_short_words_and_longer_secrets() -> None:
    redact = Redaction(["abc", "secret", "secret-longer"])
    assert redact(b"abc secret secret-longer") == f"abc {REDACTED} {REDACTED}".encode()
    assert redact(b"0123456789abcdef0123456789ABCDEF") == REDACTED.encode()
    assert Redaction([])(b"x") == b"x"


def test_an_archive_that_cannot_be_made(home: Home, tmp_path: Path) -> None:
    with pytest.raises(AttnError, match="usage"):
        archive.write(tmp_path / "no" / "x.tar.gz", {})
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(AttnError, match="usage"):
        archive.write(tmp_path / "link", {})
    assert not os.path.exists(tmp_path / "target")
