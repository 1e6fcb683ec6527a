"""Every row has a place in the new database, or is named with the reason."""

from __future__ import annotations

from attn.store import schema
from attn.store.database import Database
from attn.store.repair.reading import Record, Table
from attn.store.repair.transfer import Transferred, transfer

PR: Record = {"id": "o/r#1", "repo": "o/r", "number": 1, "title": "t", "url": "u", "role": "author", "state": "open",
              "updated_at_ms": 5}  # fmt: skip
SETTING: Record = {"key": "theme", "value": "dark"}


def put(name: str, *rows: Record) -> Transferred:
    return transfer([Table(name, tuple(rows[0]) if rows else (), list(rows))], "the-uuid", 5)


def read(done: Transferred, sql: str) -> list[tuple[object, ...]]:
    database = Database.of_image(done.image)
    try:
        assert schema.differences(schema.inspect(database), schema.canonical()) == []
        return list(database.rows(sql))
    finally:
        database.close()


def test_the_new_database_is_canonical_and_keeps_its_identity() -> None:
    done = put("settings", SETTING)
    assert read(done, "SELECT key, value FROM settings") == [("theme", "dark")]
    assert read(done, "SELECT value FROM file_facts WHERE key = 'uuid'") == [("the-uuid",)]
    assert done.kept == {"settings": 1} and not done.dropped and not done.filled


def test_columns_that_came_later_get_their_default_and_ids_their_host() -> None:
    done = put("prs", PR)
    assert read(done, "SELECT id, host FROM prs") == [("github.com:o/r#1", "github.com")]


def test_of_rows_that_contradict_each_other_the_newest_stands_and_all_are_kept() -> None:
    older, newer = {**PR, "id": "a", "updated_at_ms": 3}, {**PR, "id": "b", "title": "new", "updated_at_ms": 9}
    done = put("prs", older, newer)
    assert read(done, "SELECT title FROM prs") == [("new",)]
    assert [dropped.row["id"] for dropped in done.dropped] == ["a"] and "newer row" in done.dropped[0].why


def test_a_row_whose_id_is_not_that_of_its_facts_is_told() -> None:
    good, old, opaque = ({**PR, "id": id_, "number": n} for id_, n in (("github.com:o/r#1", 1), ("o/r#2", 2), ("i", 3)))
    done = put("prs", good, old, opaque, {**PR, "id": "github.com:o/r#4", "number": 5})
    assert done.doubtful == ["prs github.com:o/r#4 is github.com:o/r#5 by its facts, and kept as that"]
    keys = [(f"github.com:o/r#{number}",) for number in (1, 4, 5)] + [("o/r#2",), ("i",)]
    assert done.missing("prs", keys) == {("github.com:o/r#4",)} and done.missing("settings", [("a",)]) == {("a",)}


def test_values_of_another_type_are_converted_or_the_row_is_named() -> None:
    done = put("prs", {**PR, "number": "7"}, {**PR, "number": "seven"})
    assert read(done, "SELECT number FROM prs") == [(7,)]
    assert [dropped.why for dropped in done.dropped] == ["a value does not fit its column"]


def test_what_a_row_lacks_is_filled_and_counted() -> None:
    row = {name: value for name, value in PR.items() if name != "title"}
    done = put("prs", row, {**row, "number": None})
    assert read(done, "SELECT title, number FROM prs ORDER BY number") == [("", 0), ("", 1)]
    assert done.filled == 3


def test_a_row_without_a_key_is_named() -> None:
    done = put("settings", {"key": None, "value": "x"})
    assert done.kept == {"settings": 0} and done.dropped[0].row["value"] == "x"


def test_unknown_columns_and_tables_are_kept_apart() -> None:
    done = put("settings", {**SETTING, "mine": 5}, {"key": "b", "value": "c", "mine": None})
    assert done.kept == {"settings": 2}
    assert [(dropped.row, "no column mine" in dropped.why) for dropped in done.dropped] == [
        ({"key": "theme", "mine": 5}, True)
    ]
    done = put("mine", {"a": 1})
    assert done.kept == {} and done.dropped[0].row == {"a": 1}


def test_the_ledger_is_written_anew() -> None:
    done = put("migrations", {"name": "somebody's", "checksum": "x"})
    assert not done.dropped and ("somebody's",) not in read(done, "SELECT name FROM migrations")
