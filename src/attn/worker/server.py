"""One session's worker: it owns the PTY, keeps the screen, and outlives the daemon that it serves.

One thread and one loop. Output is read until the kernel has no more or 64 KiB, forwarded, then fed to the emulator,
so that an echo never waits for parsing; bulk results are made in slices between the turns of the loop. The PTY is
drained whoever watches. Only when a daemon is more than PAUSE_BYTES behind does reading stop, for at most PAUSE_MS:
on a busy machine that lets it catch up without losing its connection, and a daemon that hangs costs that much once.

Started by the spawner, or as `python -I -m attn.worker.server FD` with the order on socket FD (attn.wire.launch).
"""

from __future__ import annotations

import contextlib
import mmap
import os
import signal
import socket
import sys
import time
from functools import partial
from typing import Final, assert_never

import attn
from attn.bundle import identity
from attn.bundle.bundle import Bundle, BundleBusy
from attn.bundle.files import BundleDamaged
from attn.bundle.records import ExitRecord, WorkerRecord
from attn.terminal.emulator import SNAPSHOT_FORMAT, Emulator
from attn.wire import worker_api as api
from attn.wire.launch import Launch, unpack_request
from attn.worker import methods
from attn.worker.host import Call, Close, Effect, Exit, Host, Later, Leave, Record, Send, Timer
from attn.worker.keeper import Keeper
from attn.worker.listening import listen
from attn.worker.loop import (
    READ,
    WRITE,
    Loop,
    Peers,
    heed,
    note,
    note_failure,
    now_ms,
    receive_order,
    redirect,
    signal_pipe,
    take_signals,
    wall_ms,
)  # fmt: skip
from attn.worker.program import pty
from attn.worker.program.ending import Ladder, alone, become_subreaper, programs_below
from attn.worker.program.recording import Recording
from attn.worker.screen import Screen

READ_BYTES: Final = 64 << 10
WRITE_BYTES: Final = 4 << 10
PAUSE_BYTES: Final = 4 << 20
PAUSE_MS: Final = 100
# A bulk result makes its next slice when its connection has less than this to send.
BULK_QUEUE_BYTES: Final = 256 << 10
REOPEN_MS: Final = 250
LEAVE_MS: Final = 1000
# A fault that comes back with every turn then costs little of a core.
FAULT_PAUSE_S: Final = 0.05
_SIGTERM: Final = int(signal.SIGTERM)


