"""Records and their bytes on disk."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attn.bundle import records
from attn.bundle.records import ExitRecord, Meta, ScreenRecord, Spec, WorkerRecord

SPEC = Spec(
    session_id="abcdefghij", daemon_id="d", argv=["cat", "-u"], cwd="/", env_names=["PATH"], agent="", label="漢字",
    rows=40, cols=120, created_at_ms=1, parent=None, resume={"thread": "x"}, build="0.1",
)  # fmt: skip
SCREEN = ScreenRecord(
    rows=2, cols=9, cursor_row=1, cursor_col=3, cursor_visible=True, alternate_screen=False, offset=7, taken_at_ms=8,
    format="vt1", title="a\nb", vt=b"\x1b[1m\nx", text="漢\n\n", cells_json='{"rows":2}', tail=b"\xff\x00\n{",
    scrolled="a\n", joined="b\n", html="<pre>ä",
)  # fmt: skip
OTHERS = [
    Meta(label="x", order=3, cause="killed"),
    WorkerRecord(1, 2, "boot", "/s", 1, 1, "0.1", "vt1", 3),
    ExitRecord(None, 9, 10, 11),
]


@pytest.mark.parametrize("record", [SPEC, *OTHERS])
def test_a_record_survives_its_file(record: Any) -> None:
    assert records.from_json(type(record), records.to_json(record)) == record


@pytest.mark.parametrize("record", [SPEC, *OTHERS])
def test_fields_of_a_later_attn_are_ignored(record: Any) -> None:
    later = {**json.loads(records.to_json(record)), "colour_of_the_week": ["blue"]}
    assert records.from_json(type(record), json.dumps(later).encode()) == record


def test_fields_that_an_earlier_attn_did_not_write_take_their_defaults() -> None:
    earlier = {k: v for k, v in json.loads(records.to_json(SPEC)).items() if k not in {"emulator", "scrollback_lines"}}
    read = records.from_json(Spec, json.dumps(earlier).encode())
    assert read.emulator and read.scrollback_lines == 10_000


@pytest.mark.parametrize(
    ("field", "value"),
    [("rows", "40"), ("rows", True), ("rows", None), ("argv", "cat"), ("argv", [1]), ("parent", 3), ("emulator", 1)],
)
def test_a_field_of_the_wrong_kind_is_damage(field: str, value: object) -> None:
    wrong = {**json.loads(records.to_json(SPEC)), field: value}
    with pytest.raises(ValueError, match=field):
        records.from_json(Spec, json.dumps(wrong).encode())


@pytest.mark.parametrize("data", [b"", b"\0" * 50, b"[]", b"3", b"{", b"{}", b"\xff", b'{"code":1}'])
def test_what_is_no_record_is_damage(data: bytes) -> None:
    with pytest.raises(ValueError):
        records.from_json(ExitRecord, data)


def test_a_screen_survives_its_file() -> None:
    assert records.screen_from_bytes(records.screen_to_bytes(SCREEN)) == SCREEN


@given(st.integers(min_value=0), st.binary(max_size=8))
def test_a_cut_or_altered_screen_is_damage_or_whole(cut: int, noise: bytes) -> None:
    whole = records.screen_to_bytes(SCREEN)
    cut %= len(whole)
    for data in (whole[:cut], whole + b"x", whole[:cut] + noise + whole[cut + len(noise) :]):
        try:
            read = records.screen_from_bytes(data)
        except ValueError:
            continue
        assert len(read.vt) == len(SCREEN.vt) and len(read.tail) == len(SCREEN.tail)


@pytest.mark.parametrize("parts", [{"vt": 2}, {"vt": -1, "tail": 3}, "x", {"vt": True}, None, [1, 1]])
def test_a_screen_with_senseless_parts_is_damage(parts: object) -> None:
    head = {**json.loads(records.screen_to_bytes(SCREEN).partition(b"\n")[0]), "parts": parts}
    with pytest.raises(ValueError, match="part"):
        records.screen_from_bytes(json.dumps(head).encode() + b"\nxx")
