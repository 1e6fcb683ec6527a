"""How sessions end and are forgotten.

The decision is on disk before anything happens: an intent in `meta.json` before the first signal, a directory's new
name before the first file is deleted. A daemon that is killed in between finds it at its next start and completes it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from attn.bundle.bundle import BundleBusy
from attn.bundle.files import BundleDamaged
from attn.bundle.records import Meta
from attn.bundle.removal import Removal, retire
from attn.daemon.lifecycle import programs
from attn.daemon.lifecycle.reaching import Reaching
from attn.daemon.sessions.live import Session, now_ms
from attn.errors import AttnError, refused_by_system

log = logging.getLogger(__name__)

# The kill ladder of the worker takes about 5 s; the client's own limit is longer than this.
KILL_LIMIT_S: Final = 20.0
# A program whose worker was killed hears a hang-up; agents take a moment to put their conversation away.
HANG_UP_LIMIT_S: Final = 5.0
HANG_UP_LOOK_S: Final = 0.05
# Ended sessions are shown and kept this long, and this many.
ENDED_KEPT_MS: Final = 14 * 24 * 3600 * 1000
ENDED_KEPT_MAX: Final = 200


class Ending(Reaching):
    """Ends the sessions of one hub."""

    async def kill(self, session: Session) -> None:
        """End the program and all it started; returns when its end is known. An ended one stays as it is."""
        if not session.running:
            await self.check_ended(session)
            return
        before = session.cause
        await self.intend(session, "killed", "kill")
        try:
            await self.end(session)
        except AttnError:
            await self.intend(session, before, None)  # it was told as failed: no later start shall go on with it
            raise
        await self.intend(session, session.cause, None)
        log.info("killed", extra={"session": session.id})

    async def check_ended(self, session: Session) -> None:
        """Whether the program of a session without a worker has ended, too. It has a moment to put things away.

        Raises AttnError `session_running`: who forgot it or started another beside it would lose it.
        """
        if worker := await self._hub.disk(programs.serving_removed, session.bundle):
            why = f"its worker (pid {worker}) runs on, but its files were removed, so that nobody can reach it any more"
            raise AttnError("session_running", why, f"end it first, with its program: kill {worker}")
        deadline = asyncio.get_running_loop().time() + HANG_UP_LIMIT_S
        while left := await self._hub.disk(programs.left_running, session.bundle):
            if asyncio.get_running_loop().time() >= deadline:
                raise AttnError(
                    "session_running",
                    f"its program (pid {left}) runs on without a terminal: its worker was killed, "
                    "and it heeds no hang-up",
                    f"end it first: kill {left}, or kill -9 {left}",
                )
            await asyncio.sleep(HANG_UP_LOOK_S)

    async def end(self, session: Session) -> None:
        """Let the worker climb the kill ladder, and wait for the end. Raises AttnError when it cannot be had."""
        if session.link is None and not await self.reach(session):
            if session.running:
                raise self.unreachable(session)
            return
        link = session.link
        if link is not None:
            # One that hangs would climb when it goes on, although the person was told no: ask first whether it listens.
            await link.call("info", {})
            await link.call("signal", {"ladder": True})
        try:
            await asyncio.wait_for(session.ended.wait(), KILL_LIMIT_S)
        except TimeoutError as error:
            raise AttnError(
                "timeout", f"{session.label} did not end within {KILL_LIMIT_S:.0f} s", "try again"
            ) from error

    async def remove(self, session: Session, *, force: bool) -> None:
        """Forget an ended session, files and all. Raises AttnError `session_running` unless `force` ends it first."""
        if session.running and not force:
            raise AttnError("session_running", f"{session.label} still runs", "attn kill it, or attn rm --force")
        if not session.running:
            await self.check_ended(session)
        before = session.cause
        await self.intend(session, "removed" if session.running else before, "remove")
        try:
            if session.running:
                await self.end(session)
            removal = await self._retire(session)
        except AttnError:
            await self.intend(session, before, None)
            raise
        forgotten = await self._hub.forget(session)
        log.info("removed", extra={"session": session.id})
        if removal is not None:
            await self.complete_removal(removal, forgotten=forgotten)

    async def _retire(self, session: Session) -> Removal | None:
        """Decide that it is no more; None when it has no bundle. Raises AttnError; then it is still there."""
        await self.worker_left(session)
        await self.sweep(session)
        try:
            async with session.busy:
                return await self._hub.disk(retire, session.bundle)
        except FileNotFoundError:
            log.info("it has no bundle any more", extra={"session": session.id})
            return None
        except BundleBusy as error:
            raise self.unreachable(session) from error
        except OSError as error:
            raise AttnError(
                "internal", f"{session.bundle.path} cannot be removed: {error}", "see `attn logs`"
            ) from error

    async def complete_removal(self, removal: Removal, *, forgotten: bool) -> bool:
        """Erase what it left; and the last trace too once its row is `forgotten`. What fails, the next start tries.

        -> whether nothing failed
        """
        try:
            await self._hub.disk(removal.erase)
            if forgotten:
                await self._hub.disk(removal.forget)
        except (OSError, BundleDamaged) as error:
            log.error("not all of it could be removed: %s", error, extra={"session": removal.session_id})
            return False
        return True

    async def prune(self, *, by_age: bool) -> None:
        """Forget ended sessions that are too many (the newest stay) or, if `by_age`, that ended too long ago.

        What could be started again did not end: it is kept as long as there is room.
        """
        ended = [session for session in self._hub.sessions.values() if not session.running]
        ended.sort(key=_ended_at_ms, reverse=True)
        for place, session in enumerate(ended):
            old = session.state == "exited" and now_ms() - _ended_at_ms(session) > ENDED_KEPT_MS
            if place >= ENDED_KEPT_MAX or (by_age and old):
                try:
                    await self.remove(session, force=False)
                except AttnError as error:
                    log.warning("it cannot be forgotten: %s", error, extra={"session": session.id})

    async def intend(self, session: Session, cause: str | None, intent: str | None) -> None:
        """Write what the session will come to, and why. A full disk keeps nobody from ending a program."""
        if (session.cause, session.intent) == (cause, intent):
            return
        session.cause, session.intent = cause, intent
        try:
            await self.write_meta(session)
        except AttnError as error:
            log.warning("why it ends is not recorded: %s", error, extra={"session": session.id})

    async def decide(self, session: Session, cause: str, intent: str) -> None:
        """As `intend`, for what must not begin unrecorded. Raises AttnError; then nothing is decided."""
        before = session.cause, session.intent
        session.cause, session.intent = cause, intent
        try:
            await self.write_meta(session)
        except AttnError:
            session.cause, session.intent = before
            raise

    async def write_meta(self, session: Session) -> None:
        """Put what may change of a session on disk. Raises AttnError `disk_full`, `fd_exhausted` or `internal`."""
        rows, cols = session.pinned or (None, None)
        meta = Meta(
            label=session.label, order=session.order, cause=session.cause, intent=session.intent,
            conversation=session.conversation, pinned_rows=rows, pinned_cols=cols,
        )  # fmt: skip
        try:
            await self._hub.disk(session.bundle.write_meta, meta)
        except OSError as error:
            raise refused_by_system(f"{session.bundle.path} cannot be written", error) from error


def _ended_at_ms(session: Session) -> int:
    """When it ended, or what is nearest to that."""
    if session.exit is not None:
        return session.exit.at_ms
    return session.last_output_at_ms or session.spec.created_at_ms
