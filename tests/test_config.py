"""config.toml: defaults, and errors that say what to change."""

from __future__ import annotations

from pathlib import Path

import pytest

from attn import config
from attn.config import Config, load
from attn.errors import AttnError
from attn.paths import Home

DOCUMENT = Path(__file__).resolve().parent.parent / "docs/config.md"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path, tmp_path, is_default=False)


def refused(home: Home, text: str | bytes, env: dict[str, str] | None = None) -> AttnError:
    home.config.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(AttnError) as raised:
        load(home, env)
    assert raised.value.code == "invalid_config" and raised.value.remedy
    return raised.value


def test_without_a_file_the_defaults_hold(home: Home) -> None:
    assert load(home) == Config()
    assert Config().detach_byte == 0x1C and Config().port is None


def test_every_key_can_be_set(home: Home) -> None:
    home.config.write_text(
        'port = 9000\nscrollback_lines = 5\ndetach_key = "ctrl-a"\npersist_screen = false\nemulator = "off"\n'
        'on_store_failure = "refuse"\nosc52_write = true\norphan_hours = 3\nlog_level = "debug"\n'
    )
    loaded = load(home)
    assert loaded == Config(9000, 5, "ctrl-a", False, "off", "refuse", True, 3, "debug")
    assert loaded.detach_byte == 1
    assert all(getattr(loaded, name) != getattr(Config(), name) for name in config.KEYS)


def test_an_unknown_key_is_named_with_the_one_that_was_meant(home: Home) -> None:
    error = refused(home, "scrolback_lines = 5")
    assert "scrolback_lines" in error.message and str(home.config) in error.message
    assert "scrollback_lines" in error.remedy


@pytest.mark.parametrize(
    "line",
    [
        'port = "9849"', "port = 0", "port = 70000", "port = true", "scrollback_lines = -1", "scrollback_lines = 1.5",
        "persist_screen = 1", 'emulator = "maybe"', "emulator = false", 'on_store_failure = ""', 'detach_key = "q"',
        'detach_key = "ctrl-"', 'log_level = "loud"', "[port]\nx = 1",
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_with_what_is_allowed(home: Home, line: str) -> None:
    key = line.strip("[]").split()[0].strip("]")
    error = refused(home, line)
    assert key in error.message and key in error.remedy


def test_what_is_not_toml_says_where(home: Home) -> None:
    assert "line 2" in refused(home, "port = 9000\nport 9001\n").message
    refused(home, b"\xff\xfe")


def test_a_directory_in_its_place_is_an_error_too(home: Home) -> None:
    home.config.mkdir()
    with pytest.raises(AttnError):
        load(home)


def test_a_home_that_is_no_directory_is_told_as_that(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AttnError, match=f"{tmp_path}/file cannot be used: Not a directory") as raised:
        load(Home(tmp_path / "file", tmp_path, is_default=False))
    assert (raised.value.code, raised.value.exit_status) == ("home_unwritable", 73)
    assert "ATTN_HOME" in raised.value.remedy


def test_the_environment_wins_for_the_port(home: Home) -> None:
    home.config.write_text("port = 9000")
    assert load(home, {"ATTN_PORT": "9001"}).port == 9001
    assert load(home, {"ATTN_PORT": ""}).port == 9000
    assert "ATTN_PORT" in refused(home, "", {"ATTN_PORT": "x"}).message
    assert "ATTN_PORT" in refused(home, "", {"ATTN_PORT": "99999"}).message


def test_the_document_is_current() -> None:
    assert DOCUMENT.read_text() == config.document(), "run tools/gen_reference.py"
    assert all(f"## {name}\n" in config.document() for name in config.KEYS)
