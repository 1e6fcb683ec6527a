"""Programs that write without end, clients that do not read: everybody else is served, and memory stays bounded."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.system import watcher
from tests.system.client import Client
from tests.system.conftest import DaemonProcess
from tests.waiting import wait_until

# What one client that reads nothing may cost: its window, its backlog, one snapshot, the peer's own queue.
GROWTH_MAX_KB = 40 << 10
ECHO_LIMIT_S = 1.0
SEQUENCES = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-Z^-~])")


def most_resident_kb(pid: int) -> int:
    """The most that a process ever held; what it holds now also falls because a system reclaims idle pages."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise AssertionError("a process without VmHWM")


def written_bytes(client: Client, session: str) -> int:
    head, _ = client.screen(session)
    return int(head["offset"])


def test_a_client_that_reads_nothing_holds_up_nobody(daemon: DaemonProcess) -> None:
    client, stuck = daemon.client(), daemon.client(acknowledge=False)
    flood = client.spawn("yes", "a line of a flood that never ends")["id"]
    echo = client.spawn("cat")["id"]
    for _ in range(3):
        stuck.send("attach_session", id=900, session=flood)  # and never read again
    before = most_resident_kb(daemon.pid)
    stream = client.attach(echo)
    first = written_bytes(client, flood)
    for number in range(20):
        needle = f"echo {number}".encode()
        began = time.monotonic()
        client.type(stream, needle + b"\r")
        client.until_output(stream, needle + b"\r\n" + needle, ECHO_LIMIT_S)
        assert time.monotonic() - began < ECHO_LIMIT_S
    wait_until(lambda: written_bytes(client, flood) > first + (20 << 20), 30, "20 MB of the flood")
    assert most_resident_kb(daemon.pid) - before < GROWTH_MAX_KB
    client.request("kill_session", session=flood)


def test_a_slow_client_gets_a_fresh_start_and_then_the_truth(daemon: DaemonProcess) -> None:
    client, slow = daemon.client(), daemon.client(acknowledge=False)
    session = client.spawn("sh", "-c", "read go; seq 1 1000000; read go; echo the end; cat")["id"]
    watching, behind = client.attach(session), slow.attach(session)
    slow.send("pty_ack", handle=behind.handle, offset=behind.offset)
    client.type(watching, b"go\r")
    client.until_output(watching, b"\r\n1000000\r\n", 60)
    slow.acknowledge = True
    slow.until(lambda: behind.received_bytes > 0)
    slow.send("pty_ack", handle=behind.handle, offset=behind.offset)
    slow.until(lambda: len(behind.results) > 1 and behind.painted, 30)
    assert any(event["type"] == "pty_desync" and event["reason"] == "backlog" for event in slow.events)
    assert behind.results[-1]["id"] == 0
    client.type(watching, b"go\r")
    for each, stream in ((client, watching), (slow, behind)):
        each.until_output(stream, b"the end\r\n")
    assert behind.offset == watching.offset and behind.gaps == watching.gaps == 0
    assert len(watching.results) == 1


def test_every_byte_arrives_once_at_a_client_that_keeps_up(daemon: DaemonProcess) -> None:
    client = daemon.client()
    session = client.spawn("sh", "-c", "read go; seq 1 300000; echo done")["id"]
    stream = client.attach(session)
    client.type(stream, b"go\r")
    client.until_output(stream, b"done\r\n", 60)
    numbers = b"".join(b"%d\r\n" % number for number in range(1, 300001))
    assert stream.gaps == 0 and len(stream.results) == 1
    assert numbers in bytes(stream.data)


def test_interrupt_reaches_a_flooding_program(daemon: DaemonProcess) -> None:
    client = daemon.client()
    session = client.spawn(
        "sh", "-c", "trap 'trap - INT; echo stopped; exit 5' INT; while :; do yes | head -c 1000000; done"
    )
    stream = client.attach(session["id"])
    client.until(lambda: stream.received_bytes > 1 << 20)
    began = time.monotonic()
    client.type(stream, b"\x03")
    client.until(lambda: client.sessions[session["id"]]["state"] == "exited", 20)
    assert time.monotonic() - began < 10


