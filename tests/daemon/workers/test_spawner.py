"""The spawner process and its fallback, with real workers."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from attn.bundle.bundle import Bundle
from attn.daemon.workers.spawner import Spawner, _parse_report
from attn.errors import AttnError
from attn.wire.launch import pack_request
from tests.daemon.scripted import bundle
from tests.waiting import wait_until


def record(made: Bundle, path: Path, *argv: str) -> bytes:
    return pack_request(
        session_id=made.session_id, bundle_dir=str(made.path), socket_path=str(path), rows=24, cols=80,
        scrollback_lines=100, emulator=True, umask=0o022, cwd="/", argv=argv or ["/bin/true"], env={"PATH": os.defpath},
    )  # fmt: skip


def ended(made: Bundle) -> None:
    wait_until(lambda: made.exit() is not None and not made.lock_held(), 20, "the worker's end")


async def test_a_spawner_forks_workers_and_its_loss_only_slows(tmp_path: Path) -> None:
    states: list[str] = []
    heard = asyncio.Event()
    spawner = Spawner(lambda state: (states.append(state), heard.set())[0])
    spawner.start()
    await asyncio.wait_for(heard.wait(), 20)
    assert states == [""] and spawner.emulator
    first = bundle(tmp_path, "aaaaaaaaaa")
    worker_pid, program_pid = await spawner.spawn(record(first, tmp_path / "s1"))
    assert worker_pid != program_pid
    heard.clear()
    os.kill(spawner._children[0].pid, signal.SIGKILL)
    await asyncio.wait_for(heard.wait(), 20)
    assert states[-1].startswith("spawner_gone")
    second = bundle(tmp_path, "bbbbbbbbbb")
    await spawner.spawn(record(second, tmp_path / "s2"))
    for made in (first, second):
        ended(made)
    spawner.close()
    wait_until(lambda: spawner.reap() or not spawner._children, 20, "the children to be collected")


async def test_an_order_that_died_with_the_spawner_is_given_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready, given = asyncio.Event(), asyncio.Event()
    spawner = Spawner(lambda state: ready.set())
    spawner.start()
    await asyncio.wait_for(ready.wait(), 20)
    real = spawner._hand_over

    async def hand_over(record: bytes, report: socket.socket) -> None:
        await real(record, report)
        given.set()

    monkeypatch.setattr(spawner, "_hand_over", hand_over)
    pid = spawner._children[0].pid
    os.kill(pid, signal.SIGSTOP)
    made = bundle(tmp_path)
    order = asyncio.create_task(spawner.spawn(record(made, tmp_path / "s")))
    await asyncio.wait_for(given.wait(), 20)
    os.kill(pid, signal.SIGKILL)
    await order
    ended(made)
    spawner.close()
    wait_until(lambda: spawner.reap() or not spawner._children, 20, "the children to be collected")


async def test_a_program_that_cannot_run_is_an_error_with_its_code(tmp_path: Path) -> None:
    spawner = Spawner(lambda state: None)
    made = bundle(tmp_path)
    with pytest.raises(AttnError) as raised:
        await spawner.spawn(record(made, tmp_path / "s", "/no/such/program"))
    assert raised.value.code in ("agent_missing", "not_executable")
    assert not made.lock_held()
    spawner.close()
    wait_until(lambda: spawner.reap() or not spawner._children, 20, "the children to be collected")


async def test_a_python_that_is_gone_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    states: list[str] = []
    spawner = Spawner(states.append)
    spawner.start()
    assert states and "/no/such/python" in states[0]
    with pytest.raises(AttnError, match="interpreter_missing: /no/such/python") as raised:
        await spawner.spawn(record(bundle(tmp_path), tmp_path / "s"))
    assert raised.value.remedy


def test_reports_are_read() -> None:
    assert _parse_report("ok 12 13") == (12, 13)
    with pytest.raises(AttnError, match="not_executable: /x is a directory"):
        _parse_report("error not_executable /x is a directory")
    with pytest.raises(AttnError, match="internal"):
        _parse_report("")
    with pytest.raises(AttnError, match="disk_full: the worker cannot begin: No space left on device: 'x'") as full:
        _parse_report("error internal [Errno 28] No space left on device: 'x'")
    assert "free some space" in full.value.remedy
