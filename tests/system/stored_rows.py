"""The rows of sessions in the database of a home whose daemon is dead, to be read and to be spoiled."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from attn.paths import Home


def states(home: Home) -> dict[str, str]:
    """Session id -> stored state."""
    with closing(sqlite3.connect(home.database)) as database:
        return dict(database.execute("SELECT id, state FROM sessions"))


def forget(home: Home, *sessions: str) -> None:
    """As if a backup from before these sessions had been restored."""
    _change(home, "DELETE FROM sessions WHERE id = ?", [(session,) for session in sessions])


def set_state(home: Home, session: str, state: str) -> None:
    """What the database believes of a session."""
    _change(home, "UPDATE sessions SET state = ? WHERE id = ?", [(state, session)])


def _change(home: Home, statement: str, rows: list[tuple[str, ...]]) -> None:
    with closing(sqlite3.connect(home.database)) as database:
        changed = database.executemany(statement, rows).rowcount
        database.commit()
    assert changed == len(rows)
