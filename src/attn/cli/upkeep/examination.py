"""`attn doctor` and `attn debug`: how a home is, for its owner and for whoever is asked for help."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from attn import __version__
from attn.cli.render import say, show, show_json
from attn.cli.starting import open_link
from attn.cli.upkeep.standstill import now_ms
from attn.errors import EXIT_GENERIC, AttnError
from attn.paths import Home, home_from_env

if TYPE_CHECKING:
    from attn.doctor.scene import Answer, Finding, Scene
    from attn.wire.client_events import StatusResult
    from attn.wire.client_views import SessionView

# A daemon that is well answers in milliseconds; one that is stopped never.
ANSWER_LIMIT_S: Final = 3.0
EXIT_FAILED: Final = 2
_COLOURS: Final = {"ok": "32", "warn": "33", "fail": "31"}


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: level, version, home, at_ms, findings.")
def doctor_command(as_json: bool) -> int:
    """Look at everything and change nothing: installation, home, daemon, database, backups, sessions.

    Works whatever state attn is in, also without a daemon. Exit status 0: all is well, 1: something is worth
    knowing, 2: something does not work.
    """
    scene, _, _ = observed(home_from_env(os.environ))
    from attn.doctor.table import examine

    findings = list(examine(scene))
    level = worst(findings)
    if as_json:
        show_json(report(scene, findings))
    else:
        for line in lines(findings):
            sys.stdout.write(line + "\n")
    return {"ok": 0, "warn": EXIT_GENERIC, "fail": EXIT_FAILED}[level]


def worst(findings: Iterable[Finding]) -> str:
    """The level of the whole."""
    from attn.doctor.scene import LEVELS

    return max((finding.level for finding in findings), key=LEVELS.index, default="ok")


def report(scene: Scene, findings: list[Finding]) -> dict[str, Any]:
    """What `attn doctor --json` prints."""
    return {
        "level": worst(findings), "version": __version__, "home": str(scene.home.root), "at_ms": scene.now_ms,
        "findings": [asdict(finding) for finding in findings],
    }  # fmt: skip


def lines(findings: list[Finding]) -> list[str]:
    """For people: what is not well with its path and its command, and in the end how many of each there are."""
    from attn.core.session import printable

    width = max(len(finding.check) for finding in findings)
    told: list[str] = []
    for finding in findings:
        mark = f"\x1b[{_COLOURS[finding.level]}m{finding.level:<4}\x1b[m" if _coloured() else f"{finding.level:<4}"
        told.append(f"{mark}  {finding.check:<{width}}  {printable(' '.join(finding.what.split()))}")
        if finding.level != "ok":
            below = (finding.path, f"run: {finding.command}" if finding.command else "")
            told += [f"{'':<4}  {'':<{width}}  {printable(part)}" for part in below if part]
    counts = {level: sum(finding.level == level for finding in findings) for level in _COLOURS}
    words = f"{counts['ok']} well, {counts['warn']} worth knowing, {counts['fail']} not working"
    return [*told, "", words]


def _coloured() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def observed(home: Home) -> tuple[Scene, StatusResult | None, list[SessionView]]:
    """The home, and what its daemon says if one answers; none is ever started."""
    from attn.doctor.scene import Scene

    status, sessions, silence, version = None, [], "", ""
    try:
        link = open_link(home, ANSWER_LIMIT_S)
        if link is not None:
            from attn.wire.client_events import StatusResult
            from attn.wire.client_requests import GetStatus

            with link:
                status = link.request(GetStatus(id=0), StatusResult, ANSWER_LIMIT_S)
                sessions, version = link.hello.sessions, link.hello.version
    except AttnError as error:
        silence = f"{error.code}: {error.message}"
    answer = _answer(status, sessions, version) if status is not None else None
    return Scene(home, dict(os.environ), now_ms(), answer, silence), status, sessions


def _answer(status: StatusResult, sessions: list[SessionView], version: str) -> Answer:
    from attn.doctor.scene import Answer, Condition

    conditions = [
        Condition(each.code, each.severity, f"{each.title}: {each.detail}" if each.detail else each.title,
                  each.path or "", next(iter(each.commands), ""))
        for each in status.conditions
    ]  # fmt: skip
    states = {session.id: session.state for session in sessions}
    return Answer(status.daemon.pid, version, status.store.state, status.store.last_good_backup, states,
                  tuple(conditions))  # fmt: skip


@click.command("debug")
@click.option(
    "--to", metavar="FILE", type=click.Path(path_type=Path), help="Its name; else attn-debug-TIME.tar.gz here."
)
def debug_command(to: Path | None) -> None:
    """Gather what helps to find out what is wrong into one archive, to be looked through and sent.

    It holds versions, the findings of attn doctor, states of sessions and processes, and logs. It does not hold
    what passed through a terminal, secrets, values of environments, or arguments of programs.
    """
    from attn.cli.upkeep import archive
    from attn.doctor.table import examine

    home = home_from_env(os.environ)
    scene, status, sessions = observed(home)
    findings = report(scene, list(examine(scene)))
    target = to or Path(time.strftime("attn-debug-%Y%m%dT%H%M%S.tar.gz"))
    size = archive.write(target.absolute(), archive.gather(scene, findings, status, sessions))
    show(f"{target.absolute()}  ({size >> 10} KB)")
    say("attn: look through it before you send it: tar -xzf FILE")
