"""What each repair would do to a home: worked out whole, in memory, before anything is changed."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import attn
from attn.paths import Home
from attn.store import backup, schema
from attn.store.database import Database
from attn.store.failures import StoreFailure, classify_os
from attn.store.file.belonging import foreign_log
from attn.store.file.sentinel import Sentinel
from attn.store.opening import decide, require_sound
from attn.store.repair import image, reading, salvaging
from attn.store.repair.image import Files
from attn.store.repair.intent import Kind
from attn.store.repair.reading import UNKNOWN_ROWS, Table
from attn.store.repair.salvaging import Source
from attn.store.repair.transfer import OWN_TABLES, Dropped, Transferred, transfer

# Of what is lost or left out, this much is told on the screen, and this much written down; the old files have it all.
NAMED: Final = 10
WRITTEN: Final = 10_000
# Databases that no repair of this attn may touch: it would not understand what it leaves out.
_NOT_OURS: Final = ("schema_newer", "foreign_schema")


@dataclass(frozen=True)
class Proposal:
    """A new database for a home, and what it takes.

    needed: there is something to do; lines: what was found and what would become of it, for people; lost: rows that are
    known to have been there and have no place in the new database; uncertain: there may have been more of them;
    report: the same for programs, kept beside the old files.
    """

    kind: Kind
    image: bytes
    needed: bool = True
    lines: tuple[str, ...] = ()
    lost: int = 0
    uncertain: bool = False
    source: str = ""
    report: dict[str, Any] = field(default_factory=dict)


def propose(home: Home, kind: Kind, source: str, bundles: Collection[str], now_ms: int) -> Proposal:
    """The proposal of a kind. source: which backup a restore takes, empty for the newest good one."""
    match kind:
        case "schema":
            return schema_repair(home, now_ms)
        case "salvage":
            return salvage(home, bundles, now_ms)
        case "reset":
            return reset(home, now_ms)
        case "restore":
            return restore(home, Path(source) if source else None)


def schema_repair(home: Home, now_ms: int) -> Proposal:
    """Every row of a sound database, in one with the schema and the history that attn needs. Raises StoreFailure."""
    files = _present(home)
    if _left_by_others(home, files):
        text = f"{files.real}-wal is not the log that {home.database} was used with"
        raise StoreFailure("wal_mismatch", text, path=home.database)
    whole = image.whole(files) or b""
    database = Database.of_image(whole, home.database)
    try:
        require_sound(database, thorough=True)
        found = reading.harvest(database)
        wrong = _wrong(database, home.database)
    finally:
        database.close()
    if found.damaged:
        raise StoreFailure("corrupt", f"{home.database} has rows that cannot be read", path=home.database)
    done = transfer(list(found.tables.values()), salvaging.uuid_of(found), now_ms)
    lines = [f"wrong: {text}" for text in wrong] + _carried(done)
    return _proposal("schema", done, lines, {"wrong": wrong}, needed=bool(wrong))


def salvage(home: Home, bundles: Collection[str], now_ms: int) -> Proposal:
    """Every row that can still be read. bundles: ids of sessions that come back by themselves. Raises StoreFailure."""
    files = _present(home)
    sources = salvaging.sources(files)
    for source in sources:
        _refuse_others(source)
    found = salvaging.combine(sources, foreign_log=_left_by_others(home, files))
    done = transfer(found.tables, found.uuid, now_ms)
    lost = {name: keys for name, named in found.named.items() if (keys := done.missing(name, named))}
    back = sum(key[0] in bundles for key in lost.get("sessions", ()))
    gone = sum(map(len, lost.values()))
    lines = [*found.notes, *_carried(done)]
    if gone:
        named = [f"{name} {' '.join(map(str, key))}" for name, keys in lost.items() for key in sorted(keys, key=str)]
        lines.append(f"lost: {gone} rows: {_some(named)}")
        if back:
            lines.append(f"of these, {back} sessions come back from their own files when the daemon starts")
    if found.uncertain:
        # As many as there are row ids to be had says nothing.
        most = f", up to {found.unnamed}" if 0 < found.unnamed < UNKNOWN_ROWS else ""
        lines.append(f"lost: perhaps {'more ' if gone else ''}rows that nothing names any more{most}")
    if gone or found.uncertain:
        lines += _instead(home)
    written = {name: sorted(keys, key=str)[:WRITTEN] for name, keys in lost.items()}
    proposal = _proposal("salvage", done, lines, {"lost": written}, lost=gone, uncertain=found.uncertain)
    return replace(proposal, needed=not (found.well and not _strays(files) and not done.dropped))


def reset(home: Home, now_ms: int) -> Proposal:
    """A new, empty database; sessions come back from their bundles. Raises StoreFailure for one of a newer attn."""
    try:
        files = _present(home)
    except StoreFailure:
        files = None  # missing, empty or not to be read: that is what a reset is for
    for source in salvaging.sources(files) if files else ():
        _refuse_others(source, allowed="foreign_schema")
    done = transfer((), None, now_ms)
    lines = ["settings, pull requests and recent directories begin empty",
             "sessions come back from their own files when the daemon starts"]  # fmt: skip
    return _proposal("reset", done, lines, {})


def restore(home: Home, path: Path | None) -> Proposal:
    """A backup, verified. path: None for the newest good one. Raises StoreFailure; nothing is touched before."""
    if path is None:
        path = newest_good(home)
    path = path.absolute()
    try:
        return _restored(path)
    except StoreFailure as failure:
        failure.remedy = "run: attn backups"  # what helps a database that is in use does not help a backup
        raise


def _restored(path: Path) -> Proposal:
    files = image.read(path)
    whole = image.whole(files)
    if not whole:
        raise StoreFailure("missing_file", f"{path} is {'empty' if whole == b'' else 'not there'}", path=path)
    rows = verified(path, whole, files)
    lines = [f"from {path}: {_counted(rows)}", "sessions that are newer come back from their own files",
             "settings, pull requests and recent directories that were saved later do not"]  # fmt: skip
    return Proposal(
        "restore",
        whole,
        True,
        tuple(lines),
        source=str(path),
        report=_report("restore", rows=rows, source=str(path), lost_count=0, uncertain=False),
    )


def newest_good(home: Home) -> Path:
    """The newest backup that is still good. Raises StoreFailure when none is."""
    for made in backup.listed(home.backups):
        path = home.backups / Path(made.path).name
        try:
            files = image.read(path)
            verified(path, image.whole(files) or b"", files)
        except StoreFailure:
            continue  # `attn backups` says of each what is wrong with it
        return path
    raise StoreFailure("missing_file", f"{home.backups} holds no good backup", path=home.backups,
                       remedy="run: attn repair salvage")  # fmt: skip


def _instead(home: Home) -> list[str]:
    """Where rows are lost, a person may rather have the older ones."""
    try:
        path = newest_good(home)
        files = image.read(path)
        rows = verified(path, image.whole(files) or b"", files)
    except StoreFailure:
        return []  # there is none, so the salvage is all there is
    return [
        f"the newest good backup holds {_counted(rows)}; to take that: attn restore {shlex.quote(str(path))} --apply"
    ]


def verified(path: Path, whole: bytes, files: Files) -> dict[str, int]:
    """The rows of a backup, by table. Raises StoreFailure when it is not whole, not attn's, or of a newer attn."""
    record = next((made for made in backup.listed(path.parent) if Path(made.path).name == path.name), None)
    digest = hashlib.sha256(files.database or b"").hexdigest()
    if record is not None and record.sha256 != digest:
        raise StoreFailure("corrupt", f"{path} is not as it was when it was made", path=path)
    database = Database.of_image(whole, path)
    try:
        require_sound(database, thorough=True)
        decide(database, path)
        tables = sorted(schema.inspect(database).tables)
        return {name: int(str(database.one(f'SELECT count(*) FROM "{name}"'))) for name in tables}
    finally:
        database.close()


