"""Writes the schema of each released step, with rows, to tests/fixtures/schemas: what later versions must still open.

usage: python tools/freeze_schema.py     writes the files that are missing; one that stands there is never changed
"""

from __future__ import annotations

from pathlib import Path

from attn.store.database import APPLICATION_ID
from attn.store.migrations import LEDGER, MIGRATIONS

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "schemas"

# Rows of every table as the first release wrote them; later steps must carry them along.
ROWS = (
    "INSERT INTO sessions (id, label, agent, cwd, state, created_at_ms) VALUES ('abcde00001', 'web', 'codex', '/x',"
    " 'exited', 1000), ('abcde00002', 'ünï', 'claude', '/y z', 'lost', 2000)",
    "INSERT INTO prs (id, repo, number, title, url, role, state, updated_at_ms) VALUES ('o/r#7', 'o/r', 7, 'Fix it',"
    " 'https://x/7', 'author', 'open', 3), ('o/r#8', 'o/r', 8, 'It''s', 'https://x/8', 'reviewer', 'closed', 4)",
    "INSERT INTO settings (key, value) VALUES ('theme', 'dark')",
    "INSERT INTO recent_locations (path, used_at_ms, use_count) VALUES ('/x', 5, 2)",
)


def script(steps: int) -> str:
    """The statements that make a database as the first `steps` steps left it."""
    lines = [*LEDGER]
    for at, step in enumerate(MIGRATIONS[:steps]):
        lines += [*step.statements, *(ROWS if at == 0 else ())]
        lines.append(f"INSERT INTO migrations VALUES ('{step.name}', '{step.checksum}', '0.1.0', {1000 + at}, 'run')")
    reader = max(step.min_reader for step in MIGRATIONS[:steps])
    lines.append(
        f"INSERT INTO file_facts VALUES ('uuid', 'frozen'), ('min_reader', '{reader}'), ('written_by', '0.1.0')"
    )
    lines += [f"PRAGMA application_id = {APPLICATION_ID}", f"PRAGMA user_version = {steps}"]
    return "".join(f"{line};\n" for line in lines)


def path(steps: int) -> Path:
    """The file of the schema after so many steps."""
    return FOLDER / f"{steps:02d}-{MIGRATIONS[steps - 1].name}.sql"


def main() -> None:
    """Write what is missing."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for steps in range(1, len(MIGRATIONS) + 1):
        if not path(steps).exists():
            path(steps).write_text(script(steps))
            print(f"wrote {path(steps).name}")


if __name__ == "__main__":
    main()
