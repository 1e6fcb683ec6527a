"""Nothing is lost but what stood on the damaged pages, and that it is lost is always said."""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import pytest

from attn.doctor import database as examination
from attn.doctor.scene import Scene
from attn.paths import Home
from attn.store import StoreFailure, open_store, schema
from attn.store.repair import carving, image, proposals
from attn.store.repair.image import PAGE_BYTES
from tests.store.repair.conftest import DAMAGES, KEYS, NOW_MS, contents, fill

ROUNDS = 12 if os.environ.get("ATTN_TEST_FULL") else 1


@pytest.fixture
def full(home: Home) -> Home:
    fill(home)
    return home


def on_page(whole: bytes, number: int) -> set[tuple[str, tuple[object, ...]]]:
    """Keys of the rows that have any of their bytes on a page."""
    found = set()
    for page in range(1, len(whole) // PAGE_BYTES + 1):
        records = list(carving._records(whole, page))
        for table, columns in schema.canonical().tables.items():
            for row in [carving._fitted(record, columns) for record in records] if table in KEYS else ():
                if row is not None and number in {page} | _elsewhere(whole, row):
                    found.add((table, tuple(row[key] for key in KEYS[table])))
    return found


def _elsewhere(whole: bytes, row: carving.Record) -> set[int]:
    """Where a row that does not fit on its page may go on: every page that is no page of a tree."""
    if sum(len(str(value)) for value in row.values()) < PAGE_BYTES - 200:
        return set()
    return {n for n in range(2, len(whole) // PAGE_BYTES + 1) if whole[(n - 1) * PAGE_BYTES] not in (2, 5, 10, 13)}


@pytest.mark.parametrize("damage", DAMAGES, ids=[damage.__name__ for damage in DAMAGES])
def test_nothing_is_lost_beyond_the_damaged_page(full: Home, damage: Callable[[random.Random, bytes], bytes]) -> None:
    whole = full.database.read_bytes()
    before = contents(image.plain(image.read(full.database)) or b"")
    assert len(whole) // PAGE_BYTES > 15
    lost_somewhere = 0
    for seed in range(ROUNDS):
        for number in range(1, len(whole) // PAGE_BYTES + 1):
            rng = random.Random(f"{seed} {number}")
            at = (number - 1) * PAGE_BYTES
            data = whole[:at] + damage(rng, whole[at : at + PAGE_BYTES]) + whole[at + PAGE_BYTES :]
            full.database.write_bytes(data)
            touched = on_page(whole, number)
            proposal = proposals.salvage(full, (), NOW_MS)
            after = contents(proposal.image)
            missing = {
                (table, key) for table, rows in before.items() for key, row in rows.items()
                if after[table].get(key) != row
            }  # fmt: skip
            assert missing <= touched, f"seed {seed} page {number}: {sorted(missing - touched, key=str)[:5]}"
            gone = {(t, k) for t, rows in before.items() for k in rows if k not in after[t]}
            assert proposal.lost or proposal.uncertain or not gone, (
                f"seed {seed} page {number}: {len(gone)} rows lost without a word"
            )
            lost_somewhere += len(gone)
    if damage.__name__ in ("trash", "zero"):
        assert lost_somewhere


@pytest.mark.parametrize("damage", DAMAGES, ids=[damage.__name__ for damage in DAMAGES])
def test_whatever_is_damaged_loss_is_always_said(full: Home, damage: Callable[[random.Random, bytes], bytes]) -> None:
    whole = full.database.read_bytes()
    before = contents(image.plain(image.read(full.database)) or b"")
    for seed in range(8 * ROUNDS):
        rng = random.Random(f"{seed} {damage.__name__}")
        data = bytearray(whole)
        for number in rng.sample(range(2, len(whole) // PAGE_BYTES + 1), rng.randint(2, 12)):
            at = (number - 1) * PAGE_BYTES
            data[at : at + PAGE_BYTES] = damage(rng, bytes(data[at : at + PAGE_BYTES]))
        full.database.write_bytes(data)
        proposal = proposals.salvage(full, (), NOW_MS)
        after = contents(proposal.image)
        gone = {(table, key) for table, rows in before.items() for key in rows if key not in after[table]}
        assert proposal.lost or proposal.uncertain or not gone, f"seed {seed}: {len(gone)} rows lost without a word"
        assert proposal.uncertain or proposal.lost >= len(gone), f"seed {seed}: {len(gone)} lost, {proposal.lost} told"


@pytest.mark.parametrize("damage", DAMAGES, ids=[damage.__name__ for damage in DAMAGES])
def test_a_start_refuses_what_the_salvage_mends_and_the_doctor_says_the_same(
    full: Home, damage: Callable[[random.Random, bytes], bytes]
) -> None:
    whole, sentinel = full.database.read_bytes(), full.sentinel.read_bytes()
    scene, codes = Scene(full, {}, NOW_MS), set()
    for seed in range(ROUNDS):
        for number in range(1, len(whole) // PAGE_BYTES + 1):
            rng = random.Random(f"{seed} {number}")
            at = (number - 1) * PAGE_BYTES
            data = whole[:at] + damage(rng, whole[at : at + PAGE_BYTES]) + whole[at + PAGE_BYTES :]
            laid_down(full, data, sentinel)
            told = {finding.what.partition(":")[0] for finding in examination.content(scene) if finding.level == "fail"}
            code = code_of_a_start(full)
            assert told == ({code} - {""}), f"seed {seed} page {number}"
            if code:
                codes.add(code)
                laid_down(full, proposals.salvage(full, (), NOW_MS).image, sentinel)
                assert code_of_a_start(full) == "", f"seed {seed} page {number}"
    assert {"corrupt"} <= codes <= {"corrupt", "index_corrupt", "not_a_database", "schema_conflict"}


def laid_down(home: Home, data: bytes, sentinel: bytes) -> None:
    for path in home.root.glob("attn.db*"):
        path.unlink()
    home.database.write_bytes(data)
    home.sentinel.write_bytes(sentinel)


def code_of_a_start(home: Home) -> str:
    """Why the database is refused; empty when everything in it can be used."""
    try:
        store = open_store(home, now_ms=NOW_MS)
    except StoreFailure as failure:
        return failure.code
    for reading in (store.sessions.list, store.settings.all, store.places.recent):
        reading()
    store.close()
    return ""
