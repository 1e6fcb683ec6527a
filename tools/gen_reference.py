"""Writes docs/config.md and src/attn/store/schema.sql from the tables of keys and of migrations.

Run it after changing config.py or store/migrations.py; tests/test_config.py and tests/store/test_schema.py fail until
the files on disk are what this gives.
"""

from __future__ import annotations

from pathlib import Path

from attn import config
from attn.store import schema
from attn.store.database import Database
from attn.store.migrations import MIGRATIONS
from attn.store.planner import Plan

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / "docs/config.md"
SCHEMA = ROOT / "src/attn/store/schema.sql"


def render_schema() -> str:
    """The text of schema.sql."""
    database = Database.in_memory()
    schema.apply(database, Plan(run=MIGRATIONS), 0)
    text = schema.dump(database)
    database.close()
    return text


def main() -> None:
    """Write both files."""
    CONFIG.write_text(config.document())
    SCHEMA.write_text(render_schema())


if __name__ == "__main__":
    main()
