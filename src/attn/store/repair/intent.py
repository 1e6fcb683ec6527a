"""`repair.intent`: that a repair is at work, which one, and how far it came. On the disk before anything changes."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final, Literal

from attn.paths import Home
from attn.store.failures import StoreFailure, classify_os
from attn.store.file.durable import sync_file, write_durably

Kind = Literal["schema", "salvage", "reset", "restore"]
KINDS: Final[tuple[Kind, ...]] = ("schema", "salvage", "reset", "restore")
Step = Literal["building", "promoting"]


@dataclass(frozen=True)
class Intent:
    """folder: name of the directory below `aside/`; source: the backup that is restored, empty for the repairs.

    step: while `building` the database stands untouched; from `promoting` on the new one is whole, and files move.
    """

    kind: Kind
    folder: str
    source: str
    began_ms: int
    step: Step = "building"


def read(home: Home) -> Intent | None:
    """The intent that stands there; None without one. Raises StoreFailure when it cannot be read."""
    try:
        data = home.intent.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise classify_os(error, home.intent) from error
    try:
        found = Intent(**json.loads(data))
    except (ValueError, TypeError) as error:
        found = None
        reason = f"{error}"
    if found is None or found.kind not in KINDS or Path(found.folder).name != found.folder:
        text = f"{home.intent} is not what a repair of this attn writes ({reason if found is None else found})"
        raise StoreFailure("repair_incomplete", text, path=home.intent, remedy="run: attn repair salvage --abort")
    return found


def write(home: Home, intent: Intent) -> None:
    """Raises OSError; then the one before stands."""
    write_durably(home.intent, json.dumps(asdict(intent)).encode())


def promoting(home: Home, intent: Intent) -> Intent:
    """The new database is whole: from here on files move."""
    moved = replace(intent, step="promoting")
    write(home, moved)
    return moved


def clear(home: Home) -> None:
    """Nothing is left to do."""
    home.intent.unlink(missing_ok=True)
    sync_file(home.root)


def refuse_unfinished(home: Home) -> None:
    """Raises StoreFailure `repair_incomplete` while a repair is not ended."""
    if not os.path.lexists(home.intent):
        return
    unfinished = read(home)
    if unfinished is not None:
        text = f"a {unfinished.kind} of {home.database} was interrupted while {unfinished.step}"
        raise StoreFailure("repair_incomplete", text, path=home.intent)
