"""A database with several pages of rows in each table, and how damage is done to it."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from attn.paths import Home
from attn.store import SessionRow, open_store
from attn.store.database import Database
from attn.store.repair.reading import harvest

NOW_MS = 1_700_000_000_000
SESSIONS, PLACES = 60, 150
Rows = dict[str, dict[tuple[object, ...], dict[str, object]]]


def session(number: int) -> SessionRow:
    return SessionRow(
        f"sess{number:05}",
        f"label {number}",
        "codex",
        ["codex", "x" * 150],
        "/home/x",
        "running",
        40,
        120,
        1000 + number,
    )


def fill(home: Home) -> None:
    """Rows on some dozen pages, one of them longer than a page, everything in the database itself and none in a log."""
    store = open_store(home, now_ms=NOW_MS)
    store.sessions.upsert(*[session(number) for number in range(SESSIONS)])
    for number in range(PLACES):
        store.places.remember(f"/home/x/projects/number-{number:04}/and-a-longer-name", 1000 + number)
    store.settings.set("theme", "dark")
    store.settings.set("notes", "n" * 9000)
    store.database.run([
        f"INSERT INTO prs VALUES ('github.com:o/r#{n}', 'o/r', {n}, 't', 'u', 'author', 'open', {n}, 'github.com')"
        for n in range(90)
    ])  # fmt: skip
    store.close()


def contents(image: bytes) -> Rows:
    """All rows of a sound database, by table and key."""
    database = Database.of_image(image)
    found = harvest(database)
    assert database.damage(thorough=True) == [] and not found.damaged
    database.close()
    tables = {name: table for name, table in found.tables.items() if name not in ("migrations", "file_facts")}
    return {
        name: {tuple(row[key] for key in KEYS[name]): dict(row) for row in table.rows} for name, table in tables.items()
    }


KEYS = {"sessions": ("id",), "prs": ("id",), "settings": ("key",), "recent_locations": ("path",)}


@pytest.fixture
def full(tmp_path: Path) -> Home:
    root = tmp_path / "home"
    root.mkdir(mode=0o700)
    home = Home(root, root / "s", is_default=False)
    fill(home)
    return home


def trash(rng: random.Random, page: bytes) -> bytes:
    return rng.randbytes(len(page))


def zero(rng: random.Random, page: bytes) -> bytes:
    return bytes(len(page))


def flip(rng: random.Random, page: bytes) -> bytes:
    """A few bits, somewhere on the page."""
    damaged = bytearray(page)
    for _ in range(3):
        damaged[rng.randrange(len(page))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def flip_head(rng: random.Random, page: bytes) -> bytes:
    """A byte of what SQLite needs to find its way on the page."""
    damaged = bytearray(page)
    damaged[rng.randrange(12)] ^= 0xFF
    return bytes(damaged)


DAMAGES: list[Callable[[random.Random, bytes], bytes]] = [trash, zero, flip, flip_head]
