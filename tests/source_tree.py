"""What the enforcement tests look at: the modules of the package, and every text file of the project."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "attn"
TESTS = ROOT / "tests"
# Written by a program or kept as evidence, so the rules for people's code do not apply.
GENERATED = {PACKAGE / "terminal" / "_ghostty_abi.py"}
NOT_OURS = {".git", ".venv", "node_modules", "dist", "build", "page", "__pycache__", "fixtures", "corpus", ".artifacts"}
TEXT = {".py", ".ts", ".tsx", ".css", ".html", ".toml", ".md", ".json", ".sh", ".mjs", ".lock", ".txt", ".yml", ""}


@cache
def modules() -> tuple[Path, ...]:
    """Every hand-written module of the package, `__init__` files included, sorted."""
    return tuple(sorted(path for path in PACKAGE.rglob("*.py") if path not in GENERATED))


@cache
def project_files() -> tuple[Path, ...]:
    """Every text file that people wrote in this project, sorted."""
    return tuple(sorted(_walk(ROOT)))


@cache
def tree(path: Path) -> ast.Module:
    """The parsed module."""
    return ast.parse(path.read_text(), filename=str(path))


def relative(path: Path) -> str:
    """The path as it is written in messages."""
    return str(path.relative_to(ROOT))


def _walk(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_dir():
            hidden = path.name.startswith(".") and path.name != ".ci"
            if not hidden and path.name not in NOT_OURS and not path.name.endswith(".egg-info"):
                yield from _walk(path)
        elif path.suffix in TEXT and path.name != ".git":  # a file in a linked worktree
            yield path
