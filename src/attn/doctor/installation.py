"""attn as it is installed: where it runs from, which others there are, what it runs on."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attn
from attn import config
from attn.core import health
from attn.doctor.scene import Finding, Scene, fail, of_error, ok, warn
from attn.errors import AttnError
from attn.store.database import library_version
from attn.store.file.sentinel import older

# With more than one connection, older versions could lose commits (sqlite.org/wal.html, "The WAL Reset Bug").
_RESET_BUG_FIXED: Final = "3.51.3"


def program(scene: Scene) -> Iterator[Finding]:
    """Where attn and its Python are, and whether another attn is found before this one."""
    where = Path(attn.__file__).parent
    yield ok("program", f"attn {attn.__version__} on Python {platform.python_version()}, {sys.executable}", where)
    if not os.path.exists(sys.executable):
        commands = health.commands("interpreter_missing", {})
        yield fail("program", "interpreter_missing: the Python that runs attn is gone", sys.executable, commands[0])
    found: dict[str, Path] = {}
    for folder in scene.env.get("PATH", "").split(os.pathsep):
        file = Path(folder) / "attn"
        if folder and file.is_file() and os.access(file, os.X_OK):
            found.setdefault(os.path.realpath(file), file)
    if len(found) > 1:
        names = ", ".join(map(str, found.values()))
        yield warn("program", f"there are {len(found)} programs called attn: {names}", next(iter(found.values())),
                   "type -a attn")  # fmt: skip


def versions(scene: Scene) -> Iterator[Finding]:
    """Whether the daemon runs the same build."""
    if scene.answer is None:
        return
    theirs = scene.answer.version
    if theirs == attn.__version__:
        yield ok("versions", f"the daemon is attn {theirs} too")
    else:
        text = f"the daemon (pid {scene.answer.pid}) is attn {theirs}, this is attn {attn.__version__}"
        yield warn("versions", text, command="attn daemon restart")


def sqlite(scene: Scene) -> Iterator[Finding]:
    """The library, and whether its known bug is of any matter here."""
    version = library_version()
    if older(version, _RESET_BUG_FIXED):
        text = f"SQLite {version} has the bug of resetting logs, which needs two connections; attn has only one"
    else:
        text = f"SQLite {version}, without the bug of resetting logs"
    yield ok("sqlite", text)


def settings(scene: Scene) -> Iterator[Finding]:
    """Whether config.toml can be read and means something."""
    if not os.path.lexists(scene.home.config):
        yield ok("config", "there is none, so the defaults hold", scene.home.config)
        return
    try:
        config.load(scene.home, scene.env)
    except AttnError as error:
        yield of_error("config", error, scene.home.config)
    else:
        yield ok("config", "every key is known", scene.home.config)
