"""What protects the data is proved to be needed: without each part, a test that is named here fails.

A copy of the package with that one part taken out runs the test, so nothing here touches the source.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Mutation:
    """In `module` every first text of `changes` becomes the second; `test` must then fail."""

    name: str
    module: str
    changes: tuple[tuple[str, str], ...]
    test: str


MUTATIONS = (
    Mutation(
        "without a transaction",
        "store/database.py",
        (('self._run("BEGIN IMMEDIATE", migration)', "pass"), ('self._connection.execute("COMMIT")', "pass")),
        "tests/durability/test_failing_disk.py::test_a_migration_that_is_killed_anywhere_is_done_or_not",
    ),
    Mutation(
        "without the sync of each commit",
        "store/database.py",
        (("PRAGMA synchronous = FULL", "PRAGMA synchronous = OFF"),),
        "tests/durability/test_failing_disk.py::test_what_was_said_to_be_saved_outlasts_a_power_cut",
    ),
    Mutation(
        "without the backup",
        "store/opening.py",
        (('backup.make(database, home.backups, "migration", now_ms)', "pass"),),
        "tests/store/test_opening.py::test_every_older_schema_is_brought_up_to_date_with_a_backup_before",
    ),
    Mutation(
        "without the fingerprint",
        "store/schema.py",
        (("    return names + sorted(", "    return [] and sorted("),),
        "tests/store/test_losses.py::test_a_database_that_was_lost_is_never_replaced_by_an_empty_one",
    ),
    Mutation(
        "without the sentinel",
        "store/file/sentinel.py",
        (("json.loads(read_quietly(path))", "json.loads(read_quietly(path.with_suffix('.none')))"),),
        "tests/store/test_losses.py::test_a_database_that_was_lost_is_never_replaced_by_an_empty_one",
    ),
    Mutation(
        "without the look before each write",
        "store/database.py",
        (("if self._identity is None:", "if True:"),),
        "tests/store/test_opening.py::test_a_replaced_file_is_noticed_while_it_is_open",
    ),
    Mutation(
        "without the watch",
        "daemon/store/keeper.py",
        (("await self.use(Store.rest)", "pass"),),
        "tests/daemon/store/test_keeper.py::test_a_replaced_file_is_noticed_kept_and_not_touched",
    ),
    Mutation(
        "with a failed write that counts as done",
        "store/database.py",
        (("            raise failure from error\n        finally:", "            return\n        finally:"),),
        "tests/durability/test_failing_disk.py::test_a_write_that_returned_is_there_and_one_that_raised_was_not_said_to_be",
    ),
)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name.replace(" ", "-"))
def test_a_test_fails(mutation: Mutation) -> None:
    with tempfile.TemporaryDirectory(prefix="am-") as folder:
        copy = Path(folder)
        for part in ("src", "tests", "tools"):
            shutil.copytree(
                ROOT / part, copy / part, ignore=shutil.ignore_patterns("node_modules", "__pycache__", "page", "agents")
            )
        shutil.copy(ROOT / "pyproject.toml", copy)
        module = copy / "src" / "attn" / mutation.module
        text = module.read_text()
        for before, after in mutation.changes:
            assert text.count(before) == 1, f"{mutation.module} no longer says {before!r}"
            text = text.replace(before, after)
        module.write_text(text)
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", mutation.test]
        env = {**os.environ, "PYTHONPATH": f"{copy / 'src'}:{copy}"}
        done = subprocess.run(command, cwd=copy, env=env, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 1, (mutation.name, done.returncode, done.stdout[-2000:], done.stderr[-500:])
        assert str(copy) in _imported(env, copy), "the copy was not what ran"


def _imported(env: dict[str, str], folder: Path) -> str:
    command = [sys.executable, "-c", "import attn; print(attn.__file__)"]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=True).stdout
