"""Recent directories and settings."""

from __future__ import annotations

import pytest

from attn.store import preferences, schema
from attn.store.database import Database
from attn.store.migrations import MIGRATIONS
from attn.store.planner import Plan
from attn.store.preferences import Places, Settings


@pytest.fixture
def database() -> Database:
    database = Database.in_memory()
    schema.apply(database, Plan(run=MIGRATIONS), 0)
    return database


def test_directories_come_back_newest_first(database: Database) -> None:
    places = Places(database)
    for at, path in enumerate(["/a", "/b", "/c", "/a"]):
        places.remember(path, at)
    places.remember("/b", 0)
    assert places.recent() == ["/a", "/c", "/b"]
    assert places.recent(1) == ["/a"]


def test_directories_are_bounded(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preferences, "MAX_PLACES", 3)
    places = Places(database)
    for at in range(10):
        places.remember(f"/{at}", at)
    assert places.recent(100) == ["/9", "/8", "/7"]


def test_settings_are_texts_by_key(database: Database) -> None:
    settings = Settings(database)
    assert settings.get("theme") is None
    settings.set("theme", "dark")
    settings.set("theme", "light")
    assert settings.get("theme") == "light"
