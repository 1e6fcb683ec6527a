"""Rows are read around damage, and the index names those that cannot be."""

from __future__ import annotations

import random

from attn.paths import Home
from attn.store.database import Database
from attn.store.repair import image, reading
from attn.store.repair.image import PAGE_BYTES
from attn.store.repair.reading import Harvest
from tests.store.repair.conftest import PLACES, SESSIONS


def leaves(database: Database, table: str) -> list[int]:
    """Pages of the table's rows."""
    pages = database.rows("SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf'", (table,))
    return [int(str(number)) for (number,) in pages]


def read(data: bytes) -> Harvest:
    database = Database.of_image(data)
    try:
        return reading.harvest(database)
    finally:
        database.close()


def test_a_sound_database_is_read_whole(full: Home) -> None:
    found = read(image.plain(image.read(full.database)) or b"")
    assert found.readable and not found.damaged
    sessions = found.tables["sessions"]
    assert len(sessions.rows) == len(sessions.known) == SESSIONS
    assert sessions.rows[0]["id"] == f"sess{SESSIONS - 1:05}" and sessions.rows[0]["cols"] == 120
    assert found.count() > SESSIONS + PLACES


def test_rows_between_and_behind_damaged_pages_are_read_and_the_others_named(full: Home) -> None:
    data = bytearray(image.plain(image.read(full.database)) or b"")
    database = Database.of_image(bytes(data))
    pages = leaves(database, "sessions")
    database.close()
    assert len(pages) >= 4
    for number in (pages[0], pages[2]):
        data[(number - 1) * PAGE_BYTES : number * PAGE_BYTES] = random.Random(1).randbytes(PAGE_BYTES)
    sessions = read(bytes(data)).tables["sessions"]
    assert sessions.damaged
    ids = {str(row["id"]) for row in sessions.rows}
    lost = {str(key) for (key,) in sessions.known} - ids
    assert 0 < len(lost) < 3 * SESSIONS // 4 and len(ids) + len(lost) == SESSIONS
    assert f"sess{SESSIONS - 1:05}" in ids


def test_text_that_is_none_does_not_end_the_reading(full: Home) -> None:
    data = (image.plain(image.read(full.database)) or b"").replace(b"label 30", b"label \xff0")
    found = read(data)
    sessions = found.tables["sessions"]
    assert found.damaged and len(sessions.rows) == SESSIONS - 1
    assert [row["label"] for row in sessions.illegible] == ["label \ufffd0"]


def test_an_index_that_does_not_name_every_row_that_was_read_is_not_complete(full: Home) -> None:
    whole = image.plain(image.read(full.database)) or b""
    assert read(whole).tables["prs"].complete
    changed = whole.replace(b"label 30", b"label 3x").replace(b"sess00030label", b"sess0003xlabel")
    sessions = read(changed).tables["sessions"]
    assert sessions.indexed and sessions.damaged and not sessions.complete


def test_without_a_schema_nothing_is_read(full: Home) -> None:
    data = bytearray(image.plain(image.read(full.database)) or b"")
    data[100:PAGE_BYTES] = bytes(PAGE_BYTES - 100)
    found = read(bytes(data))
    assert not found.readable and found.damaged and found.count() == 0
