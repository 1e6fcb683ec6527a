"""A home without a daemon, whose database holds something."""

from __future__ import annotations

from pathlib import Path

import pytest

from attn.paths import Home, home_from_env
from attn.store import SessionRow, open_store

NOW_MS = 1_700_000_000_000
ROW = SessionRow("abcde00001", "web", "codex", ["codex"], "/home/x", "running", 40, 120, 1000)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """With one session, one setting and one backup that holds both."""
    root = tmp_path / "home"
    root.mkdir(mode=0o700)
    monkeypatch.setenv("ATTN_HOME", str(root))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    found = home_from_env({"ATTN_HOME": str(root), "XDG_RUNTIME_DIR": str(tmp_path)})
    store = open_store(found, now_ms=NOW_MS)
    store.sessions.upsert(ROW)
    store.settings.set("theme", "dark")
    store.back_up("manual", NOW_MS)
    store.close()
    return found


def rows(home: Home) -> list[SessionRow]:
    """The sessions of the home's database, which must open without a word."""
    store = open_store(home, now_ms=NOW_MS)
    try:
        return store.sessions.list()
    finally:
        store.close()
