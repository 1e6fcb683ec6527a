"""The unix socket under which a worker is found: bound, bound again when its name was taken away, asked for peers."""

from __future__ import annotations

import os
import socket
import struct
from typing import Final

_UCRED: Final = struct.Struct("3i")


def listen(path: bytes) -> socket.socket:
    """A unix socket at `path`, mode 0600 by the umask. The caller holds the session's lock, so a file there is stale.

    Raises OSError.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.setblocking(False)
    try:
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass
        listener.bind(path)
        listener.listen(16)
    except OSError:
        listener.close()
        raise
    return listener


def listen_again(path: bytes) -> socket.socket | None:
    """As `listen`, also when the directory is gone; None when that cannot be done for now."""
    try:
        if not os.path.isdir(os.path.dirname(path)):
            os.mkdir(os.path.dirname(path), 0o700)
        return listen(path)
    except OSError:
        return None


def accept(listener: socket.socket) -> socket.socket | None:
    """The next connection, None when there is none or it is not from our own user."""
    try:
        peer, _ = listener.accept()
    except OSError:
        return None  # it gave up in between, or no descriptor is left for it: the daemon asks again
    peer.setblocking(False)
    if hasattr(socket, "SO_PEERCRED"):
        _, uid, _ = _UCRED.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
        if uid != os.getuid():
            peer.close()
            return None
    return peer
