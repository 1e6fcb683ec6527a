"""Keeps the scrollback of all sessions together within its bound.

Workers compress their own scrollback once they are quiet. This asks them what they hold, and where that is too much
for all together it has the longest idle compress and, if need be, drop their oldest lines, and says so.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from attn.core.scrollback import LIMIT_BYTES, Compress, Holding, Order, plan
from attn.daemon.sessions.live import Session, now_ms
from attn.errors import AttnError

if TYPE_CHECKING:
    from attn.daemon.hub import Hub

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 30.0
# Later than this after its last output a worker has compressed what it holds, and does not change.
SETTLED_MS: Final = 60_000
# The method of newer workers; older ones are left alone.
METHOD: Final = "scrollback"
CONDITION: Final = "scrollback_cut"


class ScrollbackBudget:
    """Looks at all workers now and then."""

    def __init__(self, hub: Hub, limit_bytes: int = LIMIT_BYTES) -> None:
        self._hub = hub
        self._limit_bytes = limit_bytes
        self._known: dict[str, tuple[Holding, int]] = {}  # and when it was asked
        self._cut: set[str] = set()

    async def watch(self) -> None:
        """Look for ever."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Ask whose scrollback may have changed, then have given back what is too much."""
        sessions = {session.id: session for session in self._hub.sessions.values() if _takes_orders(session)}
        self._known = {name: known for name, known in self._known.items() if name in sessions}
        self._cut &= self._hub.sessions.keys()
        for session in sessions.values():
            if not self._settled(session):
                await self._ask(session)
        now = now_ms()
        holdings = [
            Holding(name, known.size_bytes, known.compressed, now - (sessions[name].last_output_at_ms or 0))
            for name, (known, _asked_ms) in self._known.items()
        ]
        for order in plan(holdings, self._limit_bytes):
            await self._give(sessions[order.session], order)
        self._tell()

    def _settled(self, session: Session) -> bool:
        _holding, asked_ms = self._known.get(session.id, (None, 0))
        return asked_ms - (session.last_output_at_ms or 0) > SETTLED_MS

    async def _ask(self, session: Session) -> None:
        asked_ms = now_ms()
        try:
            if session.link is None:
                return
            health = await session.link.call("health", {})
            size_bytes, compressed = int(health["scrollback_bytes"]), bool(health["scrollback_compressed"])
            if health["scrollback_cuts"]:
                self._cut.add(session.id)
        except (AttnError, KeyError, TypeError, ValueError) as error:
            log.debug("its scrollback is not known: %s", error, extra={"session": session.id})
            return
        self._known[session.id] = Holding(session.id, size_bytes, compressed, 0), asked_ms

    async def _give(self, session: Session, order: Order) -> None:
        params = (
            {"compress": True} if isinstance(order, Compress) else {"compress": True, "keep_bytes": order.keep_bytes}
        )
        self._known.pop(session.id, None)  # it is asked again
        try:
            if session.link is None:
                return
            await session.link.call(METHOD, params)
        except AttnError as error:
            log.warning("it keeps its scrollback: %s", error, extra={"session": session.id})
            return
        if not isinstance(order, Compress):
            self._cut.add(session.id)

    def _tell(self) -> None:
        labels = [session.label for session in self._hub.sessions.values() if session.id in self._cut]
        if not labels:
            self._hub.clear_condition(CONDITION)
            return
        more = f" and {len(labels) - 5} more" if len(labels) > 5 else ""
        self._hub.raise_condition(CONDITION, f"the oldest lines of {', '.join(labels[:5])}{more}")


def _takes_orders(session: Session) -> bool:
    return session.link is not None and METHOD in session.link.features
