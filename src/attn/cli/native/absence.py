"""What an attach does while there is no daemon: looks for it, and starts one in the place of one that crashed."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from attn.cli.link import Link, LinkLost
from attn.cli.starting import check_started, launch_daemon, open_link
from attn.errors import AttnError
from attn.lock import holder
from attn.paths import Home

if TYPE_CHECKING:
    from attn.cli.starting import Launched

# For a daemon that restarts. One that was stopped for good is not started again from here.
WAIT_FOR_S: Final = 30.0
# A daemon that is being restarted, by whomever, is back before that.
LAUNCH_AFTER_S: Final = 2.0
GREETING_TIMEOUT_S: Final = 2.0
NOTICE: Final = "attn: the daemon is gone, the program runs on; waiting for a daemon"


class Absence:
    """From the loss of a daemon to its return. `look` every now and then."""

    def __init__(self, home: Home, session_id: str, daemon_id: str) -> None:
        self._home = home
        self._session = session_id
        self._daemon_id = daemon_id
        self._since_s = time.monotonic()
        self._launched: Launched | None = None

    def look(self) -> Link | None:
        """The daemon that is back, None while there is none.

        Raises AttnError `daemon_unreachable` when it was waited for in vain or another one answers, and what a daemon
        that was started here told when it ended.
        """
        try:
            link = open_link(self._home, GREETING_TIMEOUT_S)
            hangs = False
        except LinkLost:
            link, hangs = None, True
        if link is not None:
            if link.hello.daemon_id == self._daemon_id:
                return link
            link.close()
            raise self._given_up("another daemon answers at its place")
        gone_s = time.monotonic() - self._since_s
        if gone_s > WAIT_FOR_S:
            raise self._given_up(f"the daemon has been gone for {WAIT_FOR_S:.0f} s")
        if self._launched is not None:
            check_started(self._home, self._launched)
        elif gone_s > LAUNCH_AFTER_S and not hangs and self._crashed():
            self._launched = launch_daemon(self._home)
        return None

    def _crashed(self) -> bool:
        """One that was stopped took its socket away; one that starts, and a repair, hold the lock."""
        return os.path.lexists(self._home.daemon_socket) and holder(self._home.lock) is None

    def _given_up(self, message: str) -> AttnError:
        return AttnError("daemon_unreachable", message, f"its program runs on; run: attn attach {self._session}")
