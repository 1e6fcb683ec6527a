"""What an attach says of itself."""

from __future__ import annotations

from typing import Any

import pytest

from attn.core.subscription import Subscription
from attn.daemon.sessions.attachment import Attachment
from attn.daemon.sessions.frames import FrameFeed
from tests.daemon.scripted import RecordingPeer


def attachment(**fields: Any) -> Attachment:
    facts = {
        "handle": 7, "peer": RecordingPeer(), "request_id": 1, "history": None, "read_only": False, "rows": 30,
        "cols": 90, "visible": True, "used_at_ms": 5, "since": None, "subscription": Subscription(10, 10),
    }  # fmt: skip
    return Attachment(**{**facts, **fields})


@pytest.mark.parametrize(
    ("fields", "counts"),
    [
        ({}, True),
        ({"read_only": True}, False),
        ({"visible": False}, False),
        ({"rows": None, "cols": None}, False),
        ({"rows": 4}, False),
        ({"cols": 19}, False),
    ],
)
def test_only_who_looks_and_may_type_has_a_vote(fields: dict[str, Any], counts: bool) -> None:
    assert attachment(**fields).vote().counts is counts


def test_later_attaches_win_a_tie() -> None:
    assert attachment(handle=9).vote().key < attachment(handle=10).vote().key


def test_a_payload_that_was_not_promised_is_not_passed_on() -> None:
    one = attachment()
    assert one.payload(b"screen") == b"screen"
    one.skips_payload = True
    assert one.payload(b"screen") == b""


def test_it_knows_whether_it_gets_cells() -> None:
    assert attachment(subscription=FrameFeed()).as_cells and not attachment().as_cells
