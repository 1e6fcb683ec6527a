"""The daemon's log: bounded, private, one line for one thing."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from attn import logs


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    logger = logging.getLogger("attn")
    before = (logger.handlers[:], logger.level, logger.propagate)
    yield tmp_path / "daemon.log"
    for handler in [each for each in logger.handlers if each not in before[0]]:
        logger.removeHandler(handler)
        handler.close()
    logger.level, logger.propagate = before[1:]


def test_a_line_says_which_daemon_and_which_session(path: Path) -> None:
    logs.setup(path, daemon_id="d1")
    logs.get("store", "abcde00001").warning("disk %s", "full")
    logging.getLogger("attn.daemon.hub").info("ready")
    first, second = path.read_text().splitlines()
    assert first.endswith("WARNING attn.store d=d1 s=abcde00001 disk full")
    assert second.endswith("INFO attn.daemon.hub d=d1 s=- ready")
    assert first[10] == "T" and first[23] == "Z"


def test_nobody_else_can_read_it(path: Path) -> None:
    logs.setup(path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_nothing_logged_can_act_on_a_terminal_or_look_like_another_line(path: Path) -> None:
    logs.setup(path)
    logging.getLogger("attn.x").error("a\x1b]0;x\x07b\n2026 ERROR forged \u202e\x9b31m")
    [line] = path.read_text().splitlines()
    assert "\\x1b" in line and "\\n2026" in line
    assert not set(line) & set("\x1b\x07\x9b\u202e")


def test_a_traceback_stays_readable(path: Path) -> None:
    logs.setup(path)
    try:
        raise ValueError("deep")
    except ValueError:
        logging.getLogger("attn.x").exception("caught")
    assert "Traceback" in path.read_text() and path.read_text().count("\n") > 3


def test_the_files_and_the_lines_are_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MAX_FILE_BYTES", 20_000)
    logs.setup(path)
    for _ in range(50):
        logging.getLogger("attn.x").info("x" * 100_000)
    files = list(path.parent.iterdir())
    assert 1 < len(files) <= 1 + logs.KEPT_FILES
    assert all(file.stat().st_size <= 20_000 and file.stat().st_mode & 0o77 == 0 for file in files)


def test_the_level_decides_and_a_second_setup_replaces_the_first(path: Path) -> None:
    logs.setup(path, level="error")
    logging.getLogger("attn.x").info("quiet")
    logs.setup(path, level="debug", daemon_id="d2")
    logging.getLogger("attn.x").debug("loud")
    [line] = path.read_text().splitlines()
    assert line.endswith("d=d2 s=- loud")


def test_the_end_of_a_log(path: Path) -> None:
    assert logs.tail(path, 5) == []
    path.write_text("".join(f"{number}\n" for number in range(100_000)))
    assert logs.tail(path, 2) == ["99998", "99999"]
