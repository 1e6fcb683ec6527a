"""The unix socket that clients connect to: bound at the start, and again whenever somebody took its name away.

Cleaners of temporary files remove sockets, and the end of a login removes the whole of $XDG_RUNTIME_DIR. Connections
that stand are not touched by either, but nobody new would find the daemon, and it could not be started anew: it runs.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from attn.daemon.startup import listen_unix
from attn.errors import AttnError

log = logging.getLogger(__name__)

# A starting client waits 10 s for the socket of a daemon that it knows to run.
LOOK_EVERY_S: Final = 2.0

Peer = Callable[[], asyncio.Protocol]


class Doorway:
    """The listening socket of one daemon. Only the holder of the home's lock may have one."""

    def __init__(self, path: Path, peer: Peer) -> None:
        """`peer` makes the protocol of each connection."""
        self._path = path
        self._peer = peer
        self._server: asyncio.Server | None = None
        self._bound: tuple[int, int] | None = None

    async def open(self) -> None:
        """Listen. Raises AttnError `home_unwritable`."""
        listener = listen_unix(self._path)
        self._bound = _identity(self._path)
        self._server = await asyncio.get_running_loop().create_unix_server(self._peer, sock=listener)

    async def keep_open(self) -> None:
        """Look after the name in the file system, for as long as the daemon runs."""
        told = False
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if _identity(self._path) == self._bound:
                continue
            try:
                self._path.parent.mkdir(mode=0o700, exist_ok=True)
                self.close()
                await self.open()
            except (OSError, AttnError) as error:
                if not told:
                    log.error("the clients' socket is gone and cannot be made again: %s", error)
                told = True
            else:
                log.warning("the clients' socket %s was taken away; it is there again", self._path)
                told = False

    def close(self) -> None:
        """Take no more clients; those who are connected stay."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def remove(self) -> None:
        """The last act: no client may find a socket that nobody serves."""
        self.close()
        self._path.unlink(missing_ok=True)


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file stands at `path`; None when there is none or it cannot be told."""
    try:
        facts = os.stat(path, follow_symlinks=False)
    except OSError:
        return None
    return facts.st_dev, facts.st_ino
