"""What is kept of what a terminal said."""

from __future__ import annotations

from attn.terminal.outbox import Outbox


def test_replies_are_kept_in_order_up_to_a_bound() -> None:
    outbox = Outbox(24, 80)
    outbox.reply(b"one")
    outbox.reply(b"two")
    assert outbox.replies == b"onetwo"
    outbox.reply(bytes(1 << 20))
    assert outbox.replies == b"onetwo"


def test_of_each_kind_of_event_the_newest_counts() -> None:
    outbox = Outbox(24, 80)
    for text in ("a", "b"):
        outbox.bell()
        outbox.title_changed()
        outbox.directory_changed()
        outbox.clipboard(text)
    assert outbox.events == {"bell": "", "title": "", "directory": "", "clipboard": "b"}


def test_size_and_scheme_are_answered_from_what_is_known() -> None:
    outbox = Outbox(24, 80)
    assert outbox.size() == (24, 80, 8, 16)
    assert outbox.dark()
    outbox.is_dark = False
    assert not outbox.dark()