def _left_by_others(home: Home, files: Files) -> bool:
    """Whether the last daemon says that the log which stands there is not of this database."""
    if not files.log or not files.database:
        return False
    try:
        return foreign_log(files.real, Sentinel.read(home.sentinel)) is not None
    except OSError as error:
        raise classify_os(error, home.sentinel) from error


def _strays(files: Files) -> list[str]:
    """Logs beside the database, which may be what is wrong with it."""
    return [name for name, size in files.sizes.items() if size and name.endswith(("-wal", "-journal"))]


def _present(home: Home) -> Files:
    files = image.read(home.database)
    if files.database is None and not files.log:
        raise StoreFailure("missing_file", f"{home.database} is not there", path=home.database)
    if not files.database and not files.log:
        raise StoreFailure("empty_file", f"{home.database} is empty", path=home.database)
    return files


def _wrong(database: Database, path: Path) -> list[str]:
    """Why a start would refuse it; what a start puts right by itself does not count. Raises StoreFailure: not ours."""
    try:
        schema.apply(database, decide(database, path), 0)
    except StoreFailure as failure:
        if failure.code in _NOT_OURS:
            raise
        return [failure.message]
    return []


def _refuse_others(source: Source, allowed: str = "") -> None:
    """What damage makes look like another's is still ours when it holds nothing but what attn knows."""
    refusal = source.refusal
    if refusal is None or refusal.code not in _NOT_OURS or refusal.code == allowed:
        return
    if source.sound or not source.found.tables or any(not _known(table) for table in source.found.tables.values()):
        raise refusal


def _known(table: Table) -> bool:
    return set(table.columns) <= schema.canonical().tables.get(table.name, {}).keys()


def _proposal(
    kind: Kind,
    done: Transferred,
    lines: Sequence[str],
    facts: dict[str, Any],
    *,
    needed: bool = True,
    lost: int = 0,
    uncertain: bool = False,
) -> Proposal:
    left_out = [vars(dropped) for dropped in done.dropped[:WRITTEN]]
    facts |= {
        "rows": done.kept,
        "lost_count": lost,
        "uncertain": uncertain,
        "left_out_count": len(done.dropped),
        "left_out_rows": sum(dropped.whole for dropped in done.dropped),
        "left_out": left_out,
        "doubtful": len(done.doubtful),
        "filled": done.filled,
    }
    return Proposal(kind, done.image, needed, tuple(lines), lost, uncertain, report=_report(kind, **facts))


def _report(kind: Kind, **facts: Any) -> dict[str, Any]:
    return {"repair": kind, "app_version": attn.__version__, **facts}


def _carried(done: Transferred) -> list[str]:
    lines = [f"carried over: {_counted(done.kept)}"]
    if done.filled:
        lines.append(f"filled in: {done.filled} values that a column needs and no row had")
    if done.doubtful:
        lines.append(f"contradict themselves, perhaps not the rows they were: {_some(done.doubtful)}")
    if done.dropped:
        lines.append(f"left out, kept in report.json: {_some([_words(dropped) for dropped in done.dropped])}")
    return lines


def _words(dropped: Dropped) -> str:
    keys = reading.keys_of(dropped.table) or tuple(dropped.row)[:1]
    return f"{dropped.table} {' '.join(str(dropped.row.get(name)) for name in keys)} ({dropped.why})"


def _counted(rows: dict[str, int]) -> str:
    shown = {name: count for name, count in rows.items() if count and name not in OWN_TABLES}
    return ", ".join(f"{count} {name}" for name, count in shown.items()) or "no rows"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return "; ".join(names[:NAMED]) + more
