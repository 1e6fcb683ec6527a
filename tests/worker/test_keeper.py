"""What happens in quiet moments: the screen goes to disk, memory is given back."""

from __future__ import annotations

import os
import threading

import pytest

from attn.bundle.records import ScreenRecord
from attn.terminal.emulator import Emulator
from attn.worker import keeper as keeper_module
from attn.worker import loop as loop_module
from attn.worker import screen as screen_module
from attn.worker.keeper import Keeper
from attn.worker.loop import Loop
from tests.worker.screens import Session, payload


@pytest.fixture(autouse=True)
def notes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(keeper_module, "note", lines.append)
    return lines


class Clock:
    """Time that passes when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100_000
        for module in (loop_module, keeper_module):
            monkeypatch.setattr(module, "now_ms", lambda: self.now)

    def pass_ms(self, loop: Loop, keeper: Keeper, span: int, step: int = 100) -> None:
        for _ in range(0, span, step):
            self.now += step
            loop.turn(idle=False)
            while keeper.step():
                continue


class Disk:
    """Counts what is written, and tells when."""

    def __init__(self) -> None:
        self.written: list[ScreenRecord] = []
        self.arrived = threading.Event()

    def __call__(self, kept: ScreenRecord) -> None:
        self.written.append(kept)
        self.arrived.set()

    def wait(self) -> None:
        assert self.arrived.wait(10)
        self.arrived.clear()


def test_the_screen_is_kept_when_output_stops_and_now_and_then_when_it_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session, clock, loop, disk = Session(), Clock(monkeypatch), Loop(), Disk()
    keeper = Keeper(session.screen, loop, disk)
    session.write(b"a")
    keeper.changed()
    clock.pass_ms(loop, keeper, keeper_module.QUIET_MS - 100)
    assert disk.written == []
    clock.pass_ms(loop, keeper, 200)
    disk.wait()
    assert [kept.text[:1] for kept in disk.written] == ["a"]
    for _ in range(100):
        session.write(b"b")
        keeper.changed()
        clock.pass_ms(loop, keeper, 1000)
        with keeper._disk:  # a test's seconds are shorter than a write
            pass
    keeper.finish()
    assert 3 <= len(disk.written) - 1 <= 5
    assert disk.written[-1].offset == 101


def test_a_screen_on_its_way_to_the_disk_is_waited_for_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    session, clock, loop, disk = Session(), Clock(monkeypatch), Loop(), Disk()
    slow, started = threading.Event(), threading.Event()

    def write(kept: ScreenRecord) -> None:
        started.set()
        assert slow.wait(10)
        disk(kept)

    keeper = Keeper(session.screen, loop, write)
    session.write(b"a")
    keeper.changed()
    clock.pass_ms(loop, keeper, 2 * keeper_module.QUIET_MS)
    assert started.wait(10)
    session.write(b"b")
    threading.Timer(0.05, slow.set).start()
    keeper.finish()
    assert [kept.offset for kept in disk.written] == [1, 2]


def test_a_full_disk_is_noted_and_nothing_more(monkeypatch: pytest.MonkeyPatch, notes: list[str]) -> None:
    session = Session()

    def full(kept: ScreenRecord) -> None:
        raise OSError(28, os.strerror(28))

    Keeper(session.screen, Loop(), full).finish()
    assert "No space left" in notes[0]


def test_no_screen_is_kept_where_that_is_switched_off() -> None:
    session, loop = Session(), Loop()
    keeper = Keeper(session.screen, loop, None)
    session.write(b"secret")
    keeper.changed()
    assert not loop.waits("save")
    keeper.finish()
    assert not keeper.step()


def test_scrollback_is_compressed_once_it_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    session, clock, loop = Session(), Clock(monkeypatch), Loop()
    keeper, compressed = Keeper(session.screen, loop, None), list[int]()
    more = [False, True, True]
    monkeypatch.setattr(Emulator, "compress", lambda self: compressed.append(clock.now) or more.pop())
    session.write(b"x\r\n" * (screen_module.COMPRESS_BYTES // 3 + 1))
    keeper.changed()
    clock.pass_ms(loop, keeper, 5000)
    keeper.changed()
    clock.pass_ms(loop, keeper, keeper_module.COMPRESS_MS - 100)
    assert compressed == [] and not session.screen.compressed
    clock.pass_ms(loop, keeper, 500)
    assert len(compressed) == 3 and session.screen.compressed  # one step a turn
    keeper.changed()
    assert not loop.waits("compress")
    session.write(b"x\r\n" * (screen_module.COMPRESS_BYTES // 3 + 1))
    keeper.changed()
    assert loop.waits("compress")


def test_scrollback_is_compressed_again_after_a_resize_and_not_after_a_look(monkeypatch: pytest.MonkeyPatch) -> None:
    session, clock, loop = Session(), Clock(monkeypatch), Loop()
    keeper = Keeper(session.screen, loop, None)
    session.write(b"".join(b"line %d\r\n" % number for number in range(40_000)))
    keeper.compress()
    clock.pass_ms(loop, keeper, 1000)
    before = payload(session.screen.show("text", None, 0))
    keeper.changed()
    assert session.screen.compressed and not loop.waits("compress")
    session.screen.resize(5, 30, 0, 0)
    keeper.changed()
    assert loop.waits("compress")
    clock.pass_ms(loop, keeper, keeper_module.COMPRESS_MS + 1000)
    assert session.screen.compressed
    assert payload(session.screen.show("text", None, 0)).split() == before.split()
