"""The database, its repairs and its backups; read as bytes and opened in memory, so that its files stay as they are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

import attn
from attn.doctor.scene import Finding, Scene, of_code, ok, warn
from attn.store import StoreFailure, backup, schema
from attn.store.database import Database
from attn.store.failures import classify_os
from attn.store.file import holders, probes
from attn.store.file.sentinel import Sentinel, older
from attn.store.migrations import MIGRATIONS
from attn.store.opening import examine, look
from attn.store.repair import image, intent, proposals

# A home that is in use gets a backup several times a day.
OLD_MS: Final = int(timedelta(days=7).total_seconds() * 1000)


def interrupted(scene: Scene) -> Iterator[Finding]:
    """Whether a repair waits to be ended, and what repairs keep."""
    try:
        intent.refuse_unfinished(scene.home)
    except StoreFailure as failure:
        yield _failure("repair", failure, scene)
        return
    try:
        kept = sum(1 for entry in scene.home.aside.iterdir() if entry.is_dir())
    except OSError:
        return
    if kept:
        yield ok("repair", f"{kept} earlier databases are kept from repairs", scene.home.aside)


def content(scene: Scene) -> Iterator[Finding]:
    """What a start would say of the database, and more: all of it is read."""
    path = scene.home.database
    if scene.answer is not None and scene.answer.store_state in ("ok", "ephemeral", "migrating"):
        yield ok("database", f"the daemon has it open: {scene.answer.store_state}", path)
        return
    try:
        yield from _looked_at(scene)
    except StoreFailure as failure:
        yield _failure("database", failure, scene)


def _looked_at(scene: Scene) -> Iterator[Finding]:
    path = scene.home.database
    if not scene.home.root.is_dir():
        return
    holder = holders.holder(path)
    if holder is not None and (scene.answer is None or holder.pid != scene.answer.pid):
        text = f"{path} is held by {holder}"
        yield of_code(scene, "database", "store_locked", text, path, pid=str(holder.pid))
    if not look(scene.home):
        yield ok("database", "there is none yet; the first daemon makes it", path)
        return
    files = image.read(path)
    database = Database.of_image(image.whole(files) or b"", path)
    try:
        due = examine(database, thorough=True, had_rows=os.path.lexists(scene.home.sentinel))
        rows = sum(int(str(database.one(f'SELECT count(*) FROM "{name}"'))) for name in schema.inspect(database).tables)
        dangling = len(database.rows("PRAGMA foreign_key_check"))
        if not due.empty:
            schema.apply(database, due, scene.now_ms)  # this is a copy: whether the next start could do it
    finally:
        database.close()
    sizes = sum(files.sizes.values())
    yield ok("database", f"sound: {rows} rows in {sizes >> 10} KB", path)
    if dangling:
        yield of_code(scene, "database", "fk_violation", f"{dangling} rows refer to rows that are not there", path)
    if due.empty:
        yield ok("database", f"its schema and its history are those of attn, {len(MIGRATIONS)} steps", path)
    else:
        names = [step.name for step in (*due.run, *due.adopt, *due.relabel)] + [fact.name for _, fact in due.restore]
        yield ok("database", f"the next start brings it up to date: {', '.join(names) or 'its facts'}", path)
    linked = probes.link(path)
    if linked is None and path.is_symlink():
        yield warn("database", f"it is a link to {os.readlink(path)}", path)


def sentinel(scene: Scene) -> Iterator[Finding]:
    """Whether it is known that there is a database."""
    path = scene.home.sentinel
    try:
        found = Sentinel.read(path)
    except OSError as error:
        if scene.home.root.is_dir():
            yield _failure("sentinel", classify_os(error, path), scene)
        return
    if found is None:
        return
    running = scene.answer is not None
    ended = "closed in order" if found.clean else "not closed in order; the next start checks it thoroughly"
    state = "a daemon uses the database" if running else ended
    if older(attn.__version__, found.newest_version):
        text = f"attn {found.newest_version} has used this database, this is attn {attn.__version__}"
        yield of_code(scene, "sentinel", "binary_mismatch", text, Path(found.newest_python))
    if found.left_a_log and not running and scene.home.database.is_file():
        gone = probes.log_gone(scene.home.database.resolve())
        if gone is not None:
            yield of_code(scene, "sentinel", gone.code, gone.text, gone.path)
    yield ok("sentinel", f"last used by attn {found.app_version or 'of an unknown version'}; {state}", path)


def backups(scene: Scene) -> Iterator[Finding]:
    """Whether there is a good one, how old it is, and which are not good."""
    place = scene.home.backups
    newest_ms = 0
    try:
        found = backup.listed(place)
    except StoreFailure as failure:
        yield _failure("backups", failure, scene)
        return
    for made in found:
        path = place / Path(made.path).name
        try:
            files = image.read(path)
            proposals.verified(path, image.whole(files) or b"", files)
        except StoreFailure as failure:
            yield warn("backups", f"not good: {failure.code}: {failure.message}", path, "attn backup")
        else:
            newest_ms = max(newest_ms, made.at_ms)
    if newest_ms:
        age = timedelta(milliseconds=max(0, scene.now_ms - newest_ms)) // timedelta(minutes=1)
        text = f"{len(found)} are there; the newest good one is {age // 1440} d {age // 60 % 24} h {age % 60} min old"
        late = scene.now_ms - newest_ms > OLD_MS
        yield warn("backups", text, place, "attn backup") if late else ok("backups", text, place)
    elif scene.home.database.exists():
        yield warn("backups", "there is no good backup", place, "attn backup")


def _failure(check: str, failure: StoreFailure, scene: Scene) -> Finding:
    return of_code(scene, check, failure.code, failure.message, failure.path, pid=failure.pid)
