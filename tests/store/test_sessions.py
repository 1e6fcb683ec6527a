"""Rows about sessions come back as they went in."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attn.store import schema
from attn.store.database import Database
from attn.store.failures import StoreFailure
from attn.store.migrations import MIGRATIONS
from attn.store.planner import Plan
from attn.store.sessions import SessionRow, Sessions

ROW = SessionRow("abcde00001", "web", "codex", ["/bin/codex", "-m", "x y"], "/home/x", "running", 40, 120, 1000)


def empty() -> Sessions:
    database = Database.in_memory()
    schema.apply(database, Plan(run=MIGRATIONS), 0)
    return Sessions(database)


def test_every_field_is_kept() -> None:
    sessions = empty()
    whole = replace(
        ROW, state="exited", order=3, last_output_at_ms=2000, exit_code=1, exit_signal=None, exit_at_ms=3000,
        cause="killed", parent="abcde00002", resume={"conversation": "u", "args": ["-x"]}, worker_build="0.1",
    )  # fmt: skip
    sessions.upsert(whole)
    assert sessions.list() == [whole] and sessions.ids() == {whole.id}
    assert all(getattr(whole, name) is not None for name in ("cause", "parent", "resume", "exit_at_ms"))


@pytest.mark.parametrize("change", ["argv = '{'", "argv = '{}'", "argv = '[1]'", "resume = '['", "resume = '7'"])
def test_a_row_that_makes_no_sense_is_damage(change: str) -> None:
    sessions = empty()
    sessions.upsert(ROW)
    sessions._database.rows(f"UPDATE sessions SET {change}")
    with pytest.raises(StoreFailure) as raised:
        sessions.list()
    assert raised.value.code == "corrupt"


def test_a_row_takes_the_place_of_the_one_with_its_id() -> None:
    sessions = empty()
    sessions.upsert(ROW, replace(ROW, id="abcde00002", order=-1))
    sessions.upsert(replace(ROW, label="api", state="lost"))
    assert [(row.id, row.label, row.state) for row in sessions.list()] == [
        ("abcde00002", "web", "running"),
        ("abcde00001", "api", "lost"),
    ]


def test_deleting_is_done_once_and_may_be_repeated() -> None:
    sessions = empty()
    sessions.upsert(ROW)
    sessions.delete(ROW.id)
    sessions.delete(ROW.id)
    assert sessions.list() == []


def test_many_rows_are_written_together_or_not_at_all() -> None:
    sessions = empty()
    with pytest.raises(StoreFailure):
        sessions.upsert(ROW, replace(ROW, id="abcde00002", label=None))  # type: ignore[arg-type]
    assert sessions.list() == []


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])), st.lists(st.text(max_size=5), max_size=3))
def test_texts_are_kept_to_the_character(label: str, argv: list[str]) -> None:
    sessions = empty()
    sessions.upsert(replace(ROW, label=label, cwd=label, argv=argv))
    [row] = sessions.list()
    assert (row.label, row.cwd, row.argv) == (label, label, argv)
