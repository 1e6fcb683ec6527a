"""Programs that write without end, clients that do not read: everybody else is served, and memory stays bounded."""

from __future__ import annotations

import time
from pathlib import Path

from tests.system.client import Client
from tests.system.conftest import DaemonProcess
from tests.waiting import wait_until

# What one client that reads nothing may cost: its window, its backlog, one snapshot, the peer's own queue.
GROWTH_MAX_KB = 40 << 10
ECHO_LIMIT_S = 1.0


def resident_kb(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("a process without VmRSS")


def written_bytes(client: Client, session: str) -> int:
    head, _ = client.screen(session)
    return int(head["offset"])


def test_a_client_that_reads_nothing_holds_up_nobody(daemon: DaemonProcess) -> None:
    client, stuck = daemon.client(), daemon.client(acknowledge=False)
    flood = client.spawn("yes", "a line of a flood that never ends")["id"]
    echo = client.spawn("cat")["id"]
    for _ in range(3):
        stuck.send("attach_session", id=900, session=flood)  # and never read again
    before = resident_kb(daemon.pid)
    stream = client.attach(echo)
    first = written_bytes(client, flood)
    for number in range(20):
        needle = f"echo {number}".encode()
        began = time.monotonic()
        client.type(stream, needle + b"\r")
        client.until_output(stream, needle + b"\r\n" + needle, ECHO_LIMIT_S)
        assert time.monotonic() - began < ECHO_LIMIT_S
    wait_until(lambda: written_bytes(client, flood) > first + (20 << 20), 30, "20 MB of the flood")
    assert resident_kb(daemon.pid) - before < GROWTH_MAX_KB
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
