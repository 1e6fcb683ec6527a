"""`attn send`: what the program reads, and what the exit status says about it."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.system.client import Client
from tests.system.conftest import DaemonProcess
from tests.waiting import wait_until

# Reads everything raw into a file, each read in angle brackets, having asked for bracketed pastes or not.
READER = """
import os, sys, tty
tty.setraw(0)
os.write(1, b"\\x1b[?2004%s" % sys.argv[2].encode() + b"ready")
with open(sys.argv[1], "wb", 0) as log:
    while data := os.read(0, 65536):
        log.write(b"<" + data + b">")
"""


def send(daemon: DaemonProcess, *args: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "attn", "send", *args], env=daemon.env, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr.partition(":")[0]


def reader(client: Client, log: Path, paste: str) -> str:
    session = str(client.spawn(sys.executable, "-c", READER, str(log), paste)["id"])
    client.request("wait_session", session=session, text="ready")
    return session


def test_a_paste_is_bracketed_as_the_program_set_it_and_enter_is_a_write_of_its_own(
    daemon: DaemonProcess, tmp_path: Path
) -> None:
    client = daemon.client()
    for paste, wanted in (("h", b"<\x1b[200~one\ntwo\x1b[201~><\r>"), ("l", b"<one\rtwo><\r>")):
        log = tmp_path / paste
        session = reader(client, log, paste)
        assert send(daemon, session, "one\ntwo", "--enter") == (0, "")
        wait_until(lambda log=log, wanted=wanted: log.read_bytes() == wanted, 10, f"{wanted!r}")


def test_nothing_that_acts_as_a_key_or_ends_the_paste_gets_through(daemon: DaemonProcess, tmp_path: Path) -> None:
    client = daemon.client()
    log = tmp_path / "log"
    session = reader(client, log, "h")
    evil = "a\x1b[201~b\x03c\x04d\x9b201~e\x7ff\x08g\th\u2028i"
    assert send(daemon, session, evil) == (0, "")
    wanted = b"<\x1b[200~a[201~bcd201~efg\th\xe2\x80\xa8i\x1b[201~>"
    wait_until(lambda: log.read_bytes() == wanted, 10, f"{wanted!r}")


def test_exit_statuses_say_what_became_of_the_text(daemon: DaemonProcess) -> None:
    client = daemon.client()
    silent = client.spawn("sh", "-c", "stty raw -echo; echo ready; exec cat > /dev/null")["id"]
    busy = client.spawn("sleep", "600")["id"]
    stopped = client.spawn("sh", "-c", "stty raw -echo; echo ready; kill -STOP $$")["id"]
    ended = client.spawn("true")["id"]
    for session in (silent, stopped):
        client.request("wait_session", session=session, text="ready")
    client.request("wait_session", session=ended)
    wanted = {
        (silent, "unseen", "--enter", "--confirm"): (3, "not_confirmed"),
        (busy, "two\nlines"): (75, "not_ready"),
        (stopped, "x" * 100_000): (75, "not_ready"),
        (ended, "anybody there?"): (69, "session_ended"),
        ("nobody", "hello"): (64, "unknown_session"),
    }
    with ThreadPoolExecutor() as pool:  # each of the first three waits for some seconds
        found = dict(zip(wanted, pool.map(lambda args: send(daemon, *args), wanted), strict=True))
    assert found == wanted
    assert client.screen(busy)[0]["offset"] == 0, "a part of it was typed all the same"
