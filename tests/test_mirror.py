"""Tests mirror the source: `src/attn/x/y.py` is tested by `tests/x/test_y.py`."""

from __future__ import annotations

from tests.source_tree import PACKAGE, ROOT, TESTS, modules, relative

# Modules without a test file of their own, each with where it is tested. This list can only shrink: an entry whose
# test file appears, or whose module is gone, fails the second test.
TESTED_ELSEWHERE = {
    "src/attn/__main__.py": "tests/system runs it",
    "src/attn/wire/client_events.py": "tests/wire/test_client_api.py",
    "src/attn/wire/client_requests.py": "tests/wire/test_client_api.py",
    "src/attn/wire/client_views.py": "tests/wire/test_client_api.py",
}


def _mirror(module: str) -> str:
    path = (ROOT / module).relative_to(PACKAGE)
    return relative(TESTS / path.parent / f"test_{path.name}")


def test_every_module_has_its_test_file() -> None:
    wanted = [relative(path) for path in modules() if path.name != "__init__.py"]
    missing = {m: _mirror(m) for m in wanted if m not in TESTED_ELSEWHERE and not (ROOT / _mirror(m)).exists()}
    assert missing == {}


def test_the_list_of_exceptions_only_shrinks() -> None:
    assert [m for m in TESTED_ELSEWHERE if not (ROOT / m).exists() or (ROOT / _mirror(m)).exists()] == []


def test_init_files_hold_no_logic() -> None:
    long = [relative(p) for p in modules() if p.name == "__init__.py" and len(p.read_text().splitlines()) > 20]
    assert long == []
