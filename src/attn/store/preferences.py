"""Small things that a person would miss: the directories used last, and settings made in the page."""

from __future__ import annotations

from typing import Final

from attn.store.database import Database

# Directories that are remembered; the ones used longest ago go first.
MAX_PLACES: Final = 200


class Places:
    """Directories in which sessions were started. Methods raise StoreFailure."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def recent(self, limit: int = 20) -> list[str]:
        """The directories used last, newest first."""
        found = self._database.rows(
            "SELECT path FROM recent_locations ORDER BY used_at_ms DESC, path LIMIT ?", (limit,)
        )
        return [str(path) for (path,) in found]

    def remember(self, path: str, used_at_ms: int) -> None:
        """This directory was used at that time, which may be long ago."""
        with self._database.transaction():
            self._database.rows(
                "INSERT INTO recent_locations (path, used_at_ms) VALUES (?, ?) ON CONFLICT (path)"
                " DO UPDATE SET used_at_ms = max(used_at_ms, excluded.used_at_ms), use_count = use_count + 1",
                (path, used_at_ms),
            )
            self._database.rows(
                "DELETE FROM recent_locations WHERE path NOT IN"
                " (SELECT path FROM recent_locations ORDER BY used_at_ms DESC, path LIMIT ?)",
                (MAX_PLACES,),
            )


class Settings:
    """Texts by key. Methods raise StoreFailure."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, key: str) -> str | None:
        """The value of a key, None when it was never set."""
        value = self._database.one("SELECT value FROM settings WHERE key = ?", (key,))
        return None if value is None else str(value)

    def all(self) -> dict[str, str]:
        """Every key that was set, with its value."""
        found = self._database.rows("SELECT key, value FROM settings ORDER BY key")
        return {str(key): str(value) for key, value in found}

    def set(self, key: str, value: str) -> None:
        """Set a key."""
        with self._database.transaction():
            self._database.rows(
                "INSERT INTO settings (key, value) VALUES (?, ?)"
                " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                (key, value),
            )
