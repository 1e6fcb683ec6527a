"""Which steps of the schema's history a database needs, decided from what is really in it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from attn.store.migrations import Column, Fact, Index, Migration

# Tables that only the Go original made; its files are recognised by its bookkeeping.
_GO_ORIGINAL: Final = "schema_migrations"


@dataclass(frozen=True)
class ColumnShape:
    """One column as `PRAGMA table_xinfo` tells it."""

    type: str
    not_null: bool
    default: str | None
    key: bool


@dataclass(frozen=True)
class IndexShape:
    """One index as `PRAGMA index_list` and `index_info` tell it."""

    table: str
    columns: tuple[str, ...]
    unique: bool


@dataclass(frozen=True)
class Schema:
    """What is in a database. `code`: the normalised text of views, triggers and CHECKs, which pragmas do not show."""

    tables: Mapping[str, Mapping[str, ColumnShape]] = field(default_factory=dict)
    indexes: Mapping[str, IndexShape] = field(default_factory=dict)
    foreign_keys: frozenset[tuple[object, ...]] = frozenset()
    code: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Ledger:
    """What a database says of its history. checksums: of the steps done, by name; steps: their count in its header."""

    exists: bool = False
    checksums: Mapping[str, str] = field(default_factory=dict)
    min_reader: int = 0
    written_by: str = ""
    application_id_ours: bool = False
    steps: int = 0


@dataclass(frozen=True)
class Plan:
    """What brings a database up to date, in one transaction.

    run: steps to do; adopt: steps that stand there already and only need their line in the ledger; relabel: steps whose
    line is not theirs although the schema is; restore: parts of recorded steps that are missing and lose nothing when
    they are made again; facts: what the file says of itself is wrong. ahead: the file has steps of a newer attn, which
    declared that this one may still use it.
    """

    run: tuple[Migration, ...] = ()
    adopt: tuple[Migration, ...] = ()
    relabel: tuple[Migration, ...] = ()
    restore: tuple[tuple[Migration, Fact], ...] = ()
    facts: bool = False
    ahead: bool = False

    @property
    def empty(self) -> bool:
        return not (self.run or self.adopt or self.relabel or self.restore or self.facts)


@dataclass(frozen=True)
class Refusal:
    """The database must not be touched. code: of `core.health`; migration: the step concerned, if one is."""

    code: Literal["foreign_schema", "schema_newer", "schema_conflict", "half_applied", "ledger_mismatch",
                  "schema_behind_ledger"]  # fmt: skip
    message: str
    migration: str = ""


def plan(schema: Schema, ledger: Ledger, history: Sequence[Migration], *, sound: bool = False) -> Plan | Refusal:
    """Decide for one database. An empty one gets the whole history.

    sound: the schema is exactly what the steps that `stands` names lead to, so that a wrong ledger can be put right.
    """
    if not ledger.exists and schema.tables and not ledger.application_id_ours:
        return _foreign(schema)
    known = {step.name for step in history}
    unknown = sorted(ledger.checksums.keys() - known)
    if ledger.min_reader > len(history) or (unknown and not ledger.min_reader):
        return _newer(ledger, unknown, len(history))
    made = _Making()
    for step in history:
        refusal = made.step(schema, step, ledger.checksums.get(step.name), sound=sound)
        if refusal is not None:
            return refusal
    if unknown and (made.run or made.adopt):
        return _newer(ledger, unknown, len(history))
    facts = bool(schema.tables) and not unknown and not made.run and not _says_so(ledger, history)
    return Plan(
        tuple(made.run), tuple(made.adopt), tuple(made.relabel), tuple(made.restore), facts=facts, ahead=bool(unknown)
    )


def stands(schema: Schema, history: Sequence[Migration]) -> tuple[Migration, ...]:
    """The steps of which every part is there."""
    return tuple(step for step in history if all(_state(schema, fact) == "holds" for fact in step.leaves))


@dataclass
class _Making:
    """A plan while it is made."""

    run: list[Migration] = field(default_factory=list)
    adopt: list[Migration] = field(default_factory=list)
    relabel: list[Migration] = field(default_factory=list)
    restore: list[tuple[Migration, Fact]] = field(default_factory=list)

    def step(self, schema: Schema, step: Migration, recorded: str | None, *, sound: bool) -> Refusal | None:
        states = {fact: _state(schema, fact) for fact in step.leaves}
        different = [fact for fact, state in states.items() if state == "differs"]
        missing = [fact for fact, state in states.items() if state == "missing"]
        if recorded is not None and recorded != step.checksum:
            if not sound or missing:
                text = f"the step {step.name!r} was another one when it was done to this database"
                return Refusal("ledger_mismatch", text, step.name)
            self.relabel.append(step)
        if different:
            text = f"the database has {_found(schema, different[0])}, attn needs {_wanted(different[0])}"
            return Refusal("schema_conflict", text, step.name)
        if recorded is not None:
            lost = [fact for fact in missing if not _restorable(schema, fact)]
            if lost:
                text = f"the database lacks {_wanted(lost[0])}, which the step {step.name!r} made"
                return Refusal("schema_behind_ledger", text, step.name)
            self.restore += [(step, fact) for fact in missing]
        elif missing and len(missing) < len(states):
            text = f"the step {step.name!r} is half done: {_wanted(missing[0])} is missing, other parts of it are there"
            return Refusal("half_applied", text, step.name)
        else:
            (self.run if missing else self.adopt).append(step)
        return None


def _restorable(schema: Schema, fact: Fact) -> bool:
    """Whether making it again cannot hide that rows were lost: the table stands, and a column may be empty."""
    if fact.table not in schema.tables:
        return False
    return isinstance(fact, Index) or (not fact.key and (fact.default is not None or not fact.not_null))


def _says_so(ledger: Ledger, history: Sequence[Migration]) -> bool:
    """Whether the file's own facts are those of the whole history."""
    reader = max((step.min_reader for step in history), default=0)
    return (ledger.application_id_ours, ledger.min_reader, ledger.steps) == (True, reader, len(history))


