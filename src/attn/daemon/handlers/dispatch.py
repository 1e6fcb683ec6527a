"""From the bytes of a client to the function that handles them, and back to one reply.

Messages without an answer (input, keys, acknowledgements, sizes) are handled at once, in the order of the wire.
Every request runs as a task of its own, begun in that order, so that a long one holds up nothing else.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, get_args

import msgspec

from attn.daemon.handlers import screens, sending, sessions, status, streams
from attn.daemon.handlers.desk import Desk
from attn.daemon.handlers.streams import error_of
from attn.daemon.peer import REQUESTS_MAX, Peer
from attn.errors import AttnError
from attn.wire import client_api
from attn.wire import client_requests as wire

log = logging.getLogger(__name__)

AtOnce = Callable[[Desk, Peer, Any], None]
Answer = Callable[[Desk, Peer, Any], Awaitable[Any]]

AT_ONCE: Final[Mapping[type, AtOnce]] = MappingProxyType(
    {
        wire.ClientHello: lambda desk, peer, message: desk.hub.greet(peer, message),
        wire.PtyKeys: streams.pty_keys,
        wire.PtyAck: streams.pty_ack,
        wire.PtyResize: streams.pty_resize,
        wire.SetTheme: streams.set_theme,
    }
)

# Each returns its reply, or None when it sent it itself.
REQUESTS: Final[Mapping[type, Answer]] = MappingProxyType(
    {
        wire.SpawnSession: sessions.spawn_session,
        wire.AttachSession: streams.attach_session,
        wire.DetachSession: streams.detach_session,
        wire.ResizeSession: sessions.resize_session,
        wire.SendText: sending.send_text,
        wire.GetScreen: screens.get_screen,
        wire.WaitSession: screens.wait_session,
        wire.KillSession: sessions.kill_session,
        wire.ResumeSession: sessions.resume_session,
        wire.ReloadSession: sessions.reload_session,
        wire.RemoveSession: sessions.remove_session,
        wire.RenameSession: sessions.rename_session,
        wire.ResolveSession: sessions.resolve_session,
        wire.CompletePath: status.complete_path,
        wire.GetStatus: status.get_status,
        wire.MakeBackup: status.make_backup,
        wire.GetAgents: status.get_agents,
        wire.NewLogin: status.new_login,
        wire.SetSetting: status.set_setting,
        wire.StoreRetry: status.store_retry,
        wire.StopDaemon: status.stop_daemon,
    }
)

# What does not depend on the list of sessions, and so can be answered before recovery ended.
DURING_RECOVERY: Final = frozenset(
    {
        wire.GetStatus,
        wire.MakeBackup,
        wire.GetAgents,
        wire.NewLogin,
        wire.StopDaemon,
        wire.CompletePath,
        wire.DetachSession,
        wire.StoreRetry,
    }
)

# What changes nothing and is of no use once the one who asked is gone; waiting looks at the screen again and again.
FOR_THE_ASKER: Final = frozenset({wire.WaitSession, wire.GetScreen})

_KNOWN_TYPES: Final = frozenset(kind.__struct_config__.tag for kind in get_args(wire.ClientMessage))


class Dispatch:
    """Takes the messages of all clients."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def received(self, peer: Peer, kind: int, payload: bytes) -> None:
        """One message of one client."""
        try:
            if kind == client_api.JSON:
                self._message(peer, _decode(payload))
            elif kind != client_api.BINARY:
                raise AttnError("unknown_message", f"there is no frame of kind {kind}")
            elif peer.hello is not None:
                streams.pty_input(self._desk, peer, payload)
            else:
                raise _NO_HELLO
        except AttnError as error:
            peer.send(error_of(_request_id(payload) if kind == client_api.JSON else 0, error))
            if peer.hello is None:
                peer.close()

    def gone(self, peer: Peer) -> None:
        """The connection of a client is over. What it asked to be done is done, what it asked to be told is not."""
        peer.left()
        self._desk.hub.part(peer)

    def _message(self, peer: Peer, message: Any) -> None:
        if peer.hello is None and not isinstance(message, wire.ClientHello):
            raise _NO_HELLO
        at_once = AT_ONCE.get(type(message))
        if at_once is not None:
            at_once(self._desk, peer, message)
        elif peer.requests >= REQUESTS_MAX:
            raise AttnError("too_many_requests", f"{REQUESTS_MAX} requests of this client are still open", "wait")
        else:
            peer.requests += 1
            task = self._desk.hub.start(self._answer(peer, message), type(message).__name__)
            if type(message) in FOR_THE_ASKER:
                peer.watch(task)

    async def _answer(self, peer: Peer, message: Any) -> None:
        try:
            if self._desk.hub.recovering and type(message) not in DURING_RECOVERY:
                raise AttnError("daemon_recovering", "the daemon is finding its sessions", "try again in a second")
            reply = await REQUESTS[type(message)](self._desk, peer, message)
            if reply is not None:
                peer.send(reply)
        except AttnError as error:
            peer.send(error_of(message.id, error))
        except Exception as error:
            log.exception("%s failed", type(message).__name__)
            peer.send(error_of(message.id, AttnError("internal", f"a fault in attn: {error!r}", "see `attn logs`")))
        finally:
            peer.requests -= 1


_NO_HELLO: Final = AttnError("bad_message", "the first message must be `hello`", "send hello")


def _decode(payload: bytes) -> Any:
    try:
        return client_api.client_decoder.decode(payload)
    except msgspec.ValidationError as error:
        kind = _object(payload).get("type")
        if isinstance(kind, str) and kind not in _KNOWN_TYPES:
            raise AttnError("unknown_message", f"there is no message {kind[:80]!r}", "this daemon is older") from error
        raise AttnError("bad_message", f"the message does not fit: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise AttnError("bad_message", f"the message is not JSON: {error}") from error


def _request_id(payload: bytes) -> int:
    """The `id` of a message that could not be handled, 0 when it has none."""
    request_id = _object(payload).get("id")
    return request_id if isinstance(request_id, int) and not isinstance(request_id, bool) else 0


def _object(payload: bytes) -> dict[str, Any]:
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
