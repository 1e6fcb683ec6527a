"""Nothing unfinished, swallowed, slept on or machine-specific stays in the project."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

from tests.source_tree import ROOT, TESTS, modules, project_files, relative, tree

# Spelled in halves, so that this file does not find itself.
UNFINISHED = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK")) + r")\b")
# Folders of one machine: a checkout, a scratch folder, somebody's home.
ONE_MACHINE = re.compile(r"(?<![\w.])/(?:work|home/(?!x\b|user\b|you\b)\w+|Users/\w+|tmp/w)/")
SKIPS = re.compile(r"pytest\.(skip|importorskip|xfail)|mark\.(skip|skipif|xfail)\b|\b(it|test|describe)\.(skip|todo)\b")
NPM_LOCKS = ("web/package-lock.json", "tests/agents/package-lock.json")
PYTHON = [path for path in project_files() if path.suffix == ".py"]


def _found(pattern: re.Pattern[str], files: list[Path]) -> list[str]:
    lines = [(path, n, line) for path in files for n, line in enumerate(path.read_text().splitlines(), 1)]
    return [f"{relative(path)}:{n}: {line.strip()[:80]}" for path, n, line in lines if pattern.search(line)]


def _text_files() -> list[Path]:
    return [path for path in project_files() if path != Path(__file__).resolve() and path.suffix != ".lock"]


def test_nothing_is_unfinished() -> None:
    assert _found(UNFINISHED, [path for path in _text_files() if path.name != "package-lock.json"]) == []


def test_no_path_of_one_machine() -> None:
    assert _found(ONE_MACHINE, _text_files()) == []


def test_no_test_is_skipped() -> None:
    assert _found(SKIPS, [path for path in _text_files() if path.suffix in {".py", ".ts", ".tsx"}]) == []


def test_no_stub_stands_for_a_feature() -> None:
    assert _found(re.compile(r"\bNotImplemented(Error)?\b"), list(modules())) == []


def _swallows(handler: ast.ExceptHandler) -> bool:
    names = {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)} if handler.type else set()
    broad = handler.type is None or names & {"Exception", "BaseException"}
    return bool(broad) and all(isinstance(node, ast.Pass | ast.Continue) for node in handler.body)


def test_no_error_is_swallowed() -> None:
    silent = [
        f"{relative(path)}:{node.lineno}"
        for path in PYTHON
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler) and (node.type is None or _swallows(node))
    ]
    assert silent == []


def _sleeps(path: Path) -> list[int]:
    calls = [node for node in ast.walk(tree(path)) if isinstance(node, ast.Call)]
    return [
        call.lineno
        for call in calls
        if isinstance(call.func, ast.Attribute)
        and call.func.attr == "sleep"
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id in {"time", "asyncio"}
        # sleep(0) gives the event loop one turn; it waits for nothing.
        and not (call.args and isinstance(call.args[0], ast.Constant) and call.args[0].value == 0)
    ]


# A poll with a deadline is the only way to wait for what the kernel or another program does not announce. Each place
# that may do so stands here; everybody else calls it.
POLLERS = {"tests/waiting.py"}


def test_tests_wait_for_events_not_for_time() -> None:
    files = [path for path in PYTHON if TESTS in path.parents and relative(path) not in POLLERS]
    assert [f"{relative(path)}:{line}" for path in files for line in _sleeps(path)] == []


@pytest.mark.parametrize("name", NPM_LOCKS)
def test_npm_locks_pin_hashes_and_name_no_address(name: str) -> None:
    packages = json.loads((ROOT / name).read_text())["packages"]
    installed = {path: package for path, package in packages.items() if path}
    assert [path for path, package in installed.items() if not package["integrity"].startswith("sha512-")] == []
    assert [path for path, package in installed.items() if "resolved" in package] == []
    # Binaries of every platform: `npm ci` refuses a lock that was made where some of them could not be found.
    optional = {name for package in installed.values() for name in package.get("optionalDependencies", {})}
    assert optional - {path.rpartition("node_modules/")[2] for path in installed} == set()


def test_the_python_lock_pins_hashes_and_names_no_address() -> None:
    entries = re.split(r"^(?=[a-z])", (ROOT / "requirements.lock").read_text(), flags=re.MULTILINE)[1:]
    assert [entry.split()[0] for entry in entries if "==" not in entry or "--hash=sha256:" not in entry] == []
    assert [entry.split()[0] for entry in entries if "://" in entry] == []
    assert not re.search(r"^--", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