class Worker:
    """A running session: the shell around `Host`."""

    def __init__(self, launch: Launch, bundle: Bundle, listener: socket.socket, blank: Emulator | None = None) -> None:
        """Starts the program; `blank` is an emulator made in advance, for a session that is to have one.

        Raises pty.LaunchError, BundleDamaged or OSError; then nothing runs.
        """
        self.launch = launch
        self.bundle = bundle
        self.token = bundle.control()
        self.host = Host(methods.FEATURES, launch.first_offset)
        emulator = launch.emulator and (blank or True)
        self.screen = Screen(self.host.ring, launch.rows, launch.cols, launch.scrollback_lines, emulator)
        self.loop = Loop()
        self.peers = Peers(self.loop, listener, self)
        self.sender = methods.Sender(self)
        self.keeper = Keeper(self.screen, self.loop, bundle.write_screen if launch.persist_screen else None)
        # Pages that no read ever reached cost nothing, unlike those of a bytearray.
        self._buffer = memoryview(mmap.mmap(-1, READ_BYTES))
        self._reading = True
        self._patient = True
        self._open = True
        self._ladder: Ladder | None = None
        self._recording: Recording | None = None
        self._left = False
        self._daemon_id = ""
        self.program = pty.launch(launch.argv, launch.env, launch.cwd, launch.umask, (launch.rows, launch.cols))

    @property
    def daemon_id(self) -> str:
        """The daemon that the session belongs to. Raises BundleDamaged or OSError when that is not known."""
        self._daemon_id = self._daemon_id or self.bundle.spec().daemon_id
        return self._daemon_id

    # -- the loop ------------------------------------------------------------------------------------------------

    def serve(self, wakeup: int) -> None:
        """Run until the program has ended and everything is told. From `wakeup` a byte for each signal is read."""
        self.loop.watch(wakeup, lambda _: self._signalled(os.read(wakeup, 4096)))
        self._watch_terminal()
        self._reap()
        while not self._left:
            try:
                self._turn()
            except Exception:  # noqa: BLE001 - a fault of ours must not end the program of a person
                note_failure()
                time.sleep(FAULT_PAUSE_S)

    def _turn(self) -> None:
        self.loop.turn(idle=not self._slice())
        if self._leaving and not self.host.bulks and not self.peers.most_queued_bytes():
            self._left = True

    def perform(self, effects: list[Effect]) -> None:
        """Make it so, in order."""
        for effect in effects:
            match effect:
                case Send(connection, kind, payload):
                    self.peers.send(connection, kind, payload)
                case Close(connection):
                    self.peers.close(connection)
                case Call():
                    self.perform(methods.perform(self, effect))
                case Later(timer, delay_ms):
                    self.loop.after(timer, delay_ms, partial(self._due, timer))
                case Record():
                    self._record()
                case Leave():
                    self._leave()
                case _:
                    assert_never(effect)

    def _due(self, timer: Timer) -> None:
        self.perform(self.host.due(timer, wall_ms()))

    def _slice(self) -> bool:
        """A piece of the work that may wait; whether there was any."""
        effects = self.host.step(lambda number: self.peers.queued_bytes(number) < BULK_QUEUE_BYTES)
        if effects:
            self.perform(effects)
            return True
        return self.keeper.step()

    # -- connections ---------------------------------------------------------------------------------------------

    def connected(self, number: int) -> None:
        """A peer arrived."""
        self.host.connected(number)

    def received(self, number: int, kind: int, payload: bytes) -> None:
        """A frame of a peer."""
        self.perform(self.host.received(number, kind, payload))
        self._write_terminal()

    def disconnected(self, number: int) -> None:
        """A peer is gone."""
        self.host.disconnected(number)
        self.drained()

    # -- the terminal --------------------------------------------------------------------------------------------

    def _watch_terminal(self) -> None:
        if self._open:
            pending = len(self.host.pending_input) > 0 and not self.loop.waits("reopen")
            self.loop.watch(self.program.master, self._terminal_ready, readable=self._reading, writable=pending)

    def _terminal_ready(self, events: int) -> None:
        if events & READ:
            self._read_terminal()
        if events & WRITE:
            self._write_terminal()

    def _read_terminal(self) -> None:
        data, ended = pty.read(self.program.master, self._buffer)
        if data:
            self.perform(self.host.output(data, wall_ms()))
            replies, events = self.screen.feed(data)
            if replies:
                self._reply(replies)
            for name, value in events:
                self.perform(self.host.event(name, **methods.EVENT_FIELDS[name](value)))
            self.keeper.changed()
            self._pause_if_behind()
        elif ended:
            self._hung_up()

    def _hung_up(self) -> None:
        """Nobody has the terminal open. Final after the program's exit; before, it may open /dev/tty again."""
        if self.host.exit is not None:
            self.perform(self.host.terminal_closed())
            return
        self._reading = False
        self.loop.after("reopen", REOPEN_MS, self._resume)
        self._watch_terminal()

    def _resume(self) -> None:
        self._reading = True
        self._watch_terminal()

    def _pause_if_behind(self) -> None:
        if self._patient and self.peers.most_queued_bytes() > PAUSE_BYTES:
            self._patient = self._reading = False
            self.loop.after("resume", PAUSE_MS, self._resume)
            self._watch_terminal()

    def drained(self) -> None:
        """A peer took what was queued for it, or left. Another pause is granted only to those who used the last."""
        if not self._patient and self.peers.most_queued_bytes() <= PAUSE_BYTES // 2:
            self._patient = True
            if self.loop.waits("resume"):
                self.loop.cancel("resume")
                self._resume()

    def type(self, data: bytes) -> None:
        """Queue bytes for the program. Raises InputRefused."""
        self.perform(self.host.type(data))
        self._write_terminal()

    def _reply(self, replies: bytes) -> None:
        self.perform(self.host.reply(replies))
        self._write_terminal()

    def _write_terminal(self) -> None:
        while self._open and (pending := self.host.pending_input):
            try:
                count = os.write(self.program.master, pending[:WRITE_BYTES])
            except OSError:
                break  # full, or hung up for now: tried again when it can be written, cleared by the exit
            self.perform(self.host.typed(count))
        self._watch_terminal()

    def resize(self, rows: int, cols: int, width_px: int, height_px: int) -> dict[str, int]:
        """Give the program another terminal size; what the answer and the event say about it."""
        offset = self.host.ring.end
        self.screen.resize(rows, cols, width_px, height_px)
        if self._open:
            pty.set_size(self.program.master, rows, cols, width_px, height_px)
        self.perform(self.host.event("resized", rows=rows, cols=cols, offset=offset))
        self.keeper.changed()
        return {"rows": rows, "cols": cols, "offset": offset}

    # -- the end -------------------------------------------------------------------------------------------------

    def _signalled(self, numbers: bytes) -> None:
        if _SIGTERM in numbers:
            self.end_programs()
        self._reap()

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.program.pid:
                code = os.waitstatus_to_exitcode(status)
                ended = Exit(code, None, wall_ms()) if code >= 0 else Exit(None, -code, wall_ms())
                self.perform(self.host.program_exited(ended))
                # Whatever kept us from reading, the program's last words are in the terminal now.
                self.loop.cancel("reopen")
                self._resume()

    def end_programs(self) -> None:
        """HUP, TERM, KILL to everything below us, at once and then as time passes; nobody waits for an end on disk."""
        if self._recording is not None:
            self._recorded()
        if self._ladder is None and not self._leaving:
            self._ladder = Ladder(partial(programs_below, os.getpid()), partial(alone, os.getpid()))
            self.perform(self.host.ladder(True))
            self.loop.after("ladder", 0, self._climb)

    def _climb(self) -> None:
        delay_ms = self._ladder.step(now_ms()) if self._ladder is not None else None
        if delay_ms is not None:
            self.loop.after("ladder", delay_ms, self._climb)
            return
        self._ladder = None
        self.perform(self.host.ladder(False))

    def _record(self) -> None:
        self.loop.forget(self.program.master)
        self._open = False
        os.close(self.program.master)
        assert self.host.exit is not None
        code, number, at_ms = self.host.exit
        ended = ExitRecord(code, number, self.host.ring.end, at_ms, self.host.last_output_at_ms)
        self._recording = Recording(partial(self.bundle.write_exit, ended), note, self.launch.orphan_ms, now_ms())
        self._write_exit()

    def _write_exit(self) -> None:
        assert self._recording is not None
        again_ms = self._recording.due(now_ms(), visited=self.host.connections > 0)
        if again_ms is None:
            return self._recorded()
        self.perform(self.host.tell_exit())
        return self.loop.after("record", again_ms, self._write_exit)

    def _recorded(self) -> None:
        self._recording = None
        self.loop.cancel("record")
        try:
            self.keeper.finish()
        finally:
            self.perform(self.host.recorded())

    @property
    def _leaving(self) -> bool:
        return self.loop.waits("leave") or self._left

    def _leave(self) -> None:
        self.peers.stop_listening()
        with contextlib.suppress(FileNotFoundError):  # the home itself may be gone
            os.unlink(self.launch.socket_path)
        self.loop.after("leave", LEAVE_MS, partial(setattr, self, "_left", True))


