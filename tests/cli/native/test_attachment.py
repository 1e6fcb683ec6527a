"""The loop of an attach, on a real PTY and scripted bytes; tests/system/test_native_attach.py runs it on a daemon."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import socket
import struct
import termios
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from attn.cli.link import Link
from attn.cli.native.attachment import NativeAttachment
from attn.cli.native.ending import End
from attn.cli.native.terminal.console import Console
from attn.cli.native.terminal.keys import DetachKey
from attn.errors import AttnError
from attn.paths import Home
from attn.wire import client_api, framing
from attn.wire.client_events import AttachResult, Error, ScreenResult, SessionExited, SessionRemoved, SessionsReady
from attn.wire.client_requests import AttachSession, DetachSession, GetScreen, PtyAck
from attn.wire.client_views import Cursor, ExitView, SessionView
from tests.cli.native.test_passage import result
from tests.cli.test_link import HELLO, binary, frame

SIZE = (6, 20)


@dataclass
class Scene:
    """An attach to be run, the daemon's end of its link, and the person's side of its terminal."""

    attachment: NativeAttachment
    link: Link
    daemon: socket.socket
    master: int

    def play(self, *script: bytes) -> End:
        """Everything that the daemon will say, at once; then run to the end."""
        self.daemon.sendall(b"".join(script))
        self.attachment.start(self.link)
        return self.attachment.run()

    def sent(self) -> list[object]:
        """What the daemon got: messages, and input as bytes."""
        self.daemon.settimeout(5)
        return [
            client_api.client_decoder.decode(payload) if kind == client_api.JSON else client_api.unpack_binary(payload)
            for kind, payload in framing.Decoder().feed(self.daemon.recv(1 << 20))
        ]

    def shown(self) -> bytes:
        return os.read(self.master, 1 << 16)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    master, slave = pty.openpty()
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", *SIZE, 0, 0))
    ours, daemon = socket.socketpair()
    link = Link(ours)
    link.hello = HELLO
    home = Home(root=tmp_path, sockets=tmp_path, is_default=False)
    key = DetachKey(0x1C, "\\")
    attachment = NativeAttachment(home, "s", Console(slave, slave), key, read_only=False)
    yield Scene(attachment, link, daemon, master)
    daemon.close()
    link.close()
    os.close(slave)
    os.close(master)


def screen_result(request_id: int, offset: int) -> bytes:
    message = ScreenResult(
        id=request_id, handle=50, rows=6, cols=20, cursor=Cursor(row=0, col=0, visible=True),
        alternate_screen=False, offset=offset, fidelity="screen", source="live", taken_at_ms=0,
    )  # fmt: skip
    return frame(message) + binary(client_api.SNAPSHOT_END, 50, offset, b"text")


def exited(code: int) -> bytes:
    return frame(SessionExited(session="s", exit=ExitView(code=code, signal=None, at_ms=0)))


def attach_result(request_id: int, **changes: object) -> AttachResult:
    message = result(**changes)  # type: ignore[arg-type]
    message.id = request_id
    return message


PAINTED = frame(attach_result(1)) + binary(client_api.SNAPSHOT_END, 1, 10, b"hello")


def test_the_last_output_is_shown_before_the_end(scene: Scene) -> None:
    end = scene.play(
        PAINTED,
        exited(3),
        frame(attach_result(2, payload="delta", handle=2, offset=10)),
        binary(client_api.SNAPSHOT_END, 2, 10, b""),
        screen_result(3, offset=16),
        binary(client_api.OUTPUT, 2, 10, b" world"),
    )
    assert end == End(3, "exit 3")
    assert b"hello world" in scene.shown()
    first, again, last_offset, old = scene.sent()
    assert isinstance(first, AttachSession) and (first.since, first.history) == (None, SIZE[0])
    assert (first.rows, first.cols) == SIZE
    assert isinstance(again, AttachSession) and (again.since, again.history) == (10, 0)
    assert isinstance(last_offset, GetScreen)
    assert isinstance(old, DetachSession) and old.handle == 1


def test_an_ended_session_is_shown_and_its_status_passed_on(scene: Scene) -> None:
    message = attach_result(1)
    message.running = False
    end = scene.play(frame(message), binary(client_api.SNAPSHOT_END, 1, 10, b"last"))
    assert end.status == 254  # the list of sessions in hello, which is empty here, would say how it ended
    assert b"last" in scene.shown()


def test_a_daemon_that_says_no_leaves_the_terminal_alone(scene: Scene) -> None:
    with pytest.raises(AttnError, match="unknown_session"):
        scene.play(frame(Error(id=1, code="unknown_session", message="no s")))
    assert not select.select([scene.master], [], [], 0)[0]


def test_a_later_no_ends_the_attach(scene: Scene) -> None:
    end = scene.play(PAINTED, frame(Error(id=2, code="worker_unreachable", message="gone", remedy="r")))
    assert end.status == 254
    assert end.error is not None and end.error.code == "worker_unreachable"


def during(action: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=action)
    thread.start()
    return thread


def test_what_the_terminal_took_is_acknowledged(scene: Scene) -> None:
    seen: list[object] = []

    def daemon() -> None:
        while not any(isinstance(message, PtyAck) for message in seen):
            seen.extend(scene.sent())
        scene.daemon.sendall(frame(SessionRemoved(session="s")))

    thread = during(daemon)
    end = scene.play(PAINTED)
    thread.join()
    assert end.status == 254
    acks = [message for message in seen if isinstance(message, PtyAck)]
    assert acks == [PtyAck(handle=1, offset=10)]


def test_keys_are_typed_and_two_presses_detach(scene: Scene) -> None:
    seen: list[object] = []

    def person() -> None:
        shown = b""
        while b"hello" not in shown:
            shown += scene.shown()
        os.write(scene.master, b"ls\r\x1b[?62;22c")
        while not any(isinstance(message, tuple) for message in seen):
            seen.extend(scene.sent())
        os.write(scene.master, b"\x1c\x1c")

    thread = during(person)
    end = scene.play(PAINTED)
    thread.join()
    assert end == End(0, "detached")
    assert [message for message in seen if isinstance(message, tuple)] == [(client_api.INPUT, 1, 0, b"ls\r")]


def test_an_end_while_no_daemon_ran_is_passed_on(scene: Scene) -> None:
    """The list of sessions of a daemon that has just started comes after its hello, and tells how it ended."""
    view = SessionView(
        id="s", label="s", agent="shell", argv=["sh"], cwd="/", state="exited", pid=None, rows=6, cols=20,
        created_at_ms=0, last_output_at_ms=0, exit=ExitView(code=7, signal=None, at_ms=0), recoverable=False,
        snapshot=True, worker_build="",
    )  # fmt: skip
    scene.attachment._take(scene.link)
    scene.link.set_nonblocking()
    last = attach_result(1)
    last.running = False
    scene.daemon.sendall(
        frame(SessionsReady(sessions=[view])) + frame(last) + binary(client_api.SNAPSHOT_END, 1, 10, b"last")
    )
    assert scene.attachment.run() == End(7, "exit 7")
