"""The worker's loop around the terminal and its clients."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from attn.wire.launch import pack_request
from attn.worker import loop as loop_module
from attn.worker import server
from attn.worker.host import Leave
from tests.waiting import wait_until
from tests.worker.inside import attached, inside, turn, turn_until


def test_a_lone_byte_is_forwarded_before_it_is_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with inside(tmp_path, "cat") as worker, attached(worker) as client:
        order: list[str] = []
        real_send, real_feed = worker.peers.send, worker.screen.feed
        monkeypatch.setattr(worker.peers, "send", lambda *a: (order.append("send"), real_send(*a))[1])
        monkeypatch.setattr(worker.screen, "feed", lambda d: (order.append("feed"), real_feed(d))[1])
        client.type(b"x")
        client.until(lambda: client.output == b"x")
        assert order[:2] == ["send", "feed"]


def test_a_daemon_that_hangs_costs_one_short_pause_and_its_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "PAUSE_BYTES", 1 << 20)
    monkeypatch.setattr(loop_module, "OUT_MAX_BYTES", 2 << 20)
    pauses: list[int] = []
    with inside(tmp_path, "yes") as worker:
        real = worker._watch_terminal
        monkeypatch.setattr(worker, "_watch_terminal", lambda: (pauses.append(worker._reading), real())[1])
        with attached(worker) as client:
            turn_until(worker, lambda: worker.host.connections == 0, "the connection to be cut off")
            assert client.socket.fileno() > 0
        assert pauses.count(False) == 1
        offset = worker.host.ring.end
        turn_until(worker, lambda: worker.host.ring.end > offset + (4 << 20), "output to go on")


def test_a_daemon_that_catches_up_ends_the_pause_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "PAUSE_BYTES", 64 << 10)
    monkeypatch.setattr(server, "PAUSE_MS", 60_000)
    with inside(tmp_path, "sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x") as worker, attached(worker) as client:
        client.until(lambda: client.next_offset == 3_000_000)  # some of it came before we attached
        assert client.gaps == 0
        assert not worker.loop.waits("resume")


def test_a_program_that_closes_its_terminal_and_opens_it_again_is_still_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "REOPEN_MS", 20)
    script = "exec 0<&- 1>&- 2>&-; sleep 0.3; echo again >/dev/tty; sleep 60"
    with inside(tmp_path, "sh", "-c", script) as worker:
        turn_until(worker, lambda: worker.loop.waits("reopen"), "the hang-up")
        turn_until(worker, lambda: b"again" in worker.host.ring.tail(100), "the output after it")


def test_replies_and_keys_share_one_order(tmp_path: Path) -> None:
    script = "stty raw -echo; printf ready; head -c 2 >/dev/null; printf '\\033[6n'; exec cat -v"
    with inside(tmp_path, "sh", "-c", script) as worker, attached(worker) as client:
        client.wait_text("ready")
        client.type(b"k1")
        client.wait_text("^[[1;6R")
        client.type(b"k2")
        assert client.wait_text("k2").startswith("ready^[[1;6Rk2\n")


def test_events_of_the_terminal_reach_every_client(tmp_path: Path) -> None:
    script = "printf '\\033]2;new title\\007\\033]7;file://h/tmp\\007\\007'; cat"
    with inside(tmp_path, "sh", "-c", "read x; " + script) as worker, attached(worker) as one, attached(worker) as two:
        one.type(b"\r")
        for client in (one, two):
            assert client.event("title")["title"] == "new title"
            assert client.event("directory")["path"] == "/tmp"
            client.event("bell")


def test_a_grandchild_that_holds_the_terminal_does_not_hold_the_exit(tmp_path: Path) -> None:
    script = "trap 'exit 3' USR1; (trap '' HUP; sh -c 'echo pid $PPID.'; kill -USR1 $$; exec sleep 60) & wait"
    with inside(tmp_path, "sh", "-c", script) as worker, attached(worker) as client:
        grandchild = int(client.wait_text(".").split()[1].rstrip("."))
        wait_until(lambda: _ended(worker.program.pid), 10, "the program's end")
        worker._reap()
        assert client.event("exit")["code"] == 3
        client.event("goodbye")
        os.kill(grandchild, signal.SIGKILL)
        assert worker._leaving


def _ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def test_the_exit_is_on_disk_before_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with inside(tmp_path, "sh", "-c", "echo last words; exit 7") as worker:
        on_disk: list[object] = []
        real = worker.host.recorded
        monkeypatch.setattr(
            worker.host, "recorded", lambda: (on_disk.extend([worker.bundle.exit(), worker.bundle.screen()]), real())[1]
        )
        wait_until(lambda: _ended(worker.program.pid), 10, "the program's end")
        worker._reap()
        turn_until(worker, lambda: on_disk, "the end")
        ended, screen = worker.bundle.exit(), worker.bundle.screen()
        assert on_disk == [ended, screen]
        assert ended is not None and screen is not None
        assert (ended.code, ended.signal, ended.offset) == (7, None, len(b"last words\r\n"))
        assert screen.text.startswith("last words\n")


def test_a_bundle_that_vanished_does_not_stop_the_end(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with inside(tmp_path, "true") as worker:
        worker.bundle.path.rename(tmp_path / "elsewhere")
        Path(os.fsdecode(worker.launch.socket_path)).unlink()
        wait_until(lambda: _ended(worker.program.pid), 10, "the program's end")
        worker._reap()
        turn_until(worker, lambda: worker._leaving, "the end")
        assert "could not be" in capfd.readouterr().err


def test_a_fault_of_ours_does_not_end_the_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(server, "FAULT_PAUSE_S", 0.001)
    with inside(tmp_path, "sh", "-c", "echo one; exit 6") as worker:

        def broken(data: bytes) -> None:
            raise IndexError("a fault in the emulator")

        monkeypatch.setattr(worker.screen, "feed", broken)
        wait_until(lambda: _ended(worker.program.pid), 10, "the program's end")
        wakeup, alarm = os.pipe()
        os.write(alarm, bytes([signal.SIGCHLD]))
        worker.serve(wakeup)
        for end in (wakeup, alarm):
            os.close(end)
        ended = worker.bundle.exit()
        assert ended is not None and (ended.code, ended.offset) == (6, len(b"one\r\n"))
        assert "a fault in the emulator" in capfd.readouterr().err


def test_leaving_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "LEAVE_MS", 30)
    with inside(tmp_path, "cat") as worker:
        worker.perform([Leave()])
        turn_until(worker, lambda: worker._left, "the worker to leave")
        assert not Path(os.fsdecode(worker.launch.socket_path)).exists()


def test_bulk_work_waits_for_a_connection_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "BULK_QUEUE_BYTES", 4096)
    with inside(tmp_path, "cat") as worker, attached(worker, receive_buffer=4096) as client:
        worker.host.ring.append(b"z" * 900_000)
        request_id = client.ask("snapshot", since=1, history=None)
        for _ in range(200):
            turn(worker)
        assert worker.host.bulks == 1
        assert worker.peers.most_queued_bytes() < 200_000
        client.until(lambda: request_id in client.finished)
        assert len(client.chunks[request_id]) == 899_999


@pytest.mark.parametrize("record", [b"", b"nonsense", pack_request(
    session_id="abcdefghij", bundle_dir="/nonexistent/attn", socket_path="/nonexistent/s", rows=2, cols=2,
    scrollback_lines=1, emulator=False, umask=0o022, cwd="/", argv=["true"], env={})[4:]])  # fmt: skip
def test_an_order_that_cannot_be_followed_is_reported(record: bytes, tmp_path: Path) -> None:
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        server.run(record, write)
        os._exit(0)
    os.close(write)
    assert os.waitpid(pid, 0)[1] == 0
    assert os.read(read, 200).startswith(b"error internal ")
    os.close(read)
