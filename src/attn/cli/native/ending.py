"""How an attach ends, and the exit status that says so. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from attn.cli.render import ending
from attn.errors import AttnError
from attn.wire.client_views import ExitView

EXIT_DETACHED: Final = 0
EXIT_DROPPED: Final = 254


@dataclass(frozen=True)
class End:
    """How an attach ended: the exit status, and what to tell."""

    status: int
    words: str = ""
    error: AttnError | None = None


def program_end(view: ExitView | None) -> End:
    """The end of the program is the end of its attach, whose status is the program's."""
    if view is None or (view.code is None and view.signal is None):
        return End(EXIT_DROPPED, "its program is gone, nobody knows how it ended")
    return End(view.code if view.code is not None else 128 + (view.signal or 0), ending(view))
