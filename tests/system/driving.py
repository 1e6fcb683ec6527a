"""Everything that a worker can do for a client, each once: for workers of all builds and in all circumstances."""

from __future__ import annotations

import json

from tests.system.client import Client

PRESSED = 900
ROWS, COLS = 30, 100


def everything_works(client: Client, session: str, word: str) -> None:
    """Drive a session that runs `cat`; `word` tells this time from others."""
    stream = client.attach(session, rows=ROWS, cols=COLS)
    assert stream.results[0]["source"] == "live" and stream.results[0]["fidelity"] == "screen"
    client.type(stream, f"{word} typed\r".encode(), request_id=PRESSED)
    client.result(PRESSED)
    client.until_output(stream, f"{word} typed\r\n{word} typed".encode())
    events = [{"action": action, "key": "x", "code": "KeyX", "text": "x", "mods": 0} for action in ("press", "release")]
    client.send("pty_keys", handle=stream.handle, events=events)
    said = client.request("send_text", session=session, text=f"{word} sent", enter=True, confirm=True)
    assert said["result"] == "confirmed"
    client.request("wait_session", session=session, text=f"x{word} sent", timeout_ms=20_000)
    for form in ("text", "ansi", "cells", "html"):
        assert word.encode() in client.screen(session, form)[1]
    assert json.loads(client.screen(session, "cells", history=None)[1])["rows"] == ROWS
    client.request("resize_session", session=session, rows=25, cols=90)
    client.until(lambda: (client.sessions[session]["rows"], client.sessions[session]["cols"]) == (25, 90))
    client.request("resize_session", session=session)
    client.request("rename_session", session=session, label=f"{word} named")
    cells = client.attach(session, **{"as": "cells"})
    assert json.loads(cells.payloads[0])["cols"] > 0
    client.request("detach_session", handle=cells.handle)
    client.request("detach_session", handle=stream.handle)
