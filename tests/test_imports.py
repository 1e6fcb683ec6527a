"""What really gets imported: the import contracts read the source, this asks the interpreter."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.source_tree import ROOT

# Per entry point: top-level modules that it must not load on its way up.
NEVER = {
    "attn.worker.spawner": {"asyncio", "msgspec", "aiohttp", "apsw", "click", "rich", "sqlite3", "logging"},
    "attn.worker.server": {"asyncio", "msgspec", "aiohttp", "apsw", "click", "rich", "sqlite3", "logging"},
    "attn.cli": {"aiohttp", "rich", "pyghostty", "cffi", "apsw"},
    "attn.__main__": {"aiohttp", "rich", "pyghostty", "cffi", "apsw"},
    "attn.daemon.main": {"aiohttp", "rich", "pyghostty", "cffi", "click"},
}


@pytest.mark.parametrize("module", NEVER)
def test_an_entry_point_loads_only_what_it_uses(module: str) -> None:
    code = f"import sys, {module}; print(' '.join(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    run = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert NEVER[module] & set(run.stdout.split()) == set()


def test_the_import_contracts_hold() -> None:
    run = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command; lint_imports_command()",
            "--no-logo",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-4000:]
