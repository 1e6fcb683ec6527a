"""A client that watches one session and acknowledges everything, in a process of its own.

usage: python -m bench.viewer SOCKET SESSION
"""

from __future__ import annotations

import sys
from pathlib import Path

from attn.cli.link import Frame, Link
from attn.wire.client_events import AttachResult
from attn.wire.client_requests import AttachSession, PtyAck


def main() -> None:
    """Never returns: whoever started this ends it."""
    with Link.open(Path(sys.argv[1])) as link:
        handle = link.request(AttachSession(id=0, session=sys.argv[2], rows=40, cols=120), AttachResult).handle
        while True:
            item = link.receive()
            if isinstance(item, Frame) and item.handle == handle and item.data:
                link.send(PtyAck(handle=handle, offset=item.offset + len(item.data)))


if __name__ == "__main__":
    main()
