"""Programs that write numbered lines at a known pace, and readers that reconnect by offset: every byte counts."""

from __future__ import annotations

import hashlib
import sys
from typing import Final

from tests.system.client import Client, Closed, Stream

LINE_BYTES: Final = 100
LINES_A_TURN: Final = 10
TURN_S: Final = 0.01
"""1000 bytes every 10 ms at most: 100 kB/s."""

# Ends with the line `NAME end LINES` once something is typed.
_PROGRAM: Final = """
import select, sys, tty
name, lines, turn_s, width = sys.argv[1].encode(), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
tty.setraw(0)
number, out = 0, sys.stdout.buffer
while not select.select([0], [], [], turn_s)[0]:
    for number in range(number + 1, number + lines + 1):
        out.write((b"%s %010d " % (name, number)).ljust(width - 2, b".") + b"\\r\\n")
    out.flush()
out.write(b"%s end %d\\r\\n" % (name, number))
out.flush()
"""


def program(name: str) -> list[str]:
    """The argv of a writer."""
    return [sys.executable, "-c", _PROGRAM, name, str(LINES_A_TURN), str(TURN_S), str(LINE_BYTES)]


def digest(name: str, lines: int) -> str:
    """The sha256 of all that a writer wrote until its end."""
    whole = hashlib.sha256()
    for number in range(1, lines + 1):
        whole.update((b"%s %010d " % (name.encode(), number)).ljust(LINE_BYTES - 2, b".") + b"\r\n")
    whole.update(b"%s end %d\r\n" % (name.encode(), lines))
    return whole.hexdigest()


class Reader:
    """What one person's client has of one writer, over all its connections."""

    def __init__(self, session: str) -> None:
        self.session = session
        self.offset = 0
        self.sha256 = hashlib.sha256()
        self.last = b""
        self._stream: Stream | None = None
        self._taken = 0

    def ask(self, client: Client) -> int:
        """Attach from where we are, without waiting for the answer; the id of the request."""
        self._stream, self._taken = None, 0
        return client.ask("attach_session", session=self.session, since=self.offset)

    def attach(self, client: Client) -> None:
        """Attach from where we are; what was missed is here when this returns."""
        request_id = self.ask(client)
        client.until(lambda: self._find(client) or request_id in client.replies)
        client.replies.pop(request_id, None)
        client.until(lambda: self._stream is not None and self._stream.painted)
        self.take(client)

    def _find(self, client: Client) -> Stream | None:
        own = (s for s in client.streams.values() if s.results and s.results[0]["session"] == self.session)
        self._stream = next(own, None)
        return self._stream

    def take(self, client: Client) -> None:
        """Count in what has arrived on this connection."""
        stream = self._stream or self._find(client)
        if stream is None or not stream.painted:
            return  # cut off before it was whole: a client throws that away
        assert [result["payload"] for result in stream.results] == ["delta"], "more than the missing bytes was sent"
        assert stream.gaps == 0
        fresh = bytes(stream.data[self._taken :])
        self._taken = len(stream.data)
        self.offset += len(fresh)
        assert self.offset == stream.offset
        self.sha256.update(fresh)
        self.last = (self.last + fresh)[-2 * LINE_BYTES :]

    def type(self, client: Client, data: bytes) -> None:
        """Send keys."""
        assert self._stream is not None
        client.type(self._stream, data)


def drain(client: Client, readers: list[Reader]) -> None:
    """Take what was on its way when the daemon died, to the last byte."""
    try:
        client.until(lambda: False)
    except (Closed, ConnectionError):
        pass  # its end is what was waited for
    for reader in readers:
        reader.take(client)
    client.socket.close()
