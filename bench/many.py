"""Many sessions at once: what each costs, and how soon a daemon has all of them again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from attn.cli.link import Link
from attn.wire.client_events import AttachResult
from attn.wire.client_requests import AttachSession
from bench.hub import READY_TIMEOUT_S, Hub, running_hub, spawn, status
from bench.results import Result, median, percentile
from bench.terminals import running_tmux

SESSIONS: Final = 50
ALL_SESSIONS: Final = 100
STARTS: Final = 5
COMMAND_RUNS: Final = 15
IDLE_S: Final = 5.0
# After the last spawn, before memory is read: what is still being set up is not the price of being idle.
SETTLE_S: Final = 2.0


def memory_mb(pid: int, field: str) -> float:
    """A field of smaps_rollup (`Pss`, `Rss`) in MB."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"process {pid} has no {field}")


def cpu_s(pid: int) -> float:
    """Processor seconds that a process of one thread, or the first thread of a larger one, has used."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def measure() -> Iterator[Result]:
    """Spawn, memory, start of the daemon, `attn ls`, idle processor time."""
    with running_hub() as hub:
        sessions: list[str] = []
        with hub.connect() as link:
            yield from _spawn(link, sessions, 25)
            time.sleep(SETTLE_S)
            yield Result("daemon RSS, 25 sessions", "MB", memory_mb(hub.daemon_pid, "Rss"), "value <= 60")
        yield from _start(hub, "25 live workers", 0.4)
        with hub.connect() as link:
            sessions += [spawn(link, "cat").session.id for _ in range(SESSIONS - len(sessions))]
        time.sleep(SETTLE_S)
        yield _session_memory(hub, sessions)
        yield from _commands(hub)
        with hub.connect() as link:
            sessions += [spawn(link, "cat").session.id for _ in range(ALL_SESSIONS - len(sessions))]
            yield _idle(hub, link, sessions)
        yield from _start(hub, "100 live workers", 0.8)
        yield _start_with_stopped_worker(hub, sessions[0])


def _spawn(link: Link, sessions: list[str], count: int) -> Iterator[Result]:
    times, python = [], []
    for _ in range(count):
        begun = time.perf_counter()
        sessions.append(spawn(link, "cat").session.id)
        times.append((time.perf_counter() - begun) * 1000)
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-I", "-c", "pass"], check=True)
        python.append((time.perf_counter() - begun) * 1000)
    peer = median(python)
    yield Result("spawn p50, request to program running", "ms", median(times), "value <= 10", peer, "exec of Python")
    yield Result("spawn p95", "ms", percentile(times, 95))


def _session_memory(hub: Hub, sessions: list[str]) -> Result:
    """PSS of the workers alone; tmux's server with as many windows is the peer."""
    attn = sum(memory_mb(hub.worker_pid(session), "Pss") for session in sessions) / len(sessions)
    with running_tmux("cat") as tmux:
        for _ in range(SESSIONS - 1):
            tmux.run("new-window", "cat")
        server = int(tmux.run("display-message", "-p", "#{pid}"))
        peer = memory_mb(server, "Pss") / SESSIONS
    name = f"PSS per idle session, {len(sessions)} sessions"
    return Result(name, "MB", attn, "value <= 1.5", peer, "tmux server / window")


def _start(hub: Hub, what: str, budget_s: float) -> Iterator[Result]:
    hello, page = [], []
    for _ in range(STARTS):
        hub.stop_daemon()
        begun = time.perf_counter()
        hub.exec_daemon()
        with hub.connect() as link:
            link.wait_recovered(READY_TIMEOUT_S)
            hello.append(time.perf_counter() - begun)
        _wait_page(hub.web_port())
        page.append(time.perf_counter() - begun)
    yield Result(f"daemon exec to complete hello, {what}", "s", median(hello), f"value <= {budget_s}")
    yield Result(f"daemon exec to page served, {what}", "s", median(page), f"value <= {budget_s + 0.4:g}")


def _wait_page(port: int) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2) as answer:
                answer.read()
                return
        except OSError:
            assert time.monotonic() < deadline, "the page is not served"
        time.sleep(0.002)


def _start_with_stopped_worker(hub: Hub, session: str) -> Result:
    worker = hub.worker_pid(session)
    hub.stop_daemon()
    os.kill(worker, signal.SIGSTOP)
    try:
        begun = time.perf_counter()
        hub.exec_daemon()
        with hub.connect() as link:
            link.wait_recovered(READY_TIMEOUT_S)
        taken_s = time.perf_counter() - begun
    finally:
        os.kill(worker, signal.SIGCONT)
    return Result("daemon exec to complete hello, one worker stopped", "s", taken_s, "value <= 2")


def _commands(hub: Hub) -> Iterator[Result]:
    attn, tmux_times = [], []
    with running_tmux("cat") as tmux:
        for _ in range(COMMAND_RUNS):
            attn.append(_timed_ms([sys.executable, "-I", "-m", "attn", "ls"], hub.env))
            tmux_times.append(_timed_ms(tmux.command("list-sessions"), dict(os.environ)))
    yield Result("`attn ls`, 50 sessions", "ms", median(attn), "value <= 150", median(tmux_times), "tmux ls")


def _timed_ms(command: list[str], env: dict[str, str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, env=env, stdout=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - begun) * 1000


def _idle(hub: Hub, link: Link, sessions: list[str]) -> Result:
    """Share of one core that the daemon and all workers use while one client watches everything and nothing happens."""
    for session in sessions:
        link.request(AttachSession(id=0, session=session), AttachResult)
    assert status(link).sessions_running == len(sessions)
    time.sleep(SETTLE_S)
    processes = [hub.daemon_pid, *(hub.worker_pid(session) for session in sessions)]
    before = sum(map(cpu_s, processes))
    time.sleep(IDLE_S)
    used = sum(map(cpu_s, processes)) - before
    name = f"idle CPU, {len(sessions)} sessions attached by one client"
    return Result(name, "% of a core", 100 * used / IDLE_S, "value <= 1")
