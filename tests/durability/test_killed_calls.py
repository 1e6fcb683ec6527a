"""The real process, killed at its system calls and at any time, and on a disk that reports errors.

Sampled in `make test` with the seed that is printed; ATTN_TEST_FULL takes every call, and 200 kills at random times.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from attn.paths import Home
from attn.store.backup import listed
from tests.durability.scene import Scene
from tests.store.conftest import ROW, at_step, reopened
from tests.store.faulty_disk import mounted
from tests.system.client import Closed, Refused
from tests.system.conftest import DaemonProcess, make_daemon
from tests.waiting import wait_until

FULL = bool(os.environ.get("ATTN_TEST_FULL"))
SEED = int(os.environ.get("ATTN_TEST_SEED", "20261"))
SAMPLED_CALLS = 50
RANDOM_KILLS = 200 if FULL else 8
CALLS = "write,pwrite64,fsync,fdatasync,ftruncate,unlink,unlinkat,rename,renameat,renameat2,mkdir"
PR = "INSERT INTO prs (id, repo, number, title, url, role, state, updated_at_ms) VALUES"

OPEN = """
import dataclasses, os, sys
from pathlib import Path
from attn.paths import Home
from attn.store import SessionRow, open_store
os.umask(0o077)
root = Path(sys.argv[1])
store = open_store(Home(root, root / "s", is_default=False), now_ms=1_700_000_000_000)
"""
MIGRATE = OPEN + "store.close()"
WRITE = (
    OPEN
    + """
for n in range(15):
    store.settings.set("theme", str(n))
    os.write(1, b"%d\\n" % n)
store.back_up("regular", 1_700_000_000_001)
store.close()
"""
)


def traced(program: str, root: Path, *options: str) -> subprocess.CompletedProcess[bytes]:
    strace = shutil.which("strace")
    if strace is None:
        pytest.exit("missing: strace; install: sudo apt-get install strace", returncode=1)
    command = [strace, "-qq", "-e", f"trace={CALLS}", *options, sys.executable, "-I", "-c", program, str(root)]
    return subprocess.run(command, capture_output=True, timeout=120, check=False)


def sampled_kills(program: str, home: Home) -> Iterator[bytes]:
    """Run `program` on a copy of `home` again and again, killed at another call each time: what it had printed."""
    kept, log = home.root.with_name("kept"), home.root.with_name("calls")
    shutil.copytree(home.root, kept)
    assert traced(program, home.root, "-o", str(log)).returncode == 0
    # strace counts each call by its name.
    names = [line.partition("(")[0] for line in log.read_text().splitlines()]
    points = [(name, names[: at + 1].count(name)) for at, name in enumerate(names) if name in CALLS.split(",")]
    calls = points if FULL else sorted(random.Random(SEED).sample(points, min(SAMPLED_CALLS, len(points))))
    print(f"{len(calls)} of {len(points)} calls, seed {SEED}")
    for name, at in calls:
        shutil.rmtree(home.root)
        shutil.copytree(kept, home.root)
        done = traced(program, home.root, "-o", str(log), "-e", f"inject={name}:signal=KILL:when={at}")
        assert done.returncode == -signal.SIGKILL, f"the kill at {name} {at} did not reach the process"
        yield done.stdout


def test_a_migration_killed_at_a_call_is_done_or_not_and_its_backup_was_made_before(home: Home) -> None:
    at_step(home, 1, *(f"{PR} ('o/r#{n}', 'o/r', {n}, 't', 'u', 'author', 'open', 1)" for n in range(1, 30)))
    for _ in sampled_kills(MIGRATE, home):
        made = listed(home.backups)
        store = reopened(home)
        assert store.database.one("SELECT count(*) FROM prs") == 29
        assert store.plan.run or [each.reason for each in made] == ["migration"]
        store.close()
        assert [each.rows["prs"] for each in listed(home.backups)] == [29]


def test_what_was_said_to_be_saved_is_there_after_a_kill_at_any_call(home: Home) -> None:
    store = reopened(home)
    store.sessions.upsert(ROW)
    store.close()
    for printed in sampled_kills(WRITE, home):
        said = [int(line) for line in printed.split(b"\n")[:-1]]
        store = reopened(home)
        value = store.settings.get("theme")
        assert store.sessions.list() == [ROW]
        assert (int(value) if value else -1) >= max(said, default=-1)
        store.close()


@pytest.fixture
def daemon() -> Iterator[DaemonProcess]:
    made = make_daemon()
    try:
        yield made
    finally:
        made.close()


def test_a_daemon_killed_at_any_time_has_what_it_said_to_have_saved(daemon: DaemonProcess) -> None:
    chance, said = random.Random(SEED), -1
    for kill in range(RANDOM_KILLS):
        daemon.start()
        daemon.client()  # who comes before the database is open hears of its settings a moment later
        with daemon.client() as client:
            assert int(client.hello_body["settings"].get("agent", "-1")) >= said
            doomed = threading.Timer(chance.uniform(0.0, 0.4), daemon.kill)
            doomed.start()
            try:
                for n in range(kill * 100_000, (kill + 1) * 100_000):
                    client.request("set_setting", key="agent", value=str(n))
                    said = n
            except (Closed, ConnectionError):
                doomed.join()
        assert said >= 0


def test_an_error_of_the_disk_is_told_and_over_when_a_person_asks(scene: Scene) -> None:
    """The sync of the log fails in the real daemon; what was being written is not said to be saved."""
    strace = shutil.which("strace")
    assert strace is not None, "missing: strace; install: sudo apt-get install strace"
    scene.attn("daemon start")
    pid = int(scene.home.lock.read_text().split()[0])
    log = f"{scene.home.database}-wal"
    tracer = subprocess.Popen(
        [strace, "-f", "-p", str(pid), "-o", "/dev/null", "-P", log, "-e", "inject=fsync,fdatasync:error=EIO"],
        stderr=subprocess.PIPE,
    )
    try:
        assert tracer.stderr is not None and b"attached" in tracer.stderr.readline()
        with scene.client() as client:
            with pytest.raises(Refused) as refused:
                client.request("set_setting", key="theme", value="dark")
            assert refused.value.code == "persistence_unavailable"
            client.until(lambda: [each["code"] for each in client.conditions] == ["io_error"])
        condition = scene.condition("io_error")
        assert condition["sqlite_name"] == "SQLITE_IOERR_FSYNC" and condition["not_saved_since_ms"]
        scene.attn("new --label meanwhile -- true")
    finally:
        tracer.terminate()
        tracer.communicate()
    wait_until(lambda: "TracerPid:\t0" in Path(f"/proc/{pid}/status").read_text(), 30, "the tracer to let go")
    assert scene.run(condition["commands"][0]).returncode == 0
    scene.attn("status")
    with scene.client() as client:
        client.request("set_setting", key="theme", value="dark")


def test_the_faulty_disk_of_other_tests_is_gone(home: Home) -> None:
    with mounted() as disk:
        reopened(home).close()
    used = disk.operations
    reopened(home).close()
    assert disk.operations == used > 20
