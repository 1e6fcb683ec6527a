"""A session without an emulator: everything a person does with a session, on the end of its raw output."""

from __future__ import annotations

import subprocess
import sys

from tests.system.client import Client, Json, Stream
from tests.system.conftest import DaemonProcess
from tests.system.native_terminal import NativeTerminal

# Longer than what a client gets, so that it has to be cut; the question must reach nobody but the worker.
PROGRAM = "seq 1 90000; printf '\\033[31mcoloured\\033[0m\\033[6n\\nready\\n'; cat"


def attn(daemon: DaemonProcess, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "attn", *args], env=daemon.env, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip


def started(daemon: DaemonProcess, client: Client) -> str:
    done = attn(daemon, "new", "--no-emulator", "--size", "24x80", "--", "sh", "-c", PROGRAM)
    assert done.returncode == 0, done
    session = done.stdout.strip()
    client.request("wait_session", session=session, text="ready", timeout_ms=20_000)
    return session


def facts(stream: Stream) -> Json:
    head = stream.results[-1]
    return {name: head[name] for name in ("payload", "fidelity", "source", "screen_rows", "screen_cols")}


def test_every_command_works_on_the_raw_end(daemon: DaemonProcess) -> None:
    client = daemon.client()
    session = started(daemon, client)
    assert client.sessions[session]["snapshot"] is False
    shown = attn(daemon, "screen", session)
    assert shown.stdout.splitlines()[-2:] == ["coloured", "ready"] and len(shown.stdout.splitlines()) == 24
    assert "the end of the raw output" in shown.stderr
    assert b"\x1b[6n" not in attn(daemon, "screen", session, "--format", "ansi").stdout.encode()
    refused = attn(daemon, "screen", session, "--format", "cells")
    assert (refused.returncode, refused.stderr.partition(":")[0]) == (69, "emulator_unavailable")
    assert attn(daemon, "send", session, "typed by send", "--enter", "--confirm").returncode == 0
    assert attn(daemon, "wait", session, "--for", "typed by send\ntyped by send", "--timeout", "20").returncode == 0


def test_clients_get_the_tail_then_what_follows_and_by_offset_only_what_is_missing(daemon: DaemonProcess) -> None:
    client = daemon.client()
    session = started(daemon, client)
    one = client.attach(session, rows=24, cols=80)
    assert facts(one) == {
        "payload": "tail", "fidelity": "tail", "source": "live", "screen_rows": 24, "screen_cols": 80,
    }  # fmt: skip
    assert one.payloads[0].endswith(b"ready\r\n") and b"\x1b[6n" not in one.payloads[0]
    assert one.payloads[0][:1].isdigit(), "it begins inside of something"
    client.type(one, b"goes on\r")
    client.until_output(one, b"goes on\r\ngoes on\r\n")
    seen = one.offset
    client.type(one, b"more\r")
    client.until_output(one, b"more\r\nmore\r\n")
    again = daemon.restart().client()
    two = again.attach(session, since=seen)
    assert (two.results[0]["payload"], two.payloads[0]) == ("delta", b"more\r\nmore\r\n")
    key = {"action": "press", "key": "x", "code": "KeyX", "text": "x", "mods": 0}
    again.send("pty_keys", handle=two.handle, events=[key])
    again.until_output(two, b"x")


def test_it_is_attached_natively_whatever_its_size(daemon: DaemonProcess) -> None:
    client = daemon.client()
    session = started(daemon, client)
    client.request("resize_session", session=session, rows=30, cols=100)
    command = [sys.executable, "-m", "attn", "attach", session]
    with NativeTerminal(command, {**daemon.env, "TERM": "xterm-256color"}) as terminal:
        terminal.until_shown("ready")
        terminal.type(b"native\r")
        terminal.until(lambda: terminal.lines().count("native") == 2, "the echo and what cat makes of it")
        terminal.type(b"\x1c\x1c")
        assert terminal.wait() == 0


def test_after_its_end_the_kept_tail_is_shown(daemon: DaemonProcess) -> None:
    client = daemon.client()
    session = started(daemon, client)
    stream = client.attach(session)
    client.type(stream, b"\x04")
    client.event("session_exited", session=session)
    client.until(lambda: client.state(session) == "exited")
    kept = client.attach(session)
    assert facts(kept)["payload"] == facts(kept)["fidelity"] == "tail" and facts(kept)["source"] == "persisted"
    assert kept.payloads[0].endswith(b"ready\r\n") and b"\x1b[6n" not in kept.payloads[0]
    head, text = client.screen(session)
    assert (head["fidelity"], text.decode().splitlines()[-1]) == ("tail", "ready")
