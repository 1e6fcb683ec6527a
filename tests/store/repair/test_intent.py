"""The intent says what was under way, or that nobody can tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from attn.paths import Home
from attn.store import StoreFailure
from attn.store.repair import intent
from attn.store.repair.intent import Intent

BEGUN = Intent("salvage", "20231114T221320000-salvage", "", 5)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path, tmp_path, is_default=False)


def test_it_is_there_until_it_is_cleared(home: Home) -> None:
    assert intent.read(home) is None
    intent.refuse_unfinished(home)
    intent.write(home, BEGUN)
    assert intent.read(home) == BEGUN and home.intent.stat().st_mode & 0o777 == 0o600
    moved = intent.promoting(home, BEGUN)
    assert intent.read(home) == moved and moved.step == "promoting"
    with pytest.raises(StoreFailure, match=r"a salvage of .* was interrupted while promoting") as raised:
        intent.refuse_unfinished(home)
    assert raised.value.code == "repair_incomplete" and "--resume" in raised.value.remedy
    intent.clear(home)
    intent.clear(home)
    assert intent.read(home) is None


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"kind": "salvage"}', BEGUN.folder]
    + [f'{{"kind": "{k}", "folder": "{f}", "source": "", "began_ms": 1}}' for k, f in (("x", "a"), ("reset", "../a"))],
)
def test_one_that_makes_no_sense_is_refused_and_left(home: Home, text: str) -> None:
    home.intent.write_text(text)
    with pytest.raises(StoreFailure, match="repair_incomplete"):
        intent.refuse_unfinished(home)
    assert home.intent.read_text() == text