def run(record: bytes, report: int, blank: Emulator | None = None) -> None:
    """Be the worker that `record` orders, with `Worker`'s `blank`. Says on `report` whether the program runs."""
    wakeup, _ = signal_pipe()
    try:
        worker = _begin(unpack_request(record), report, blank)
    except pty.LaunchError as error:
        _answer(report, f"error {error.code} {error}")
    except (OSError, ValueError, BundleBusy, BundleDamaged) as error:
        _answer(report, f"error internal {error}")
    else:
        _answer(report, f"ok {os.getpid()} {worker.program.pid}")
        worker.serve(wakeup)


def _answer(report: int, line: str) -> None:
    try:
        os.write(report, line.replace("\n", " ").encode(errors="replace") + b"\n")
    except OSError as error:
        note(f"nobody heard {line!r}: {error}")  # the daemon ended meanwhile: it finds the session by its bundle
    os.close(report)


def _begin(launch: Launch, report: int, blank: Emulator | None) -> Worker:
    os.umask(0o077)
    os.chdir("/")
    identity.name_process(identity.WORKER_NAME)
    become_subreaper()
    bundle = Bundle(os.fsdecode(launch.bundle_dir))
    redirect(bundle.open_errors())
    lock = bundle.acquire_lock()
    try:
        heed(report)  # with the lock: whoever took the order back has seen that it is held, or we see its word
        listener = listen(launch.socket_path)
        try:
            worker = Worker(launch, bundle, listener, blank)
            _introduce(worker)
        except BaseException:
            listener.close()
            os.unlink(launch.socket_path)
            raise
    except BaseException:
        os.close(lock)
        raise
    return worker


def _introduce(worker: Worker) -> None:
    """Write `worker.json`; an `exit.json` is of an earlier run. A program that cannot be found again must not run."""
    me, child = os.getpid(), worker.program.pid
    record = WorkerRecord(
        pid=me, start_time=identity.start_time(me) or 0, boot_id=identity.boot_id(),
        socket=os.fsdecode(worker.launch.socket_path), protocol_min=api.PROTOCOL_MIN, protocol_max=api.PROTOCOL_MAX,
        build=attn.__version__, snapshot_format=SNAPSHOT_FORMAT, child_pid=child,
        child_start_time=identity.start_time(child) or 0,
    )  # fmt: skip
    try:
        worker.bundle.begin_run(record)
    except OSError:
        os.killpg(child, signal.SIGKILL)
        raise


def main() -> None:
    """A worker by exec, when there is no spawner."""
    take_signals()
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        channel.setblocking(True)
        order = receive_order(channel)
    if order is not None:
        run(*order)


if __name__ == "__main__":
    main()
