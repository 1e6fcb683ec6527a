"""kill -9 of the daemon, over and over: every byte of every program arrives exactly once, and nothing piles up."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing

from attn.bundle.bundle import Bundle
from attn.bundle.identity import DAEMON_NAME, SPAWNER_NAME, WORKER_NAME
from attn.terminal import cells
from attn.terminal.emulator import Emulator
from tests.system import processes, slices, writers
from tests.system.client import Client, Stream
from tests.system.conftest import DaemonProcess
from tests.system.writers import Reader, drain
from tests.waiting import wait_until

WRITERS = 5
# A new link to a worker and the last client's socket may overlap for a moment.
SLACK = 2
SETTLED_S = 20.0
GO = 900
FLOOD = """
import select, sys, tty
tty.setraw(0)
block, turn = b"".join(b"\\x1b[3%dmline %07d of a flood\\x1b[0m\\r\\n" % (n % 8, n) for n in range(500)), 0
while True:
    while not select.select([0], [], [], 0)[0]:
        sys.stdout.buffer.write(block)
    sys.stdin.buffer.raw.read(100)
    turn += 1
    sys.stdout.buffer.write(b"stopped %d." % turn)
    sys.stdout.buffer.flush()
    sys.stdin.buffer.raw.read(100)
"""


def at_once(daemon: DaemonProcess, readers: list[Reader]) -> None:
    """The daemon dies as soon as it listens, or as soon as it is known to be quiet."""
    daemon.kill()


def in_its_greeting(daemon: DaemonProcess, readers: list[Reader]) -> None:
    """A client has asked for the list and not read it."""
    with Client(daemon.home.daemon_socket) as client:
        client.send("hello", protocol=1, build="test", client="test")
        daemon.kill()


def in_an_attach(daemon: DaemonProcess, readers: list[Reader]) -> None:
    """A client has asked for all screens, and gets what it gets."""
    client = daemon.client()
    for reader in readers:
        reader.ask(client)
    daemon.kill()
    drain(client, readers)


def in_mid_stream(daemon: DaemonProcess, readers: list[Reader]) -> None:
    """A client that is up to date on all sessions has them move on."""
    client = daemon.client()
    for reader in readers:
        reader.attach(client)
    follow(client, readers, 3000)
    daemon.kill()
    drain(client, readers)


def follow(client: Client, readers: list[Reader], count: int) -> None:
    """Until every session has written `count` bytes more."""
    wanted = {reader.session: reader.offset + count for reader in readers}

    def reached() -> bool:
        for reader in readers:
            reader.take(client)
        return all(reader.offset >= wanted[reader.session] for reader in readers)

    client.until(reached)


MOMENTS: tuple[Callable[[DaemonProcess, list[Reader]], None], ...] = (
    at_once,
    in_its_greeting,
    in_an_attach,
    in_mid_stream,
    in_mid_stream,
)


def footprint(daemon: DaemonProcess, workers: list[int]) -> dict[str, int]:
    """Descriptors and processes, when everything is quiet."""
    found = processes.of_home(daemon.home)
    (spawner,) = [pid for pid, name in found.items() if name == SPAWNER_NAME]
    return {
        "daemon": processes.descriptors(daemon.pid),
        "spawner": processes.descriptors(spawner),
        "workers": sum(processes.descriptors(worker) for worker in workers),
        "processes": len(found),
    }


def settled(daemon: DaemonProcess, workers: list[int], usual: dict[str, int] | None) -> dict[str, int]:
    """The footprint, once the daemon's start and the ends of the last one are over."""

    def quiet() -> bool:
        names = sorted(processes.of_home(daemon.home).values())
        ours = (names.count(DAEMON_NAME), names.count(SPAWNER_NAME), names.count(WORKER_NAME))
        return ours == (1, 1, len(workers)) and "serves" in daemon.log()

    wait_until(quiet, SETTLED_S, "one daemon, one spawner and the workers")
    if usual is None:
        return footprint(daemon, workers)

    def flat() -> dict[str, int] | None:
        now = footprint(daemon, workers)
        return now if all(abs(now[name] - usual[name]) <= SLACK for name in usual) else None

    return wait_until(flat, SETTLED_S, f"a footprint like {usual}; it is {footprint(daemon, workers)}")


