"""`attn repair` and `attn restore`: a new database in the place of the one that stands there, which is kept."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from attn.cli.render import say, show
from attn.cli.starting import found_home
from attn.cli.upkeep.standstill import now_ms, progress, standstill
from attn.paths import Home

if TYPE_CHECKING:
    from attn.store.repair.intent import Kind
    from attn.store.repair.proposals import Proposal

_OPTIONS = (
    click.option("--apply", "apply_", is_flag=True, help="Do it; without this only say what would be done."),
    click.option("--resume", is_flag=True, help="Go on with a repair or restore that was interrupted."),
    click.option("--abort", is_flag=True, help="Put back what an interrupted repair or restore found."),
)


def _options(command: Any) -> Any:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.group("repair")
def repair_command() -> None:
    """Repair the database: each kind says what it would do, and does it with --apply.

    The database that stands there is kept, in a dated directory below `aside` in the home (the newest five). The
    daemon is stopped for it and started again; all programs run on.
    """


@repair_command.command("schema")
@_options
def repair_schema(apply_: bool, resume: bool, abort: bool) -> None:
    """Give a sound database the tables, columns and history that attn needs, with all of its rows."""
    _command("schema", "", apply_=apply_, resume=resume, abort=abort)


@repair_command.command("salvage")
@_options
def repair_salvage(apply_: bool, resume: bool, abort: bool) -> None:
    """Save every row of a damaged database that can still be read, and name those that cannot."""
    _command("salvage", "", apply_=apply_, resume=resume, abort=abort)


@repair_command.command("reset")
@_options
def repair_reset(apply_: bool, resume: bool, abort: bool) -> None:
    """Begin with a new database; the sessions come back from their own files."""
    _command("reset", "", apply_=apply_, resume=resume, abort=abort)


@click.command("restore")
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--latest-good", is_flag=True, help="The newest backup that is still good.")
@_options
def restore_command(path: Path | None, latest_good: bool, apply_: bool, resume: bool, abort: bool) -> None:
    """Go back to a backup; sessions that are newer come back from their own files.

    PATH is a backup, or any other whole database of attn. It is verified before anything is touched.
    """
    if (path is None) != (latest_good or resume or abort):
        raise click.UsageError("Give either the PATH of a backup or --latest-good; attn backups lists them.")
    _command("restore", str(path.absolute()) if path else "", apply_=apply_, resume=resume, abort=abort)


def _command(kind: Kind, source: str, *, apply_: bool, resume: bool, abort: bool) -> None:
    if apply_ + resume + abort > 1:
        raise click.UsageError("Give one of --apply, --resume and --abort.")
    home = found_home()
    if resume or abort:
        _end_interrupted(home, resume=resume)
    elif apply_:
        _apply(home, kind, source)
    else:
        _plan(home, kind, source)


def _plan(home: Home, kind: Kind, source: str) -> None:
    proposal = _proposed(home, kind, source)
    if not proposal.needed:
        show(f"nothing to repair: {home.database} is as it should be")
        return
    show(f"attn would put a new database in the place of {home.database}:")
    _tell(proposal)
    show(f"what stands there now would be kept below {home.aside}; nothing is changed yet")
    name = f"restore {shlex.quote(source) if source else '--latest-good'}" if kind == "restore" else f"repair {kind}"
    show(f"to do it: attn {name} --apply")


def _apply(home: Home, kind: Kind, source: str) -> None:
    from attn.store.repair import intent, promotion

    intent.refuse_unfinished(home)
    if kind == "restore":
        _proposed(home, kind, source)  # a backup that is no good stops no daemon
    with standstill(home, f"attn {'' if kind == 'restore' else 'repair '}{kind}"):
        _refuse_held(home)
        proposal = _proposed(home, kind, source)
        if not proposal.needed:
            show(f"nothing to repair: {home.database} is as it should be")
            return
        with progress("writing the new database") as bar:
            folder = promotion.put_in_place(home, proposal, now_ms(), bar)
    _tell(proposal)
    _done(home, kind, promotion.cost(folder), folder)


def _end_interrupted(home: Home, *, resume: bool) -> None:
    from attn.store.repair import promotion

    kind = _unfinished(home, resume=resume)
    with standstill(home, f"attn repair {kind}"):
        _refuse_held(home)
        if not resume:
            _put_back(home)
            show(f"the {kind} is undone: {home.database} is what it was before")
            return
        with progress("writing the new database") as bar:
            folder, lost = promotion.resume(home, _bundles(home), now_ms(), bar)
    _done(home, kind, lost, folder)


def _unfinished(home: Home, *, resume: bool) -> str:
    """Which kind was interrupted; to go back, it need not be known."""
    from attn.store import StoreFailure
    from attn.store.repair import promotion

    try:
        return promotion.unfinished(home).kind
    except StoreFailure:
        if resume:
            raise
        return "repair"


def _put_back(home: Home) -> None:
    from attn.store import StoreFailure
    from attn.store.repair import promotion

    try:
        begun = promotion.unfinished(home)
    except StoreFailure:
        promotion.abort_unknown(home)
    else:
        promotion.abort(home, begun)


def _proposed(home: Home, kind: Kind, source: str) -> Proposal:
    from attn.store.repair import proposals

    return proposals.propose(home, kind, source, _bundles(home), now_ms())


def _bundles(home: Home) -> set[str]:
    """The sessions that come back by themselves."""
    from attn.bundle.bundle import list_bundles

    try:
        return {bundle.session_id for bundle in list_bundles(home.run)}
    except OSError as error:
        say(f"attn: {home.run} cannot be read: {error.strerror}")
        return set()


def _refuse_held(home: Home) -> None:
    """Another program that has the database open would go on with the file that is put aside."""
    from attn.store import StoreFailure
    from attn.store.file.holders import holder

    found = holder(home.database)
    if found is not None:
        message = f"{home.database} is held by {found}"
        raise StoreFailure("store_locked", message, path=home.database, pid=str(found.pid),
                           remedy="end that program, then try again")  # fmt: skip


def _tell(proposal: Proposal) -> None:
    for line in proposal.lines:
        show(f"  {line}")


_DONE: dict[str, Callable[[str], str]] = {
    "schema": lambda path: f"{path} has the schema that attn needs, and all of its rows",
    "salvage": lambda path: f"{path} is whole again, and no row is lost",
    "reset": lambda path: f"{path} is new",
    "restore": lambda path: f"{path} is what the backup holds",
}


def _done(home: Home, kind: str, lost: str, folder: Path) -> None:
    if lost:
        show(f"{home.database} is usable again; {lost}")
    else:
        show(_DONE[kind](str(home.database)))
    show(f"what stood there before is in {folder}")
