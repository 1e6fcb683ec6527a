"""The database's failure is one condition with everything a person needs, and goes when the failure does."""

from __future__ import annotations

import pytest

from attn.daemon.handlers.desk import Desk
from attn.daemon.store.conditions import StoreConditions
from attn.store import StoreFailure
from attn.store.file.probes import Finding
from attn.wire.client_events import StoreChanged
from tests.daemon.scripted import RecordingPeer


async def test_the_store_is_one_condition_with_all_its_facts(desk: Desk) -> None:
    hub, keeper = desk.hub, desk.hub.index.keeper
    conditions = StoreConditions(hub, keeper)
    conditions.changed()
    assert set(hub.conditions) == {"ephemeral"}
    keeper.failure = StoreFailure(
        "migration_failed", "it failed", path=hub.home.database, sqlite_name="SQLITE_CONSTRAINT", raw_message="no",
        migration="prs-host",
    )  # fmt: skip
    keeper.state, keeper.not_saved_since_ms = "degraded", 77
    conditions.changed()
    [shown] = hub.conditions.values()
    assert (shown.code, shown.severity, shown.detail) == ("migration_failed", "error", "it failed")
    assert (shown.db_path, shown.sqlite_name, shown.sqlite_message) == (
        str(hub.home.database), "SQLITE_CONSTRAINT", "no"
    )  # fmt: skip
    assert (shown.migration, shown.not_saved_since_ms, shown.last_good_backup) == ("prs-host", 77, None)
    assert f"ATTN_HOME={hub.home.root} attn store retry" in shown.commands
    keeper.failure, keeper.state = None, "ok"
    conditions.changed()
    assert hub.conditions == {}


async def test_warnings_stand_beside_a_store_that_works(desk: Desk) -> None:
    hub, keeper = desk.hub, desk.hub.index.keeper
    conditions = StoreConditions(hub, keeper)
    keeper.state = "ok"
    keeper._warnings = [Finding("network_fs", "it is far away", hub.home.database)]
    conditions.changed()
    assert set(hub.conditions) == {"network_fs"}


async def test_a_daemon_that_refuses_ends_with_all_commands(desk: Desk) -> None:
    hub, keeper = desk.hub, desk.hub.index.keeper
    conditions = StoreConditions(hub, keeper)
    conditions.refuse()
    keeper.failure = StoreFailure("corrupt", "it is damaged", path=hub.home.database)
    conditions.refusing()
    assert hub.stop.is_set() and keeper.state == "refused"
    with pytest.raises(StoreFailure) as raised:
        conditions.refuse()
    assert raised.value.remedy.splitlines() == hub.conditions["corrupt"].commands


async def test_the_state_is_told_once_for_each_change(desk: Desk) -> None:
    peer = RecordingPeer()
    desk.hub.peers[peer.id] = peer
    conditions = StoreConditions(desk.hub, desk.hub.index.keeper)
    for _ in range(2):
        conditions.changed()
    desk.hub.index.keeper.settings["theme"] = "dark"
    conditions.changed()
    assert [message.settings for message in peer.of(StoreChanged)] == [{}, {"theme": "dark"}]
