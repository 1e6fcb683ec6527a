"""Every schema that was ever released opens with its rows, and so does, or is refused, every half of a step."""

from __future__ import annotations

from pathlib import Path

import pytest

from attn.paths import Home
from attn.store import StoreFailure
from attn.store.backup import listed
from attn.store.migrations import MIGRATIONS
from tests.store.conftest import at_step, plain, refused, reopened
from tools import freeze_schema

FROZEN = sorted(freeze_schema.FOLDER.glob("*.sql"))


def made(home: Home, file: Path) -> None:
    plain(home, [line for line in file.read_text().split(";\n") if line])


def test_every_step_has_its_frozen_file_and_was_not_changed_since() -> None:
    wanted = {freeze_schema.path(steps): freeze_schema.script(steps) for steps in range(1, len(MIGRATIONS) + 1)}
    assert {file: file.read_text() for file in FROZEN} == wanted, "run tools/freeze_schema.py; never edit a file"


@pytest.mark.parametrize("file", FROZEN, ids=lambda file: file.stem)
def test_a_released_schema_opens_with_all_its_rows(home: Home, file: Path) -> None:
    made(home, file)
    store = reopened(home)
    assert [(row.id, row.label, row.state) for row in store.sessions.list()] == [
        ("abcde00001", "web", "exited"),
        ("abcde00002", "ünï", "lost"),
    ]
    assert store.database.rows("SELECT id, host, title FROM prs ORDER BY number") == [
        ("github.com:o/r#7", "github.com", "Fix it"),
        ("github.com:o/r#8", "github.com", "It's"),
    ]
    assert (store.settings.all(), store.places.recent()) == ({"theme": "dark"}, ["/x"])
    assert len(listed(home.backups)) == int(bool(store.plan.run))
    store.close()


@pytest.mark.parametrize("file", FROZEN, ids=lambda file: file.stem)
def test_a_host_that_the_ledger_does_not_know_is_never_a_duplicate_column(home: Home, file: Path) -> None:
    made(home, file)
    if "host" not in file.read_text():
        plain(home, ["ALTER TABLE prs ADD COLUMN host TEXT NOT NULL DEFAULT 'github.com'"])
    plain(home, ["DELETE FROM migrations WHERE name = 'prs-host'"])
    store = reopened(home)
    assert [step.name for step in store.plan.adopt] == ["prs-host"]
    assert store.database.one("SELECT count(*) FROM prs") == 2
    store.close()


PREFIXES = [(done, count) for done, step in enumerate(MIGRATIONS) for count in range(1, len(step.statements) + 1)]


@pytest.mark.parametrize(("done", "count"), PREFIXES)
def test_every_half_done_step_is_finished_or_refused(home: Home, done: int, count: int) -> None:
    step = MIGRATIONS[done]
    at_step(home, done, *step.statements[:count])
    try:
        reopened(home).close()
    except StoreFailure as failure:
        assert failure.code == "half_applied" and 0 < count < len(step.statements)
        refused(home, "half_applied")
