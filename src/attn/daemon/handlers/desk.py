"""What every handler works with, and how it finds what a message names."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from attn.core.session import resolve
from attn.daemon.auth import Logins
from attn.daemon.hub import Hub
from attn.daemon.lifecycle.lifecycle import Lifecycle
from attn.daemon.peer import Peer
from attn.daemon.sessions.attachment import Attachment
from attn.daemon.sessions.live import Session
from attn.daemon.startup import LoginEnvironment
from attn.daemon.workers.link import WorkerLink
from attn.errors import AttnError


@dataclass(frozen=True)
class Desk:
    """The daemon, as its handlers see it."""

    hub: Hub
    lifecycle: Lifecycle
    logins: Logins
    login_environment: asyncio.Future[LoginEnvironment]

    def session(self, ref: str) -> Session:
        """An id, unique prefix or label. Raises AttnError `unknown_session` or `ambiguous_session`."""
        return self.hub.sessions[resolve(list(self.hub.sessions.values()), ref)]

    def attachment(self, peer: Peer, handle: int) -> tuple[Session, Attachment]:
        """What `handle` is attached to. Raises AttnError `unknown_handle`, also for a handle of another client."""
        session = self.hub.handles.get(handle) if handle in peer.handles else None
        attachment = session.attachments.get(handle) if session else None
        if session is None or attachment is None:
            raise AttnError("unknown_handle", f"this client has no attachment {handle}")
        return session, attachment

    def link(self, session: Session) -> WorkerLink:
        """The way to a running session's worker. Raises AttnError `session_ended` or `worker_unreachable`."""
        if not session.running:
            raise AttnError("session_ended", f"the program of {session.label} has ended", "attn ls")
        if session.link is None:
            raise AttnError("worker_unreachable", f"the worker of {session.label} does not answer", "try again")
        return session.link

    def writable(self, peer: Peer, handle: int) -> tuple[Session, Attachment, WorkerLink]:
        """As `attachment`, for a client that types."""
        session, attachment = self.attachment(peer, handle)
        if attachment.read_only:
            raise AttnError("read_only", f"this client only watches {session.label}", "attach without read-only")
        return session, attachment, self.link(session)
