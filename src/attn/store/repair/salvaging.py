"""What can be got out of a database and its log: each way of opening the two, and the best of all of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from attn.store import schema
from attn.store.database import Database
from attn.store.failures import StoreFailure
from attn.store.migrations import MIGRATIONS
from attn.store.opening import decide
from attn.store.planner import Plan
from attn.store.repair import image, reading
from attn.store.repair.carving import carve
from attn.store.repair.image import Files
from attn.store.repair.reading import Harvest, Key, Table, key_of
from attn.store.repair.transfer import OWN_TABLES

# Keys of `file_facts`, which looks like `settings` where rows are found in bare pages.
_OWN_KEYS = frozenset({"uuid", "min_reader", "written_by"})


@dataclass(frozen=True)
class Source:
    """One way of opening the files.

    sound: SQLite's own check found nothing; mendable: it found nothing but indexes to make anew; refusal: why attn may
    not use it; dangling: rows that refer to none.
    """

    title: str
    image: bytes
    found: Harvest
    sound: bool
    refusal: StoreFailure | None
    dangling: int = 0
    mendable: bool = False

    @property
    def uuid(self) -> str | None:
        return uuid_of(self.found)


@dataclass
class Combined:
    """What there is, and what is known not to be.

    named: keys of which it is known that their rows were there, of the tables that damage may have touched; uncertain:
    there may have been more, at most `unnamed` of them if that is known; well: nothing was wrong; notes: for people.
    """

    tables: list[Table] = field(default_factory=list)
    uuid: str | None = None
    named: dict[str, set[Key]] = field(default_factory=dict)
    uncertain: bool = False
    unnamed: int = 0
    well: bool = False
    notes: list[str] = field(default_factory=list)


def uuid_of(found: Harvest) -> str | None:
    """The identity of a database, if it could be read."""
    facts = found.tables.get("file_facts")
    rows = facts.rows if facts else []
    return next((str(row.get("value")) for row in rows if row.get("key") == "uuid"), None)


def sources(files: Files) -> list[Source]:
    """The database with its log and, if that makes a difference, without it."""
    whole, plain = image.whole(files), image.plain(files)
    ways = [("with its log" if files.log else "", whole), ("without its log", plain if plain != whole else None)]
    return [_source(title, data, files.real) for title, data in ways if data]


def combine(found: list[Source], *, foreign_log: bool) -> Combined:
    """The best source, and what others and bare pages add to it. foreign_log: the log is known not to belong here."""
    result = Combined()
    if not found:
        result.uncertain = True  # a log alone, of which nothing can be read: what its database held is gone
        return result
    found = _own(found, result, foreign_log=foreign_log)
    best = next((source for source in found if source.sound), found[0])
    result.uuid = next((source.uuid for source in [best, *found] if source.uuid), None)
    tables = {table.name: table for table in best.found.tables.values()}
    if best.title and len(found) > 1:
        result.notes.append(f"read {best.title}")
    if not best.sound:
        result.notes.append("the database is damaged; rows are collected around the damage")
        for other in found:
            if other is not best:
                _supplement(
                    tables, {name: table.rows for name, table in other.found.tables.items()}, other.title, result
                )
    if best.found.damaged:
        _carve(tables, found, result)
    for name, table in tables.items():
        have = {key_of(name, row) for row in table.rows}
        read = set().union(*(_keys(source, name) for source in found))
        known = set().union(*(source.found.tables[name].known for source in found if name in source.found.tables))
        if name not in OWN_TABLES and (table.illegible or not best.sound):
            result.named[name] = known | read
        complete = any(source.found.tables[name].complete for source in found if name in source.found.tables)
        if not complete and (table.damaged or not (best.sound or best.mendable)):
            result.uncertain = True
            result.unnamed += table.fewer(len(result.named.get(name, set()) - have))
    result.well = best.sound and best.refusal is None and not best.found.damaged and best.dangling == 0
    result.uncertain |= not best.found.readable
    result.tables = list(tables.values())
    return result


def _own(found: list[Source], result: Combined, *, foreign_log: bool) -> list[Source]:
    """The sources that are this database: a log of another one makes another one of it."""
    plain, whole = found[-1], found[0]
    if len(found) == 1:
        return found
    if foreign_log or (plain.uuid and whole.uuid and whole.uuid != plain.uuid):
        result.notes.append("the log belongs to another database and is left aside")
        more = sum(len(_keys(whole, name) - _keys(plain, name)) for name in whole.found.tables)
        if more:
            result.notes.append(f"{more} rows are only found with that log; it is kept with the old files")
        return [plain]
    return found


def _keys(source: Source, name: str) -> set[Key]:
    table = source.found.tables.get(name)
    return {key_of(name, row) for row in table.rows} if table and name not in OWN_TABLES else set()


def _supplement(tables: dict[str, Table], rows: dict[str, list[reading.Record]], whence: str, result: Combined) -> None:
    added = 0
    for name, records in rows.items():
        if name in OWN_TABLES or not reading.keys_of(name):
            continue
        table = tables.setdefault(name, Table(name, tuple(schema.canonical().tables[name])))
        have = {key_of(name, row) for row in table.rows}
        for record in reversed(records):
            key = key_of(name, record)
            if key not in have and None not in key:
                have.add(key)
                table.rows.append(record)
                table.unreadable = table.fewer(1)
                added += 1
    if added:
        result.notes.append(f"{added} rows were only found {whence}; some may have been removed before")


def _carve(tables: dict[str, Table], found: list[Source], result: Combined) -> None:
    ours = {name: columns for name, columns in schema.canonical().tables.items() if name not in OWN_TABLES}
    for source in found:
        rows = carve(source.image, ours)
        rows["settings"] = [row for row in rows.get("settings", []) if row.get("key") not in _OWN_KEYS]
        _supplement(tables, rows, "in pages that nothing leads to", result)


def _source(title: str, data: bytes, path: Path) -> Source:
    found, sound, mendable, refusal = _opened(data, path)
    if not found.readable and not sound:
        model = Database.in_memory()
        try:
            schema.apply(model, Plan(run=MIGRATIONS), 0)
            mended = image.with_header_of(data, model.image()) if len(data) >= image.PAGE_BYTES else data
        finally:
            model.close()
        again, _, _, other = _opened(mended, path)
        if again.readable:
            return Source(title, mended, again, False, other)
    return Source(title, data, found, sound, refusal, _dangling(data) if sound else 0, mendable)


def _dangling(data: bytes) -> int:
    database = Database.of_image(data)
    try:
        return len(database.rows("PRAGMA foreign_key_check"))
    finally:
        database.close()


def _opened(data: bytes, path: Path) -> tuple[Harvest, bool, bool, StoreFailure | None]:
    nothing = Harvest(readable=False), False, False, None
    try:
        database = Database.of_image(data)
    except StoreFailure:
        return nothing
    try:
        found = reading.harvest(database)
        sound = _sound(database)
        return found, sound, not sound and database.only_indexes_damaged(), _refusal(database, path)
    finally:
        database.close()


def _sound(database: Database) -> bool:
    try:
        return not database.damage(thorough=True)
    except (StoreFailure, UnicodeDecodeError):
        return False


def _refusal(database: Database, path: Path) -> StoreFailure | None:
    """Why attn may not use this database, if so much of it can be read."""
    try:
        decide(database, path)
    except StoreFailure as failure:
        return failure
    except UnicodeDecodeError:
        return None
    return None
