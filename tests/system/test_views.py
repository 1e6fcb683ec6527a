"""What a client may ask to see: frames of cells, a session without an emulator, the truth after a crash in a flood."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

from tests.system.client import Client, Stream
from tests.system.conftest import DaemonProcess
from tests.waiting import wait_until


def test_frames_of_cells_follow_the_screen(daemon: DaemonProcess) -> None:
    client = daemon.client()
    session = client.spawn("cat", rows=24, cols=80)
    stream = client.attach(session["id"], **{"as": "cells"}, rows=24, cols=80)
    assert json.loads(stream.payloads[-1])["rows"] == 24
    client.type(stream, b"shown as cells\r")
    client.until(lambda: b"shown as cells" in stream.payloads[-1])
    assert {result["id"] for result in stream.results[1:]} == {0}
    frames = len(stream.payloads)
    client.request("detach_session", handle=stream.handle)
    other = client.attach(session["id"])
    client.type(other, b"no more\r")
    client.until_output(other, b"no more\r\nno more\r\n")
    assert len(stream.payloads) == frames


def test_a_flood_as_frames_is_a_few_frames(daemon: DaemonProcess) -> None:
    client = daemon.client()
    session = client.spawn("sh", "-c", "read x; seq 1 200000; echo the very end; cat")
    stream = client.attach(session["id"], **{"as": "cells"})
    client.type(stream, b"\r")
    client.until(lambda: b"the very end" in stream.payloads[-1], 60)
    assert len(stream.payloads) < 200


def test_without_an_emulator_the_raw_end_is_shown_and_named(cold: DaemonProcess) -> None:
    cold.home.root.mkdir(mode=0o700)
    cold.home.config.write_text('emulator = "off"\n')
    client = cold.start().client()
    session = client.spawn("sh", "-c", "printf 'plain\\r\\n\\033[6nasked\\r\\n'; cat")
    assert session["snapshot"] is False
    stream = client.attach(session["id"])
    client.until(lambda: stream.offset >= 17)
    again = client.attach(session["id"])
    assert (again.results[0]["payload"], again.results[0]["fidelity"]) == ("tail", "tail")
    assert b"asked" in again.payloads[0] and b"\x1b[6n" not in again.payloads[0]
    client.type(again, b"goes on\r")
    client.until_output(again, b"goes on\r\ngoes on\r\n")


def test_a_new_size_is_one_fresh_frame_for_everybody(daemon: DaemonProcess) -> None:
    client, other = daemon.client(), daemon.client()
    session = client.spawn("cat", rows=24, cols=80)
    one = client.attach(session["id"], rows=24, cols=80)
    two = other.attach(session["id"])
    client.send("pty_resize", handle=one.handle, rows=50, cols=100, take=True)
    for each, stream in ((client, one), (other, two)):
        each.until(lambda stream=stream: stream.results[-1]["screen_rows"] == 50 and stream.painted)
        assert next(event["reason"] for event in each.events if event["type"] == "pty_desync") == "resized"
    client.until(lambda: client.sessions[session["id"]]["cols"] == 100)
    client.request("resize_session", session=session["id"], rows=30, cols=90)
    client.send("pty_resize", handle=one.handle, rows=60, cols=120, take=True)
    client.until(lambda: client.sessions[session["id"]]["rows"] == 30)
    client.request("resize_session", session=session["id"])
    client.until(lambda: client.sessions[session["id"]]["rows"] == 60)


def test_after_a_crash_in_a_flood_one_fresh_start_shows_the_truth(daemon: DaemonProcess, tmp_path: Path) -> None:
    stop = tmp_path / "stop"
    client = daemon.client()
    script = f"i=0; while [ ! -e {stop} ]; do i=$((i+1)); echo line $i of the flood; done; echo end of the flood; cat"
    session = client.spawn("sh", "-c", script)
    stream = client.attach(session["id"])
    client.until(lambda: stream.received_bytes > 1 << 16)
    seen = stream.offset
    again = daemon.restart().client()
    resumed: Stream = again.attach(session["id"], since=seen)
    stop.touch()
    again.until_output(resumed, b"end of the flood\r\n", 60)
    assert len(resumed.results) == 1 and resumed.gaps == 0 and resumed.offset > seen
    head, text = again.screen(session["id"])
    assert head["offset"] == resumed.offset
    assert "end of the flood" in text.decode()


def test_sessions_start_when_the_spawner_is_gone(daemon: DaemonProcess) -> None:
    client = daemon.client()
    children = Path(f"/proc/{daemon.pid}/task/{daemon.pid}/children").read_text().split()
    spawner = next(pid for pid in children if b"attn.worker.spawner" in Path(f"/proc/{pid}/cmdline").read_bytes())
    os.kill(int(spawner), signal.SIGKILL)
    client.until(lambda: [condition["code"] for condition in client.conditions] == ["spawner_gone"])
    session = client.spawn("cat")
    stream = client.attach(session["id"])
    client.type(stream, b"by exec\r")
    client.until_output(stream, b"by exec\r\nby exec\r\n")
    again = daemon.restart().client()
    assert again.sessions[session["id"]]["pid"] == session["pid"]
    assert _conditions(again) == []


def _conditions(client: Client) -> list[str]:
    return [condition["code"] for condition in client.conditions]


def test_fifty_sessions_are_all_there(daemon: DaemonProcess) -> None:
    client = daemon.client()
    sessions = [client.spawn("cat") for _ in range(50)]
    again = daemon.restart().client()
    wait_until(lambda: len(again.sessions) == 50, 20, "all sessions")
    for session in sessions:
        stream = again.attach(session["id"])
        again.type(stream, b"here\r")
        again.until_output(stream, b"here\r\nhere\r\n")
        again.request("detach_session", handle=stream.handle)


def test_an_attach_says_all_that_a_client_must_know_and_a_second_one_does_not_break_the_first(
    daemon: DaemonProcess,
) -> None:
    client = daemon.client()
    session = client.spawn("sh", "-c", "printf '\\033[?1049h\\033[3;5Hfull'; cat", rows=24, cols=80)
    assert session["snapshot"] is True
    client.request("wait_session", session=session["id"], text="full")
    one = client.attach(session["id"])
    head = one.results[0]
    assert {name: head[name] for name in head if name not in ("id", "handle", "offset", "taken_at_ms")} == {
        "type": "attach_result", "session": session["id"], "screen_rows": 24, "screen_cols": 80,
        "cursor": {"row": 2, "col": 8, "visible": True}, "alternate_screen": True, "payload": "snapshot",
        "format": "vt1", "fidelity": "screen", "source": "live", "running": True,
    }  # fmt: skip
    assert head["offset"] == one.offset > 0 and head["taken_at_ms"] > session["created_at_ms"]
    asked = client.ask("attach_session", session=session["id"])
    client.type(one, b"meanwhile\r")
    two = client.streams[client.result(asked)["handle"]]
    assert two.handle != one.handle
    # The old stream lives until the new one stands and the client lets it go.
    client.until_output(one, b"meanwhile\r\nmeanwhile\r\n")
    client.until(lambda: two.painted and two.offset >= one.offset)
    client.request("detach_session", handle=one.handle)
    client.type(two, b"afterwards\r")
    client.until_output(two, b"afterwards\r\nafterwards\r\n")
    assert one.gaps == two.gaps == 0 and b"afterwards" not in one.data
