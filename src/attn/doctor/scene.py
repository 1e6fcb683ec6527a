"""What an examination looks at, and what it finds."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from attn.core import health
from attn.errors import AttnError
from attn.paths import Home
from attn.store import StoreFailure, backup

Level = Literal["ok", "warn", "fail"]
LEVELS: Final[tuple[Level, ...]] = ("ok", "warn", "fail")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    check: the row of the table that found it; what: one sentence; path: the exact file it is about, if it is about
    one; command: what helps, ready for a shell, empty when nothing is to be done.
    """

    check: str
    level: Level
    what: str
    path: str = ""
    command: str = ""


@dataclass(frozen=True)
class Condition:
    """One condition of the running daemon."""

    code: str
    severity: str
    text: str
    path: str
    command: str


@dataclass(frozen=True)
class Answer:
    """What the running daemon says of itself. sessions: states by id."""

    pid: int
    version: str
    store_state: str
    last_good_backup: str | None
    sessions: Mapping[str, str] = field(default_factory=dict)
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True)
class Scene:
    """One home and one environment. answer: None when no daemon answers, and then `silence` says why not."""

    home: Home
    env: Mapping[str, str]
    now_ms: int
    answer: Answer | None = None
    silence: str = ""

    @property
    def open(self) -> bool:
        """Whether the home can be looked into, if there is one."""
        return os.access(self.home.root, os.R_OK | os.X_OK) or not os.path.lexists(self.home.root)


@dataclass(frozen=True)
class Check:
    """One row of the table. inside: it looks into the home, which may be closed to us."""

    name: str
    title: str
    look: Callable[[Scene], Iterable[Finding]]
    inside: bool = True


def ok(check: str, what: str, path: Path | str = "") -> Finding:
    return Finding(check, "ok", what, str(path))


def warn(check: str, what: str, path: Path | str = "", command: str = "") -> Finding:
    return Finding(check, "warn", what, str(path), command)


def fail(check: str, what: str, path: Path | str = "", command: str = "") -> Finding:
    return Finding(check, "fail", what, str(path), command)


def of_code(scene: Scene, check: str, code: str, text: str, path: Path, *, pid: str = "") -> Finding:
    """A finding that is a condition of the table in `core.health`, with the first command that helps there."""
    kind = health.KINDS.get(code)
    values = {"path": str(path), "db": str(scene.home.database), "home": str(scene.home.root), "pid": pid,
              "backup": _newest_backup(scene)}  # fmt: skip
    commands = health.commands(code, values) if kind else []
    level: Level = "warn" if kind is not None and kind.severity != "error" else "fail"
    return Finding(check, level, f"{code}: {text}", str(path), commands[0] if commands else "")


def _newest_backup(scene: Scene) -> str:
    """The newest good one, empty without one that can be read."""
    try:
        made = backup.newest_intact(scene.home.backups) if scene.open else None
    except StoreFailure:
        return ""  # the check of the backups says why
    return str(scene.home.backups / Path(made.path).name) if made else ""


def quoted(path: Path | str) -> str:
    """For a shell."""
    return shlex.quote(str(path))


def of_error(check: str, error: AttnError, path: Path | str = "") -> Finding:
    return fail(check, f"{error.code}: {error.message}", path, error.remedy)
