"""Size and naming limits: when a file presses against one, there is a noun still to be found."""

from __future__ import annotations

import ast
from collections import Counter

from tests.source_tree import PACKAGE, ROOT, TESTS, modules, relative, tree

MODULE_LINES = 400
FUNCTION_LINES = 40
MODULES_PER_PACKAGE = 9
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc", "base", "shared", "stuff"}
OUR_TOOLS = [path for folder in ("bench", "tools") for path in sorted((ROOT / folder).rglob("*.py"))]
TEST_MODULES = [
    path for path in sorted(TESTS.rglob("*.py")) if "fixtures" not in path.parts and "node_modules" not in path.parts
]


def test_no_module_is_longer_than_a_few_screens() -> None:
    sizes = {relative(path): len(path.read_text().splitlines()) for path in (*modules(), *OUR_TOOLS, *TEST_MODULES)}
    assert {name: lines for name, lines in sizes.items() if lines > MODULE_LINES} == {}


def test_no_function_is_longer_than_one_screen() -> None:
    long = {}
    for path in (*modules(), *OUR_TOOLS):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES:
                    long[f"{relative(path)}:{node.lineno} {node.name}"] = lines
    assert long == {}


def test_no_package_holds_more_than_nine_modules() -> None:
    counts = Counter(
        relative(path.parent) for path in modules() if path.parent != PACKAGE and path.name != "__init__.py"
    )
    assert {name: count for name, count in counts.items() if count > MODULES_PER_PACKAGE} == {}


def test_every_name_says_what_is_inside() -> None:
    named = [path for path in (*modules(), *OUR_TOOLS) if VAGUE_NAMES & {path.stem, path.parent.name}]
    assert [relative(path) for path in named] == []


def test_every_module_begins_with_its_purpose() -> None:
    assert [relative(path) for path in (*modules(), *OUR_TOOLS) if not ast.get_docstring(tree(path))] == []
