"""Rows are found in bare pages, where no tree leads to them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from attn.paths import Home
from attn.store import open_store, schema
from attn.store.repair import image
from attn.store.repair.carving import carve
from attn.store.repair.image import PAGE_BYTES
from attn.store.repair.transfer import OWN_TABLES
from tests.store.repair.conftest import NOW_MS, PLACES, SESSIONS, contents

OURS = {name: columns for name, columns in schema.canonical().tables.items() if name not in OWN_TABLES}


def test_every_row_is_found_without_the_page_of_the_schema(full: Home) -> None:
    whole = image.plain(image.read(full.database)) or b""
    found = carve(bytes(PAGE_BYTES) + whole[PAGE_BYTES:], OURS)
    before = contents(whole)
    assert {str(row["id"]): row for row in found["sessions"]} == {str(k): r for (k,), r in before["sessions"].items()}
    assert {str(row["id"]) for row in found["prs"]} == {str(key) for (key,) in before["prs"]}
    assert len(found["recent_locations"]) == PLACES
    assert any(row["value"] == "n" * 9000 for row in found["settings"])


def test_pages_that_were_given_back_do_not_count(full: Home) -> None:
    store = open_store(full, now_ms=NOW_MS)
    for number in range(SESSIONS - 5):
        store.sessions.delete(f"sess{number:05}")
    store.close()
    found = carve(image.plain(image.read(full.database)) or b"", OURS)
    assert {str(row["id"]) for row in found["sessions"]} >= {f"sess{n:05}" for n in range(SESSIONS - 5, SESSIONS)}
    assert len(found["sessions"]) < 2 * SESSIONS // 3


@given(st.binary(max_size=2 * PAGE_BYTES), st.sampled_from([b"", b"\x0d"]))
def test_bytes_that_are_no_pages_are_no_failure(data: bytes, kind: bytes) -> None:
    carve((bytes(PAGE_BYTES) + kind + data).ljust(3 * PAGE_BYTES, b"\x81"), OURS)
