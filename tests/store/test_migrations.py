"""The history of the schema as data."""

from __future__ import annotations

import re

from attn.store.migrations import MIGRATIONS, Column

# The first 8 characters of what each released step is. A step is never changed after its release: add a new one.
RELEASED = {
    "baseline": "a5814f51",
    "prs-host": "016af330",
    "prs-id-with-host": "6e0c14d8",
    "sessions-launch": "71bc06c5",
}


def test_a_released_step_is_never_changed() -> None:
    assert {step.name: step.checksum[:8] for step in MIGRATIONS} == RELEASED


def test_names_tell_steps_apart() -> None:
    assert len({step.name for step in MIGRATIONS}) == len(MIGRATIONS)


def test_every_step_leaves_facts_that_its_statements_made() -> None:
    for step in MIGRATIONS:
        assert step.leaves
        text = " ".join(step.statements)
        for fact in step.leaves:
            assert re.search(rf"\b{fact.name}\b", text) and re.search(rf"\b{fact.table}\b", text)


def test_a_column_that_is_added_can_be_null_or_has_a_default() -> None:
    for step in MIGRATIONS[1:]:
        for fact in step.leaves:
            assert not isinstance(fact, Column) or not fact.not_null or fact.default is not None


def test_readers_are_asked_for_no_more_than_there_is() -> None:
    for number, step in enumerate(MIGRATIONS, 1):
        assert step.min_reader <= number
