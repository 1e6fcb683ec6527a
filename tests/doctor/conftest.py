"""A scene without a daemon, and the proof that looking at it changed nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from attn.doctor.scene import Answer, Finding, Scene
from attn.paths import Home
from attn.store import SessionRow, open_store

NOW_MS = 1_700_000_000_000
ROW = SessionRow("abcde00001", "web", "codex", ["codex"], "/home/x", "running", 40, 120, 1000)
ANSWER = Answer(4711, "0.1.0", "ok", None)


@pytest.fixture
def empty(tmp_path: Path) -> Scene:
    """A home that was never used."""
    home = Home(tmp_path / "home", tmp_path / "home" / "run" / "s", is_default=False)
    return Scene(home, {"PATH": "/nowhere", "HOME": str(tmp_path)}, NOW_MS)


@pytest.fixture
def scene(empty: Scene) -> Iterator[Scene]:
    """A home with a database and a backup; whatever is looked at, all of it is the same afterwards."""
    home = empty.home
    for folder in (home.root, home.run, home.sockets, home.logs):
        folder.mkdir(mode=0o700)
    home.daemon_id.write_text("d-id\n")
    home.token.write_text("token\n")
    for path in (home.daemon_id, home.token):
        path.chmod(0o600)
    store = open_store(home, now_ms=NOW_MS)
    store.sessions.upsert(ROW)
    store.back_up("manual", NOW_MS)
    store.close()
    yield empty


def tree(root: Path) -> dict[str, tuple[int, int, int, int, str]]:
    """Everything about every file: mode, size, times of change and of access, content."""
    found = {}
    for path in sorted(root.rglob("*")):
        facts = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[str(path)] = (facts.st_mode, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, content)
    return found


Look = Callable[[Scene], Iterator[Finding]]


def look(scene: Scene, check: Look) -> dict[str, str]:
    """`what` of each finding by its level, joined; nothing in the home may change."""
    before = tree(scene.home.root)
    found = list(check(scene))
    assert tree(scene.home.root) == before
    for finding in found:
        assert finding.what and (finding.level == "ok" or finding.path or finding.command)
    return {
        level: "\n".join(f"{f.what} | {f.path} | {f.command}" for f in found if f.level == level)
        for level in ("ok", "warn", "fail")
    }


def answered(scene: Scene, **changes: object) -> Scene:
    return replace(scene, answer=replace(ANSWER, **changes))  # type: ignore[arg-type]
