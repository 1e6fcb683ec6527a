"""Whatever is done to a database, in any order: what was said to be saved is there, or it is refused and untouched."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import tempfile
from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from attn.core import health
from attn.paths import Home
from attn.store import Store, StoreFailure, open_store, schema
from attn.store.backup import listed
from attn.store.repair import promotion, proposals
from tests.store.conftest import ROW, fingerprint, plain
from tests.store.faulty_disk import Fault, mounted
from tests.store.losses import LIVE, PR

FULL = bool(os.environ.get("ATTN_TEST_FULL"))
EMPTY = hashlib.sha256(b"").hexdigest()
REPAIRS = ("schema", "salvage", "reset", "restore")
EDITS = (
    "ALTER TABLE prs DROP COLUMN title",
    "ALTER TABLE sessions DROP COLUMN cause",
    "DROP TABLE recent_locations",
    "CREATE TABLE extra (a)",
    "CREATE TRIGGER t AFTER DELETE ON prs BEGIN SELECT 1; END",
    "DROP INDEX prs_host_repo_number",
)


class AnyOrder(RuleBasedStateMachine):
    """One home. `saved`: rows whose write returned while the store was well; None when they may be lost by now."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="any-")
        root = Path(self.folder.name) / "h"
        root.mkdir(mode=0o700)
        self.home = Home(root, root / "s", is_default=False)
        self.store: Store | None = None
        self.saved: set[str] = set()
        self.backed_up: dict[str, set[str]] = {}
        self.harmed = False
        self.now_ms = 1_700_000_000_000
        self.next = 0

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            if self.store is not None:
                self.store.close()
            self.folder.cleanup()

    def _opened(self, *, retry: bool) -> None:
        self.now_ms += 1000
        before = self._bytes()
        try:
            self.store = open_store(self.home, retry=retry, now_ms=self.now_ms)
        except StoreFailure as failure:
            assert failure.code in health.KINDS
            assert self._bytes() == before, failure
            return
        assert (
            schema.differences(schema.inspect(self.store.database), schema.canonical()) == [] or self.store.plan.ahead
        )
        for made in listed(self.home.backups):
            self.backed_up.setdefault(made.path, set(self.saved))

    def _bytes(self) -> dict[str, str]:
        """Of what holds data: SQLite clears away an empty log and its index when it opens a database."""
        return {name: digest for name, digest in fingerprint(self.home).items() if name in LIVE[:2] and digest != EMPTY}

    def _closed(self) -> None:
        if self.store is not None:
            self.store.close()
            self.store = None

    @precondition(lambda self: self.store is None)
    @rule(retry=st.booleans())
    def open_it(self, retry: bool) -> None:
        self._opened(retry=retry)

    @precondition(lambda self: self.store is not None)
    @rule(fault=st.sampled_from(["none", "none", "io_error", "full"]), at=st.integers(1, 4))
    def write(self, fault: Fault, at: int) -> None:
        assert self.store is not None
        name = f"row{self.next:07d}"
        self.next += 1
        if fault == "none":
            self.store.sessions.upsert(replace(ROW, id=name))
            self.saved.add(name)
            return
        self._closed()
        with mounted() as disk:
            self._opened(retry=False)
            if self.store is None:
                return
            disk.fault, disk.at, disk.lasting = fault, disk.operations + at, True
            try:
                self.store.sessions.upsert(replace(ROW, id=name))
                self.saved.add(name)
            except StoreFailure as failure:
                assert failure.code in ("io_error", "disk_full"), failure
            disk.fault = "none"
            self._closed()

    @precondition(lambda self: self.store is not None)
    @rule()
    def close_it(self) -> None:
        self._closed()

    @precondition(lambda self: self.store is not None)
    @rule()
    def kill_it(self) -> None:
        """What stands on the disk while it is open is what a killed daemon leaves."""
        kept = {name: (self.home.root / name).read_bytes() for name in LIVE if (self.home.root / name).exists()}
        self._closed()
        for name, data in kept.items():
            (self.home.root / name).write_bytes(data)

    @precondition(lambda self: self.store is not None)
    @rule()
    def back_up(self) -> None:
        assert self.store is not None
        self.now_ms += 1000
        made = self.store.back_up("manual", self.now_ms)
        assert made is not None
        self.backed_up[made.path] = set(self.saved)

    @precondition(lambda self: self.store is None and self.home.database.exists())
    @rule(edit=st.sampled_from(EDITS))
    def edit_the_schema(self, edit: str) -> None:
        self._as_another_program(edit)

    @precondition(lambda self: self.store is None and self.home.database.exists())
    @rule(name=st.sampled_from(["baseline", "prs-host", "prs-id-with-host", "sessions-launch"]))
    def forget_a_step(self, name: str) -> None:
        self._as_another_program(f"DELETE FROM migrations WHERE name = '{name}'")

    @precondition(lambda self: self.store is None and self.home.database.exists())
    @rule(needs=st.sampled_from([3, 99]))
    def write_the_future(self, needs: int) -> None:
        self._as_another_program("INSERT OR IGNORE INTO migrations VALUES ('2031', 'x', '9.9.9', 1, 'run')")
        self._as_another_program(f"UPDATE file_facts SET value = '{needs}' WHERE key = 'min_reader'")

    @precondition(lambda self: self.store is None and self.home.database.exists())
    @rule()
    def double_rows(self) -> None:
        self._as_another_program("DROP INDEX IF EXISTS prs_host_repo_number")
        for name in ("1", "2"):
            self._as_another_program(f"{PR} ('{name}', 'github.com', 'o/r', 7, 't', 'u', 'author', 'open', 1)")

    def _as_another_program(self, statement: str) -> None:
        """On a database that it can open: it may be damaged, or lack what the statement names."""
        try:
            plain(self.home, [statement])
        except sqlite3.Error:
            return

    @precondition(lambda self: self.store is None and self.home.database.exists())
    @rule(part=st.floats(0, 1))
    def truncate(self, part: float) -> None:
        data = self.home.database.read_bytes()
        self.home.database.write_bytes(data[: int(len(data) * part)])
        self.harmed = True

    @precondition(lambda self: self.store is None)
    @rule(kind=st.sampled_from(REPAIRS))
    def repair(self, kind: str) -> None:
        self.now_ms += 1000
        before = self._bytes()
        try:
            proposal = proposals.propose(self.home, kind, "", [], self.now_ms)  # type: ignore[arg-type]
        except StoreFailure as failure:
            assert failure.code in health.KINDS and self._bytes() == before
            return
        if not proposal.needed:
            return
        had = set(self.saved)
        promotion.put_in_place(self.home, proposal, self.now_ms, lambda *_: None)
        if kind == "reset":
            self.saved = set()
        elif kind == "restore":
            self.saved = self.backed_up.get(proposal.source, set()) & had
        elif kind == "salvage" and (proposal.lost or proposal.uncertain or self.harmed):
            self.saved = self._rows() & had
        self.harmed = False

    def _rows(self) -> set[str]:
        store = open_store(self.home, now_ms=self.now_ms)
        try:
            return {row.id for row in store.sessions.list()}
        finally:
            store.close()

    @invariant()
    def what_was_saved_is_there(self) -> None:
        if getattr(self, "store", None) is None or self.store is None:
            return
        assert self.store.state == "ok", "never in memory by itself"
        if not self.harmed:
            assert self.saved <= {row.id for row in self.store.sessions.list()}


AnyOrder.TestCase.settings = settings(
    max_examples=400 if FULL else 30,
    stateful_step_count=25,
    deadline=None,
    derandomize=not FULL,
    suppress_health_check=list(HealthCheck),
)
TestAnyOrder = AnyOrder.TestCase
