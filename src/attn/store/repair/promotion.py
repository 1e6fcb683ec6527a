"""A new database takes the place of the old one; killed at any moment, it goes on or goes back.

What stands there decides, and the intent says that it is under way: as long as the new file is in the folder, the old
one is in force (or on its way into the folder); once it is not, it has the name. Logs leave before the new file comes,
so that none is ever worked into a database that is not its own. The old files stay in the folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Final

from attn.errors import AttnError
from attn.paths import Home
from attn.store.failures import StoreFailure, classify_os
from attn.store.file.durable import sync_file, write_durably
from attn.store.file.sentinel import Sentinel
from attn.store.repair import intent as intents
from attn.store.repair import proposals
from attn.store.repair.image import LOG_SUFFIXES
from attn.store.repair.intent import Intent
from attn.store.repair.proposals import Proposal

Progress = Callable[[int, int], None]
"""Called with bytes done and bytes in all."""

# Folders that are kept, the newest; an older one goes when a repair has succeeded.
KEPT_FOLDERS: Final = 5
# Beyond twice the new file: the report, the intent, the sentinel.
SPARE_BYTES: Final = 1 << 20
NEW: Final = "new.db"
REPORT: Final = "report.json"
_PIECE_BYTES: Final = 1 << 20


def put_in_place(home: Home, proposal: Proposal, now_ms: int, progress: Progress) -> Path:
    """Make what is proposed the database of a home; the folder that holds what stood there. Needs the home's lock.

    Raises StoreFailure: before the new file was whole everything is as it was, afterwards the code is
    `repair_incomplete` and `finish` or `abort` end it.
    """
    intents.refuse_unfinished(home)
    _make_room(home, len(proposal.image))
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(now_ms / 1000)) + f"{now_ms % 1000:03d}"
    begun = Intent(proposal.kind, f"{stamp}-{proposal.kind}", proposal.source, now_ms)
    try:
        intents.write(home, begun)
        _build(home, begun, proposal, progress)
        begun = intents.promoting(home, begun)
    except (OSError, StoreFailure, KeyboardInterrupt) as error:
        abort(home, begun)
        raise classify_os(error, home.database) if isinstance(error, OSError) else error from error
    return finish(home, begun)


def resume(home: Home, bundles: Collection[str], now_ms: int, progress: Progress) -> tuple[Path, str]:
    """Go on with the repair that was interrupted; the folder of what stood there before, and what it cost in words.

    Raises StoreFailure: `repair_incomplete` as before, or what makes the repair impossible.
    """
    begun = unfinished(home)
    if begun.step == "building":  # the database is untouched, so that it is looked at anew
        proposal = proposals.propose(home, begun.kind, begun.source, bundles, now_ms)
        try:
            _build(home, begun, proposal, progress)
            begun = intents.promoting(home, begun)
        except OSError as error:
            raise classify_os(error, home.database) from error
    return finish(home, begun), cost(home.aside / begun.folder)


def cost(folder: Path) -> str:
    """What is lost by a repair, or may be, in words, from its report; empty when nothing is."""
    try:
        report = json.loads((folder / REPORT).read_bytes())
        lost, uncertain = int(report["lost_count"]), bool(report["uncertain"])
        left_out, doubtful = int(report.get("left_out_rows", 0)), int(report.get("doubtful", 0))
    except (OSError, ValueError, KeyError):
        return "see the report for what is lost"
    if not lost and uncertain:
        return "rows may be lost that nothing names any more"
    if not lost and doubtful:
        return f"{doubtful} row{' contradicts itself' if doubtful == 1 else 's contradict themselves'}: see {REPORT}"
    if not lost:
        return f"{left_out} row{' is' if left_out == 1 else 's are'} left out, and kept in {REPORT}" if left_out else ""
    return f"{'at least ' if uncertain else ''}{lost} row{' is' if lost == 1 else 's are'} lost"


def unfinished(home: Home) -> Intent:
    """The repair that was interrupted. Raises AttnError `usage` when there is none."""
    begun = intents.read(home)
    if begun is None:
        raise AttnError("usage", f"no repair of {home.root} was interrupted", "run: attn doctor")
    return begun


def finish(home: Home, begun: Intent) -> Path:
    """Go on with a repair whose new file is whole. Raises StoreFailure `repair_incomplete`."""
    folder = home.aside / begun.folder
    try:
        if (folder / NEW).exists():
            for suffix in LOG_SUFFIXES:
                _move(_named(home.root, home, suffix), _named(folder, home, suffix))
            _sync(folder, home.root)
            _move(home.database, folder / home.database.name)
            _sync(folder, home.root)
            (folder / NEW).rename(home.database)
            _sync(folder, home.root)
        _leave_sentinel(home)
        intents.clear(home)
    except (OSError, StoreFailure) as error:
        raise _incomplete(begun, error, folder) from error
    _forget_old(home)
    return folder


def _leave_sentinel(home: Home) -> None:
    """There is a database, it was closed in order, and no log of it is known."""
    before = Sentinel.read(home.sentinel) or Sentinel()
    replace(before.without_log(), clean=True).recovered().write(home.sentinel)


def abort(home: Home, begun: Intent) -> None:
    """Put everything back as it was before. Raises StoreFailure `repair_incomplete`."""
    folder = home.aside / begun.folder
    try:
        if begun.step == "promoting":
            _put_back(home, folder)
            intents.write(home, replace(begun, step="building"))  # so that no new file does not mean promoted
        for name in (NEW, REPORT, f"{REPORT}.unfinished", home.sentinel.name, f"{home.sentinel.name}.unfinished"):
            (folder / name).unlink(missing_ok=True)
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
        intents.clear(home)
    except OSError as error:
        raise _incomplete(begun, error, folder) from error


def abort_unknown(home: Home) -> None:
    """Put everything back where the intent itself cannot be read: what stands in the folders says how far it came.

    Raises StoreFailure `repair_incomplete`.
    """
    folders = sorted(home.aside.iterdir(), reverse=True) if home.aside.is_dir() else []
    begun = next((folder for folder in folders if (folder / NEW).exists()), None)
    if begun is None:
        intents.clear(home)  # no new file is on its way: the database that stands there is the one in force
        return
    moved = any(os.path.lexists(_named(begun, home, suffix)) for suffix in ("", *LOG_SUFFIXES))
    abort(home, Intent("salvage", begun.name, "", 0, "promoting" if moved else "building"))


def _put_back(home: Home, folder: Path) -> None:
    if not (folder / NEW).exists():
        _move(home.database, folder / NEW)
        _sync(folder, home.root)
    _move(folder / home.database.name, home.database)
    _sync(folder, home.root)
    for suffix in LOG_SUFFIXES:
        _move(_named(folder, home, suffix), _named(home.root, home, suffix))
    before = folder / home.sentinel.name
    if before.exists():
        write_durably(home.sentinel, before.read_bytes())
    else:
        home.sentinel.unlink(missing_ok=True)
    _sync(folder, home.root)


def _build(home: Home, begun: Intent, proposal: Proposal, progress: Progress) -> None:
    """The folder with the new file, the report and the old sentinel, all on the disk. Done again it is the same."""
    folder, image = home.aside / begun.folder, proposal.image
    home.aside.mkdir(mode=0o700, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(folder / NEW, flags, 0o600)
    try:
        at = 0
        while at < len(image):
            at += os.write(descriptor, image[at : at + _PIECE_BYTES])
            progress(at, len(image))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if hashlib.sha256((folder / NEW).read_bytes()).digest() != hashlib.sha256(image).digest():
        raise StoreFailure("io_error", f"{folder / NEW} does not read as it was written", path=folder / NEW)
    write_durably(folder / REPORT, json.dumps(proposal.report, indent=1, ensure_ascii=False, default=str).encode())
    if home.sentinel.exists():
        write_durably(folder / home.sentinel.name, home.sentinel.read_bytes())
    _sync(folder, home.aside, home.root)


def _make_room(home: Home, size: int) -> None:
    try:
        disk = os.statvfs(home.root)
    except OSError as error:
        raise classify_os(error, home.root) from error
    free, needed = disk.f_bavail * disk.f_frsize, 2 * size + SPARE_BYTES
    if free < needed:
        text = f"this needs {needed >> 10} KB on the disk of {home.root}, {free >> 10} KB are free"
        raise StoreFailure("disk_low", text, path=home.database)


def _forget_old(home: Home) -> None:
    """Keep the newest folders. What cannot be removed stays; the repair is done all the same."""
    try:
        folders = sorted((entry for entry in home.aside.iterdir() if entry.is_dir()), reverse=True)
    except OSError:
        return
    for folder in folders[KEPT_FOLDERS:]:
        shutil.rmtree(folder, ignore_errors=True)


def _move(source: Path, target: Path) -> None:
    """Rename, if it has not happened yet; nothing is ever overwritten."""
    if not os.path.lexists(source):
        return
    if os.path.lexists(target):
        raise FileExistsError(0, f"both {source} and {target} are there", str(target))
    source.rename(target)


def _named(folder: Path, home: Home, suffix: str) -> Path:
    return folder / (home.database.name + suffix)


def _sync(*folders: Path) -> None:
    for folder in folders:
        if folder.is_dir():
            sync_file(folder)


def _incomplete(begun: Intent, error: Exception, folder: Path) -> StoreFailure:
    text = f"the {begun.kind} could not be ended ({error}); the files are in {folder} and {folder.parent.parent}"
    return StoreFailure("repair_incomplete", text, path=folder)
