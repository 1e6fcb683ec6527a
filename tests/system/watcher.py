"""A client in a process of its own, to be stopped and continued: attaches, applies, acknowledges, tells what it got.

Arguments: the daemon's socket, the session, and the text after which it is done. Writes one JSON line when its first
screen stands, and one at the end: {"starts": attach_results, "offset", "gaps", "tail": the last output, hex}.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.system.client import Client

LIMIT_S = 120.0


def main() -> None:
    """Watch until the text came."""
    path, session, last = sys.argv[1:]
    with Client(Path(path)) as client:
        client.hello()
        stream = client.attach(session)
        print(json.dumps({"offset": stream.offset}), flush=True)
        client.until_output(stream, last.encode(), LIMIT_S)
        client.until(lambda: stream.painted, LIMIT_S)
        facts = {"starts": len(stream.results), "offset": stream.offset, "gaps": stream.gaps}
        print(json.dumps({**facts, "tail": bytes(stream.data[-200:]).hex()}), flush=True)


if __name__ == "__main__":
    main()
