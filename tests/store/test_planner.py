"""Which steps a database needs: from facts, never from a number."""

from __future__ import annotations

from dataclasses import replace

import pytest

from attn.store.migrations import MIGRATIONS, Column, Fact, Index, Migration
from attn.store.planner import ColumnShape, IndexShape, Ledger, Plan, Refusal, Schema, plan, stands

A = Migration("a", ("CREATE TABLE t (x)",), (Column("t", "x", "TEXT"), Column("t", "y", "TEXT", True, "''")), 1)
B = Migration("b", ("CREATE INDEX i",), (Index("t", "i", ("x",), unique=True),), 1)
C = Migration("c", ("ALTER TABLE t ADD COLUMN z",), (Column("t", "z", "INTEGER"),), 2)
HISTORY = (A, B, C)


def schema_of(*facts: Fact) -> Schema:
    tables: dict[str, dict[str, ColumnShape]] = {}
    indexes: dict[str, IndexShape] = {}
    for fact in facts:
        if isinstance(fact, Column):
            shape = ColumnShape(fact.type, fact.not_null, fact.default, fact.key)
            tables.setdefault(fact.table, {})[fact.name] = shape
        else:
            indexes[fact.name] = IndexShape(fact.table, fact.columns, fact.unique)
    return Schema(tables, indexes)


ALL = schema_of(*A.leaves, *B.leaves, *C.leaves)


def ledger_of(*steps: Migration, **extra: object) -> Ledger:
    done = Ledger(True, {step.name: step.checksum for step in steps}, 2, "0.1", True, len(HISTORY))
    return replace(done, **extra)  # type: ignore[arg-type]


def refusal(schema: Schema, ledger: Ledger) -> Refusal:
    decided = plan(schema, ledger, HISTORY)
    assert isinstance(decided, Refusal) and decided.message
    return decided


def test_an_empty_database_gets_the_whole_history() -> None:
    assert plan(Schema(), Ledger(), HISTORY) == Plan(run=HISTORY)


def test_a_complete_one_needs_nothing() -> None:
    decided = plan(ALL, ledger_of(*HISTORY), HISTORY)
    assert isinstance(decided, Plan) and decided.empty and not decided.ahead


def test_what_the_ledger_does_not_know_but_stands_there_is_adopted() -> None:
    assert plan(schema_of(*A.leaves, *C.leaves), ledger_of(A), HISTORY) == Plan(run=(B,), adopt=(C,))


def test_a_gap_in_the_middle_is_filled() -> None:
    assert plan(schema_of(*A.leaves, *C.leaves), ledger_of(A, C), HISTORY) == Plan(run=(B,))


def test_the_same_name_with_another_definition_is_refused() -> None:
    other = Column("t", "z", "TEXT", True, "'x'")
    found = refusal(schema_of(*A.leaves, other), ledger_of(A))
    assert (found.code, found.migration) == ("schema_conflict", "c")
    assert "t.z TEXT NOT NULL DEFAULT 'x'" in found.message and "t.z INTEGER" in found.message
    assert refusal(schema_of(*A.leaves, Index("t", "i", ("y",))), ledger_of(A)).code == "schema_conflict"


def test_half_of_a_step_is_refused() -> None:
    found = refusal(schema_of(A.leaves[0]), ledger_of())
    assert (found.code, found.migration) == ("half_applied", "a")


def test_a_part_that_is_recorded_and_not_there_is_made_again() -> None:
    without_column = plan(schema_of(*A.leaves, *B.leaves), ledger_of(*HISTORY), HISTORY)
    assert without_column == Plan(restore=((C, C.leaves[0]),))
    without_index = plan(schema_of(*A.leaves, *C.leaves), ledger_of(*HISTORY), HISTORY)
    assert isinstance(without_index, Plan) and not without_index.run and len(without_index.restore) == len(B.leaves)


def test_a_table_that_is_recorded_and_not_there_is_refused() -> None:
    found = refusal(schema_of(), ledger_of(*HISTORY))
    assert (found.code, found.migration) == ("schema_behind_ledger", "a")


def test_a_changed_history_is_refused_unless_the_schema_is_right() -> None:
    changed = ledger_of(*HISTORY, checksums={"a": "another", "b": B.checksum, "c": C.checksum})
    assert refusal(ALL, changed).code == "ledger_mismatch"
    assert plan(ALL, changed, HISTORY, sound=True) == Plan(relabel=(A,))


def test_wrong_facts_about_the_file_are_put_right() -> None:
    for wrong in ({"steps": 1}, {"min_reader": 0}, {"application_id_ours": False}):
        assert plan(ALL, ledger_of(*HISTORY, **wrong), HISTORY, sound=True) == Plan(facts=True)


def test_the_steps_that_stand_are_those_of_which_all_is_there() -> None:
    assert stands(schema_of(*A.leaves, *C.leaves), HISTORY) == (A, C)


def test_a_newer_file_that_we_may_use_is_used() -> None:
    checksums = {**ledger_of(*HISTORY).checksums, "d": "x"}
    assert plan(ALL, ledger_of(checksums=checksums, min_reader=3), HISTORY) == Plan(ahead=True)


@pytest.mark.parametrize("reader", [0, 4])
def test_a_newer_file_that_we_may_not_use_is_refused_and_says_who_wrote_it(reader: int) -> None:
    checksums = {**ledger_of(*HISTORY).checksums, "d": "x"}
    found = refusal(ALL, ledger_of(checksums=checksums, min_reader=reader, written_by="0.9.2"))
    assert found.code == "schema_newer" and "0.9.2" in found.message


def test_a_newer_file_that_lacks_one_of_our_steps_is_refused() -> None:
    checksums = {**ledger_of(A, B).checksums, "d": "x"}
    found = refusal(schema_of(*A.leaves, *B.leaves), ledger_of(checksums=checksums, min_reader=1))
    assert found.code == "schema_newer"


def test_files_of_other_programs_are_recognised() -> None:
    go = Schema({"schema_migrations": {}, "sessions": {}})
    assert "Go" in refusal(go, Ledger()).message and refusal(go, Ledger()).code == "foreign_schema"
    assert refusal(Schema({"places": {}}), Ledger()).code == "foreign_schema"


def test_the_real_history_plans_itself() -> None:
    assert plan(Schema(), Ledger(), MIGRATIONS) == Plan(run=MIGRATIONS)
