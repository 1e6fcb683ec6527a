"""The database's failure and warnings as the conditions that every client sees."""

from __future__ import annotations

from typing import Any

from attn.daemon.hub import Hub
from attn.daemon.store.keeper import StoreKeeper


class StoreConditions:
    """Shows what the keeper knows, and takes back what is over."""

    def __init__(self, hub: Hub, keeper: StoreKeeper) -> None:
        self._hub = hub
        self._keeper = keeper
        self._shown: set[str] = set()

    def changed(self) -> None:
        """The keeper's state changed: tell every client."""
        hub, keeper = self._hub, self._keeper
        wanted: set[str] = set()
        if keeper.failure is not None:
            wanted.add(keeper.failure.code)
            self._failed()
        elif keeper.state == "ephemeral":
            wanted.add("ephemeral")
            hub.raise_condition("ephemeral", "sessions are kept on disk, their list is not", facts=self._facts())
        for warning in keeper.warnings:
            wanted.add(warning.code)
            path = str(warning.path)
            hub.raise_condition(warning.code, warning.text, path, self._values(), self._facts())
        for code in self._shown - wanted:
            hub.clear_condition(code)
        self._shown = wanted
        hub.store_changed()

    def refusing(self) -> None:
        """As `changed`, for a daemon that ends without a usable database instead of going on."""
        if self._keeper.failure is not None:
            self._keeper.state = "refused"
            self._hub.stop.set()
        self.changed()

    def refuse(self) -> None:
        """Raises StoreFailure, with every command that helps, when the database cannot be used."""
        failure = self._keeper.failure
        if failure is not None:
            failure.remedy = "\n".join(self._hub.conditions[failure.code].commands)
            raise failure

    def _failed(self) -> None:
        failure = self._keeper.failure
        assert failure is not None
        facts = self._facts() | {
            "sqlite_name": failure.sqlite_name or None,
            "sqlite_message": failure.raw_message or None,
            "migration": failure.migration or None,
        }
        values = self._values() | {"pid": failure.pid}
        self._hub.raise_condition(failure.code, failure.message, str(failure.path), values, facts)

    def _values(self) -> dict[str, str]:
        return {"backup": self._keeper.view().last_good_backup or ""}

    def _facts(self) -> dict[str, Any]:
        view = self._keeper.view()
        return {
            "db_path": view.path,
            "not_saved_since_ms": self._keeper.not_saved_since_ms,
            "last_good_backup": view.last_good_backup,
            "last_good_backup_ms": view.last_good_backup_ms,
        }
