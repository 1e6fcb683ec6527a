"""A client in a process of its own, to be stopped and continued: attaches, applies, acknowledges, tells what it got.

Arguments: "unix" or "web", the session, and the text after which it is done; the home is the environment's. Writes one
JSON line when its first screen stands, and one at the end: {"starts": attach_results, "offset", "gaps", "tail": the
last output, hex}.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from attn.paths import home_from_env
from tests.system import web_bridge
from tests.system.client import Client

LIMIT_S = 120.0


def main() -> None:
    """Watch until the text came."""
    way, session, last = sys.argv[1:]
    home = home_from_env(os.environ)
    with ExitStack() as stack:
        path = home.daemon_socket
        if way == "web":
            path = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "web"
            web_bridge.serve(path, home)
        client = stack.enter_context(Client(path))
        client.hello()
        stream = client.attach(session)
        print(json.dumps({"offset": stream.offset}), flush=True)
        client.until_output(stream, last.encode(), LIMIT_S)
        client.until(lambda: stream.painted, LIMIT_S)
        facts = {"starts": len(stream.results), "offset": stream.offset, "gaps": stream.gaps}
        print(json.dumps({**facts, "tail": bytes(stream.data[-200:]).hex()}), flush=True)


if __name__ == "__main__":
    main()
