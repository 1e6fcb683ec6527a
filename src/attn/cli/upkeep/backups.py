"""`attn backup` and `attn backups`: verified copies of the database, with and without a daemon."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from attn.cli.render import show, show_json, table
from attn.cli.starting import found_home, open_link
from attn.cli.upkeep.standstill import now_ms, standstill
from attn.errors import AttnError
from attn.paths import Home

if TYPE_CHECKING:
    from attn.store.backup import Backup


@click.command("backup")
@click.option(
    "--to",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="A directory, or the name of a new file; else backups/.",
)
def backup_command(to: Path | None) -> None:
    """Make a verified copy of the database now; with or without a daemon."""
    home = found_home()
    target = to.absolute() if to else None
    link = open_link(home)
    if link is None:
        made = _made_here(home, target)
        path, rows = made.path, made.rows
    else:
        from attn.wire.client_events import BackupResult
        from attn.wire.client_requests import MakeBackup

        with link:
            answer = link.request(MakeBackup(id=0, to=str(target) if target else None), BackupResult, timeout_s=None)
        path, rows = answer.path, answer.rows
    show(f"{path}  ({sum(rows.values())} rows, verified)")


def _made_here(home: Home, target: Path | None) -> Backup:
    """Without a daemon, but under its lock, so that none begins meanwhile."""
    from attn.store import StoreFailure, backup
    from attn.store.database import Database
    from attn.store.opening import look
    from attn.store.repair import intent

    intent.refuse_unfinished(home)
    if not look(home):
        raise StoreFailure("missing_file", f"{home.database} is not there", path=home.database)
    with standstill(home, "attn backup"):
        database = Database.open(home.database)
        try:
            damage = database.damage(thorough=True)
            if damage:
                raise StoreFailure("corrupt", f"{home.database} is damaged: {damage[0]}", path=home.database)
            return backup.make_for_person(database, home.backups, target, now_ms())
        finally:
            database.close()


@click.command("backups")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: a list, newest first.")
def backups_command(as_json: bool) -> None:
    """List the backups, each verified again now, newest first; works without a daemon."""
    from attn.store import backup

    home = found_home()
    found = [_examined(home, made) for made in _with_bar(backup.listed(home.backups))]
    if as_json:
        show_json(found)
    elif found:
        for line in table(("MADE", "REASON", "SCHEMA", "ROWS", "STATE", "PATH"), [_row(entry) for entry in found]):
            show(line)
    else:
        raise AttnError("no_backup", f"there is no backup in {home.backups}", "run: attn backup")


def _with_bar(entries: list[Any]) -> Any:
    if len(entries) < 2 or not sys.stderr.isatty():
        return entries
    with click.progressbar(entries, label="verifying", file=sys.stderr) as bar:
        return [*bar]


def _examined(home: Home, made: Backup) -> dict[str, Any]:
    """One backup as `attn backups --json` prints it."""
    from attn.store import StoreFailure
    from attn.store.repair import image, proposals

    path = home.backups / Path(made.path).name
    problem = None
    try:
        files = image.read(path)
        proposals.verified(path, image.whole(files) or b"", files)
    except StoreFailure as failure:
        problem = f"{failure.code}: {failure.message}"
    return {
        "path": str(path), "at_ms": made.at_ms, "reason": made.reason, "schema": made.schema,
        "app_version": made.app_version, "rows": made.rows, "good": problem is None, "problem": problem,
    }  # fmt: skip


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    at = datetime.fromtimestamp(entry["at_ms"] / 1000).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    state = "good" if entry["good"] else str(entry["problem"]).partition(":")[0]
    return at, entry["reason"], str(entry["schema"]), str(sum(entry["rows"].values())), state, entry["path"]