def _state(schema: Schema, fact: Fact) -> Literal["holds", "missing", "differs"]:
    match fact:
        case Column():
            column = schema.tables.get(fact.table, {}).get(fact.name)
            if column is None:
                return "missing"
            return "holds" if column == ColumnShape(fact.type, fact.not_null, fact.default, fact.key) else "differs"
        case Index():
            index = schema.indexes.get(fact.name)
            if index is None:
                return "missing"
            return "holds" if index == IndexShape(fact.table, fact.columns, fact.unique) else "differs"


def _wanted(fact: Fact) -> str:
    match fact:
        case Column():
            return f"column {fact.table}.{fact.name} {_words(fact.type, fact.not_null, fact.default)}"
        case Index():
            return f"{'unique ' if fact.unique else ''}index {fact.name} on {fact.table}({', '.join(fact.columns)})"


def _found(schema: Schema, fact: Fact) -> str:
    match fact:
        case Column():
            found = schema.tables[fact.table][fact.name]
            return f"column {fact.table}.{fact.name} {_words(found.type, found.not_null, found.default)}"
        case Index():
            index = schema.indexes[fact.name]
            return f"{'unique ' if index.unique else ''}index {fact.name} on {index.table}({', '.join(index.columns)})"


def _words(type_: str, not_null: bool, default: str | None) -> str:
    return f"{type_}{' NOT NULL' if not_null else ''}{f' DEFAULT {default}' if default is not None else ''}"


def _foreign(schema: Schema) -> Refusal:
    if _GO_ORIGINAL in schema.tables:
        return Refusal(
            "foreign_schema", "this is a database of the original attn (written in Go); it was left as it is"
        )
    names = ", ".join(sorted(schema.tables)[:5])
    return Refusal("foreign_schema", f"this is a database of another program (its tables: {names}); it was left as is")


def _newer(ledger: Ledger, unknown: Sequence[str], ours: int) -> Refusal:
    by = f" by attn {ledger.written_by}" if ledger.written_by else " by a newer attn"
    steps = f" (steps unknown here: {', '.join(unknown[:5])})" if unknown else ""
    need = f"it needs an attn that knows {ledger.min_reader} steps, this one knows {ours}" if ledger.min_reader else ""
    return Refusal("schema_newer", f"the database was written{by}{steps}; {need or 'nothing was changed'}")
