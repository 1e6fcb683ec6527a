"""Real workers with real programs: nothing of a session is lost, whatever the program or the daemon does."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from pathlib import Path

import pytest

from attn.bundle.bundle import Bundle
from attn.bundle.identity import same_process
from attn.wire import framing
from attn.wire import worker_api as api
from attn.wire.launch import pack_request
from tests.system.worker_client import (
    LIMIT_S,
    Client,
    Launcher,
    LaunchFailed,
    Refused,
    end,
    gone,
    hello,
)
from tests.waiting import wait_until

# -- in and out ------------------------------------------------------------------------------------------------------


def test_what_is_typed_comes_back(launcher: Launcher) -> None:
    session = launcher.start("cat", rows=10, cols=40)
    with session.connect(attach=True) as client:
        client.type("grüße 漢字 👍\r".encode())
        shown = client.wait_text("grüße 漢字 👍\ngrüße 漢字 👍")
        assert shown.count("\n") == 10
        assert bytes(client.output) == "grüße 漢字 👍\r\ngrüße 漢字 👍\r\n".encode()
    record = session.bundle.worker()
    assert record is not None
    assert (record.pid, record.child_pid) == (session.worker_pid, session.child_pid)
    assert same_process(record.pid, record.start_time, record.boot_id)
    assert session.bundle.lock_held()


def test_a_shell_works_and_ctrl_c_reaches_its_program(launcher: Launcher) -> None:
    session = launcher.start("bash", "--norc", "--noprofile")
    with session.connect(attach=True) as client:
        client.type(b"echo $((6*7)); sleep 600; echo status $?\r")
        client.wait_text("42\n")
        wait_until(lambda: _children(session.child_pid), LIMIT_S, "sleep")
        client.type(b"\x03")
        client.type(b"echo after $?\r")
        client.wait_text("after 130")


def _children(pid: int) -> str:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").strip()


def test_a_resize_is_seen_by_the_program_and_in_the_snapshot(launcher: Launcher) -> None:
    session = launcher.start("bash", "--norc", "--noprofile")
    with session.connect() as client:
        client.call("resize", rows=13, cols=57, width_px=0, height_px=0)
        client.type(b"stty size\r")
        client.wait_text("13 57")
        head, _ = client.fetch("snapshot", since=None, history=0)
        assert (head["rows"], head["cols"], head["fidelity"]) == (13, 57, "screen")


def test_invalid_utf8_arrives_as_it_is(launcher: Launcher) -> None:
    session = launcher.start("sh", "-c", r"printf 'a\377\376\300\200\355\240\200z'; exec cat")
    with session.connect() as client:
        client.wait_text("z")
        head, payload = client.fetch("snapshot", since=0)
        assert (head["payload"], payload) == ("delta", b"a\xff\xfe\xc0\x80\xed\xa0\x80z")
        json.loads(client.fetch("screen", format="cells", history=0)[1])
        client.fetch("snapshot", since=None)[1].decode()


# -- nobody watches --------------------------------------------------------------------------------------------------

FLOOD_BYTES = 20_000_000


def test_a_flood_is_drained_while_nobody_is_attached(launcher: Launcher) -> None:
    session = launcher.start(
        "sh", "-c", f"yes 'a line of the flood' | head -c {FLOOD_BYTES}; echo; echo over; exec cat"
    )
    with session.connect() as client:
        client.until(lambda: any(e["event"] == "activity" and e["offset"] > FLOOD_BYTES for e in client.events))
        shown = client.wait_text("over")
        assert shown.count("a line of the flood") > 15
        health = client.call("health")
        assert health["fed_bytes"] > FLOOD_BYTES
        assert health["ring_bytes"] <= (1 << 20) + (64 << 10)
        assert health["rss_kb"] < 100_000
        moments = [event["at_ms"] for event in client.events if event["event"] == "activity"]
        assert len(moments) <= 2 + (moments[-1] - moments[0]) // 900
        client.type(b"still responsive\r")
        client.wait_text("still responsive\nstill responsive")


def test_every_byte_of_a_flood_arrives_once_at_a_client_that_reads(launcher: Launcher) -> None:
    session = launcher.start("sh", "-c", "stty -opost -echo; printf ready; read go; seq 1 1000000; exec cat")
    with session.connect() as client:
        client.wait_text("ready")
        client.next_offset = client.call("attach")["offset"]
        client.type(b"\r")
        client.until(lambda: client.output.endswith(b"\n1000000\n"))
        assert client.gaps == 0
        assert client.output == b"".join(b"%d\n" % number for number in range(1, 1_000_001))


def test_an_endless_flood_ends_at_once_when_told(launcher: Launcher) -> None:
    session = launcher.start("yes")
    with session.connect() as client:
        client.until(lambda: any(event["event"] == "activity" for event in client.events))
        began = time.monotonic()
        client.type(b"\x03")
        ended = client.event("exit")
        assert (ended["code"], ended["signal"]) == (None, signal.SIGINT)
        assert time.monotonic() - began < 2
    gone(session)


def test_a_daemon_that_does_not_read_blocks_nothing(launcher: Launcher) -> None:
    session = launcher.start("yes")
    with session.connect(attach=True, receive_buffer=4096), session.connect() as other:
        for _ in range(3):
            before = other.call("info")["offset"]
            other.until(lambda before=before: other.call("info")["offset"] > before + (4 << 20))
        assert other.call("health")["rss_kb"] < 100_000
        assert other.call("health")["connections"] == 1


def test_the_end_of_a_lost_connection_is_found_again(launcher: Launcher) -> None:
    """A daemon that comes back with its offset gets exactly the missing bytes; with an old one, a snapshot."""
    session = launcher.start("sh", "-c", "stty -echo; echo ready; while read line; do seq 1 $line; done")
    with session.connect() as client:
        client.wait_text("ready")
        client.call("attach")
        client.type(b"1000\r")
        client.until(lambda: client.output.endswith(b"\n1000\r\n"))
        seen, offset = bytes(client.output), client.next_offset
    assert offset is not None
    with session.connect() as between:
        between.type(b"2000\r")
        between.wait_text("\n2000\n")
    with session.connect(attach=True) as client:
        head, missing = client.fetch("snapshot", since=offset)
        assert head["payload"] == "delta"
        assert seen + missing + client.output == b"".join(
            b"%d\r\n" % number for number in (*range(1, 1001), *range(1, 2001))
        )
        assert head["offset"] + len(client.output) == client.next_offset
        client.type(b"400000\r")
        client.until(lambda: client.output.endswith(b"\n400000\r\n"))
        head, _ = client.fetch("snapshot", since=offset, history=0)
        assert head["payload"] == "snapshot"


# -- what cannot start, who may not speak ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "cwd", "code"),
    [
        (["no-such-program"], "/", "agent_missing"),
        (["/etc/passwd"], "/", "not_executable"),
        (["cat"], "/no/such/place", "directory_missing"),
        (["cat"], "/etc/passwd", "not_a_directory"),
    ],
)
def test_what_cannot_start_leaves_no_worker_and_a_removable_bundle(
    launcher: Launcher, argv: list[str], cwd: str, code: str
) -> None:
    with pytest.raises(LaunchFailed) as failure:
        launcher.start(*argv, cwd=cwd)
    assert failure.value.code == code
    newest = max((path for path in launcher.root.iterdir() if path.is_dir()), key=lambda path: path.name)
    bundle = Bundle(newest)
    assert not bundle.lock_held()
    assert bundle.worker() is None and bundle.exit() is None
    assert not (launcher.root / f"{newest.name[-4:]}.s").exists()
    bundle.remove()
    assert not newest.exists()


def test_a_second_worker_of_a_session_is_refused(launcher: Launcher) -> None:
    session = launcher.start("cat")

    record = pack_request(
        session_id=session.bundle.session_id, bundle_dir=str(session.bundle.path), socket_path=session.socket_path,
        rows=5, cols=20, scrollback_lines=10, emulator=True, umask=0o022, cwd="/", argv=["cat"], env={},
    )  # fmt: skip
    assert launcher.order(record).startswith("error internal ")
    with session.connect() as client:
        assert client.call("info")["pid"] == session.child_pid


def test_nobody_speaks_without_the_token(launcher: Launcher) -> None:
    session = launcher.start("cat")
    for greeting in (hello("0" * 64), hello(session.bundle.control(), "another-daemon")):
        with Client(session.socket_path) as client, pytest.raises(Refused) as refused:
            client.call("hello", **greeting)
        assert refused.value.code in ("unauthorized", "wrong_daemon")
    with Client(session.socket_path) as client, pytest.raises(Refused) as refused:
        client.call("info")
    assert refused.value.code == "unauthorized"
    assert Path(session.socket_path).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("garbage", [b"\xff" * 64, b"GET / HTTP/1.1\r\n\r\n", framing.encode(api.REQUEST, b"{}")])
def test_garbage_costs_its_sender_the_connection_and_nobody_else(launcher: Launcher, garbage: bytes) -> None:
    session = launcher.start("cat")
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.settimeout(LIMIT_S)
        stranger.connect(session.socket_path)
        stranger.sendall(garbage)
        assert stranger.recv(100) == b""
    with session.connect() as client:
        assert client.call("info")["exit"] is None


# -- without an emulator ---------------------------------------------------------------------------------------------


def test_a_session_without_an_emulator_lives_from_its_tail(launcher: Launcher) -> None:
    session = launcher.start("sh", "-c", r"printf '\033[6n\033[32mgreen\033[0m\n'; exec cat", emulator=False)
    with session.connect(attach=True) as client:
        client.until(lambda: client.fetch("snapshot", since=0)[0]["offset"] >= 18)
        head, payload = client.fetch("snapshot", since=None)
        assert (head["payload"], head["fidelity"]) == ("tail", "tail")
        assert payload == b"\x1b[32mgreen\x1b[0m\r\n"
        assert client.call("info")["emulator"] is False
        assert client.text() == "green\n"
        with pytest.raises(Refused) as refused:
            client.fetch("screen", format="cells", history=0)
        assert refused.value.code == "emulator_unavailable"
        client.type(b"typed\r")
        client.until(lambda: client.output.endswith(b"typed\r\ntyped\r\n"))
    end(session)
    screen = session.bundle.screen()
    assert screen is not None and b"typed" in screen.vt and screen.tail.startswith(b"\x1b[6n")


# -- what is kept while it runs --------------------------------------------------------------------------------------


def test_the_screen_is_on_disk_soon_after_output_stops(launcher: Launcher) -> None:
    session = launcher.start("sh", "-c", "echo kept on disk; exec cat")
    screen = wait_until(session.bundle.screen, LIMIT_S, "the screen on disk")
    assert screen.text.startswith("kept on disk\n")
    assert (screen.rows, screen.cols, screen.offset) == (24, 80, len("kept on disk\r\n"))
    os.kill(session.worker_pid, signal.SIGKILL)
    gone(session)
    assert session.bundle.exit() is None
    assert session.bundle.screen() == screen
