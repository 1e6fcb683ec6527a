"""Whole frames for clients that draw cells."""

from __future__ import annotations

from attn.core.subscription import SNAPSHOT, SNAPSHOT_END, RequestSnapshot, Send
from attn.daemon.sessions.frames import FrameFeed

ASK = [RequestSnapshot(None, None)]


def painted(feed: FrameFeed, offset: int) -> None:
    feed.on_head(offset)
    assert feed.on_chunk(b"a", False) == [Send(SNAPSHOT, offset, b"a")]
    assert feed.on_chunk(b"b", True) == [Send(SNAPSHOT_END, offset, b"b")]


def test_one_frame_at_a_time_and_the_newest_next() -> None:
    feed = FrameFeed()
    assert feed.start() == ASK
    assert feed.on_output(0, b"x") == [] and feed.due() == []
    painted(feed, 1)
    assert feed.due() == []
    assert feed.on_ack(1) == ASK
    painted(feed, 2)
    assert feed.on_ack(2) == []
    assert feed.restart("resized") == ASK


def test_an_acknowledgement_of_an_older_frame_is_not_one_of_this() -> None:
    feed = FrameFeed()
    feed.start()
    painted(feed, 10)
    feed.on_output(10, b"x")
    assert feed.on_ack(9) == []
    assert feed.on_ack(10) == ASK


def test_a_lost_link_is_asked_again() -> None:
    feed = FrameFeed()
    feed.start()
    assert feed.on_link_lost() == [] and feed.due() == []
    assert feed.on_link_ready(5) == ASK
    painted(feed, 5)
    feed.on_ack(5)
    feed.on_link_lost()
    assert feed.on_link_ready(5) == []
    assert feed.on_link_ready(6) == ASK