def rows(daemon: DaemonProcess) -> list[str]:
    """The ids in the database of a daemon that is not running."""
    with closing(sqlite3.connect(daemon.home.database)) as database:
        return [row[0] for row in database.execute("SELECT id FROM sessions")]


def test_every_byte_arrives_exactly_once(daemon: DaemonProcess) -> None:
    cycles = slices.count("kill -9 cycles with five writers", 30, 300)
    dice = slices.dice("moments")
    client = daemon.client()
    names = {client.spawn(*writers.program(name))["id"]: name for name in (f"w{number}" for number in range(WRITERS))}
    pids = {session: client.sessions[session]["pid"] for session in names}
    workers = sorted(processes.named(daemon.home, WORKER_NAME))
    readers = [Reader(session) for session in names]
    usual = None
    for _ in range(cycles):
        dice.choice(MOMENTS)(daemon, readers)
        daemon.start()
        client = daemon.client()
        views = [(view["id"], view["pid"], view["state"]) for view in client.sessions.values()]
        assert sorted(views) == sorted((session, pid, "running") for session, pid in pids.items())
        for reader in readers:
            reader.attach(client)
        usual = settled(daemon, workers, usual)
        client.socket.close()
    slices.result(f"each writer wrote {min(each.offset for each in readers):,} bytes or more; at the end {usual}")
    verify(daemon, readers, names)


def verify(daemon: DaemonProcess, readers: list[Reader], names: dict[str, str]) -> None:
    """Let the writers end, and compare all that each reader ever got with all that its writer ever wrote."""
    client = daemon.client()
    for reader in readers:
        reader.attach(client)
        reader.type(client, b"q")
    for reader in readers:
        client.event("session_exited", session=reader.session)
        reader.take(client)
        name, _, lines = reader.last.decode().splitlines()[-1].split()
        assert name == names[reader.session]
        assert reader.sha256.hexdigest() == writers.digest(name, int(lines))
        ended = Bundle(daemon.home.bundle(reader.session)).exit()
        assert ended is not None and (ended.code, ended.offset) == (0, reader.offset)
    assert daemon.end() == 0
    assert sorted(rows(daemon)) == sorted(names)


def test_a_flood_comes_back_with_one_snapshot(daemon: DaemonProcess) -> None:
    """As the page attaches: a frame first, and the whole history beside it.

    A client that falls behind the flood is told so and gets another one for that; how often is printed.
    """
    cycles = slices.count("kill -9 cycles under full flood", 5, 30)
    client = daemon.client()
    session = client.spawn(sys.executable, "-c", FLOOD, rows=24, cols=80)["id"]
    frame = client.attach(session, history=0)
    flooding(client, frame)
    single = 0
    for cycle in range(1, cycles + 1):
        daemon.restart()
        client = daemon.client()
        frame = client.attach(session, since=frame.offset, history=0)
        flooding(client, frame)
        behind = [event for event in client.events if event["type"] == "pty_desync"]
        assert [result["payload"] for result in frame.results] == ["snapshot"] * (1 + len(behind))
        single += not behind
        whole = client.attach(session)
        end = b"stopped %d." % cycle
        client.type(frame, b"stop")
        for stream in (frame, whole):
            client.until(lambda stream=stream, end=end: stream.painted and stream.data.endswith(end), 60)
            assert stream.gaps == 0
        head, shown = client.screen(session, "cells")
        assert head["offset"] == frame.offset == whole.offset
        assert cells_of(frame) == cells_of(whole) == json.loads(shown)
        client.type(frame, b"go", request_id=GO)
        client.result(GO)  # typed into the terminal: a daemon that dies now takes nothing with it
    slices.result(f"the flood wrote {frame.offset >> 20} MB; exactly one snapshot in {single} of {cycles} cycles")


def flooding(client: Client, stream: Stream) -> None:
    """Until megabytes of the flood passed by."""
    wanted = stream.received_bytes + (2 << 20)
    client.until(lambda: stream.received_bytes > wanted, 60)


def cells_of(stream: Stream) -> object:
    """What a terminal shows that got the snapshot and the output after it."""
    result = stream.results[-1]
    emulator = Emulator(result["screen_rows"], result["screen_cols"])
    emulator.feed(bytes(stream.data))
    return json.loads(json.dumps(cells.cells(emulator.capture())))
