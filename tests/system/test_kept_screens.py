"""A session whose worker was killed still shows its last screen, labelled persisted; and what that takes is bounded."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from attn.bundle.bundle import Bundle
from attn.core.scrollback import COMPRESSED_PART
from attn.terminal.cells import text
from attn.terminal.emulator import Emulator
from tests.system.client import Client, Refused
from tests.system.conftest import DaemonProcess
from tests.system.worker_client import LIMIT_S, Launcher
from tests.waiting import wait_until

# Sets what a screen can have, and then waits: both screens, a link, wide characters, a cursor of its own.
PICTURE = (
    r"printf '\033]2;a title\007line one\r\n\033[1;31mred\033[m 漢字 \033]8;;http://a.test/\033\\link\033]8;;\033\\"
    r"\033[?1049h\033[2;3Hfull screen\033[6 q\033[5;9H'; exec cat"
)


def kill_worker(daemon: DaemonProcess, session: str) -> Bundle:
    """SIGKILL, as the kernel does when memory is short; the program goes with its terminal."""
    bundle = Bundle(daemon.home.bundle(session))
    record = bundle.worker()
    assert record is not None
    os.kill(record.pid, signal.SIGKILL)
    wait_until(lambda: not bundle.lock_held(), LIMIT_S, "the worker's end")
    return bundle


def kept_at(bundle: Bundle, offset: int) -> bool:
    screen = bundle.screen()
    return screen is not None and screen.offset >= offset


def shows_the_picture(client: Client, session: str) -> None:
    stream = client.attach(session)
    result = stream.results[0]
    assert (result["source"], result["fidelity"], result["payload"]) == ("persisted", "screen", "snapshot")
    assert (result["alternate_screen"], result["running"]) == (True, False)
    assert (result["cursor"]["row"], result["cursor"]["col"]) == (4, 8)
    copy = Emulator(result["screen_rows"], result["screen_cols"])
    copy.feed(bytes(stream.payloads[0]))
    assert text(copy.capture()).splitlines()[1] == "  full screen"
    copy.feed(b"\x1b[?1049l")
    assert text(copy.capture()).splitlines()[:2] == ["line one", "red 漢字 link"]
    head, cells = client.screen(session, "cells")
    assert head["source"] == "persisted"
    assert json.loads(cells)["lines"][1]["runs"][-1]["text"].endswith("full screen")
    assert client.screen(session, "text")[1].decode().splitlines()[1] == "  full screen"


def test_after_kill_9_of_the_worker_the_last_screen_is_shown(daemon: DaemonProcess) -> None:
    client = daemon.client()
    session = client.spawn("sh", "-c", PICTURE, rows=24, cols=80)["id"]
    client.until_output(client.attach(session), b"\x1b[5;9H")
    bundle = Bundle(daemon.home.bundle(session))
    wait_until(lambda: kept_at(bundle, 1), LIMIT_S, "the screen to be kept")  # two seconds after output stopped
    kill_worker(daemon, session)
    client.until(lambda: client.state(session) in ("lost", "recoverable"))
    shows_the_picture(client, session)
    raw = bundle.screen()
    assert raw is not None and raw.tail.endswith(b"\x1b[5;9H") and len(raw.tail) <= 256 << 10
    daemon.kill()
    daemon.start()  # nobody remembers the session but its bundle and the database
    again = daemon.client()
    shows_the_picture(again, session)
    again.request("remove_session", session=session)
    assert not daemon.home.bundle(session).exists()


def test_without_persist_screen_nothing_of_a_screen_reaches_the_disk(cold: DaemonProcess) -> None:
    cold.home.root.mkdir(mode=0o700, exist_ok=True)
    cold.home.config.write_text("persist_screen = false\n")
    client = cold.start().client()
    session = client.spawn("sh", "-c", "echo a secret; exec cat")["id"]
    client.until_output(client.attach(session), b"a secret")
    client.request("kill_session", session=session)
    bundle = Bundle(cold.home.bundle(session))
    wait_until(lambda: not bundle.lock_held(), LIMIT_S, "the worker's end")
    assert bundle.screen() is None
    assert not [path for path in bundle.path.rglob("*") if path.is_file() and b"a secret" in _without_argv(path)]
    with pytest.raises(Refused) as refused:
        client.screen(session, "text")
    assert refused.value.code == "screen_unavailable"
    assert client.attach(session).results[0]["payload"] == "none"


def _without_argv(path: Path) -> bytes:
    return path.read_bytes().replace(b"echo a secret", b"")


def test_a_worker_gives_memory_back_when_it_is_told_to(launcher: Launcher) -> None:
    session = launcher.start("sh", "-c", "seq 1 9000; exec cat", rows=24, cols=120)
    with session.connect() as client:
        client.wait_text("9000")
        before, held_kb = client.call("health"), private_kb(session.worker_pid)
        assert before["scrollback_bytes"] > 8_000_000 and before["scrollback_compressed"] == 0
        shown = client.fetch("screen", format="text", history=None)[1]
        client.call("scrollback", compress=True)
        wait_until(lambda: client.call("health")["scrollback_compressed"], LIMIT_S, "the scrollback to be compressed")
        given_kb = held_kb - private_kb(session.worker_pid)
        assert (
            given_kb > before["scrollback_bytes"] // 1024 // 2 > before["scrollback_bytes"] // COMPRESSED_PART // 1024
        )
        assert client.fetch("screen", format="text", history=None)[1] == shown
        client.call("scrollback", keep_bytes=before["scrollback_bytes"] // 4)
        after = client.call("health")
        assert after["scrollback_bytes"] < before["scrollback_bytes"] // 3 and after["scrollback_cuts"] == 1
        left = client.fetch("screen", format="text", history=None)[1]
        assert shown.endswith(left) and left.endswith(b"9000\n\n") and len(left) < len(shown) // 2


def private_kb(pid: int) -> int:
    """Memory that a process shares with nobody."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))