@contextmanager
def stopped_watcher(daemon: DaemonProcess, way: str, session: str, last: str) -> Iterator[subprocess.Popen[str]]:
    """A client in a process that was stopped after its first screen."""
    argv = [sys.executable, watcher.__file__, way, session, last]
    env = {**daemon.env, "PYTHONPATH": str(Path(watcher.__file__).parents[2])}
    with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline(), "the watcher did not come up"
            process.send_signal(signal.SIGSTOP)
            wait_until(lambda: _state(process.pid) == "T", 10, "the stop")
            yield process
        finally:
            process.kill()


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.mark.parametrize("way", ["unix", "web"])
def test_a_stopped_client_delays_nobody_and_gets_one_fresh_screen_when_it_goes_on(
    daemon: DaemonProcess, way: str
) -> None:
    client = daemon.client()
    session = client.spawn("sh", "-c", "read go; seq 1 3000000; echo flooded; read go; echo the very end; cat")["id"]
    echo = client.attach(client.spawn("cat")["id"])
    watching = client.attach(session)
    with stopped_watcher(daemon, way, session, "the very end\r\n") as stopped:
        before = most_resident_kb(daemon.pid)
        client.type(watching, b"go\r")
        for number in range(20):
            client.type(echo, b"echo %d\r" % number)
            client.until_output(echo, b"echo %d\r\necho %d\r\n" % (number, number))
        client.until_output(watching, b"flooded\r\n", 90)
        assert len(watching.results) == 1 and watching.gaps == 0, "who keeps up is not disturbed"
        assert most_resident_kb(daemon.pid) - before < GROWTH_MAX_KB
        stopped.send_signal(signal.SIGCONT)
        wait_until(lambda: _state(stopped.pid) != "T", 10, "its return")
        client.type(watching, b"go\r")
        client.until_output(watching, b"the very end\r\n")
        assert stopped.stdout is not None
        got = json.loads(stopped.stdout.readline())
    assert got["starts"] == 2, "its first screen, and one in place of all that it missed"
    assert (got["gaps"], got["offset"]) == (0, watching.offset)
    tail = SEQUENCES.sub(b"", bytes.fromhex(got["tail"]))  # the fresh screen may end, with its cursor, at any of them
    assert tail.endswith(b"3000000\r\nflooded\r\ngo\r\nthe very end\r\n")


@pytest.mark.parametrize("step", range(8))
def test_a_session_that_ends_while_its_screen_is_being_sent_is_shown_to_its_end(
    daemon: DaemonProcess, step: int
) -> None:
    """Killed before the screen was asked for, while its history is on its way, and after it came."""
    client = daemon.client()
    script = f"seq 1 20000; echo last words {step}; exec sleep 600"
    session = client.spawn("sh", "-c", script, rows=24, cols=80)["id"]
    client.request("wait_session", session=session, text=f"last words {step}")
    late = daemon.client(acknowledge=step % 2 == 0)
    asked = late.ask("attach_session", session=session)
    if step >= 4:
        late.until(lambda: late.streams)  # the head is there, and perhaps a part
    client.ask("kill_session", session=session)
    stream = late.streams[late.result(asked)["handle"]]
    late.until(lambda: stream.painted)
    late.event("session_exited", session=session)
    late.until(lambda: late.state(session) == "exited")
    assert f"last words {step}".encode() in stream.data
    again = late.attach(session)
    assert f"last words {step}".encode() in again.payloads[0]


def test_more_attaches_at_once_than_a_worker_makes_screens_are_all_served(daemon: DaemonProcess) -> None:
    client = daemon.client()
    session = client.spawn("sh", "-c", "seq 1 3000; echo the last line; cat", rows=24, cols=80)["id"]
    client.request("wait_session", session=session, text="the last line")
    asked = [client.ask("attach_session", session=session) for _ in range(60)]
    streams = [client.streams[client.result(request_id)["handle"]] for request_id in asked]
    client.until(lambda: all(stream.painted for stream in streams))
    assert {stream.results[0]["payload"] for stream in streams} == {"snapshot"}
    assert len({stream.payloads[0] for stream in streams}) == 1 and b"the last line" in streams[0].payloads[0]
