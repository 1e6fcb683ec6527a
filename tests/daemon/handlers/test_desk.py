"""How handlers find what a message names."""

from __future__ import annotations

import pytest

from attn.daemon.handlers.desk import Desk
from attn.errors import AttnError
from tests.daemon.scripted import RecordingPeer
from tests.daemon.test_hub import add


def test_a_session_by_id_prefix_or_label(desk: Desk) -> None:
    session = add(desk.hub, label="my cat")
    assert desk.session("abcdefghij") is desk.session("abc") is desk.session("my cat") is session
    with pytest.raises(AttnError, match="unknown_session"):
        desk.session("dog")


def test_a_handle_belongs_to_one_client(desk: Desk) -> None:
    session = add(desk.hub)
    handle = desk.hub.new_handle(session)
    with pytest.raises(AttnError, match="unknown_handle"):
        desk.attachment(RecordingPeer(), handle)


def test_without_a_worker_nothing_is_typed(desk: Desk) -> None:
    session = add(desk.hub)
    with pytest.raises(AttnError, match="worker_unreachable"):
        desk.link(session)
    session.state = "lost"
    with pytest.raises(AttnError, match="session_ended"):
        desk.link(session)
