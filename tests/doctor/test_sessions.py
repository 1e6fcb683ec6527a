"""Each session's files against its lock and its processes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from attn.bundle import identity
from attn.bundle.bundle import Bundle
from attn.bundle.records import ExitRecord, Meta, Spec, WorkerRecord
from attn.doctor import sessions
from attn.doctor.scene import Scene
from tests.doctor.conftest import NOW_MS, answered, look
from tests.waiting import wait_until

ID = "abcde00001"


def made(scene: Scene, session_id: str = ID, daemon_id: str = "d-id") -> Bundle:
    bundle = Bundle(scene.home.bundle(session_id))
    spec = Spec(session_id, daemon_id, ["/bin/cat"], "/", [], "program", "cat", 40, 120, NOW_MS)
    bundle.create(spec, Meta("cat", 0))
    return bundle


def worker(pid: int) -> WorkerRecord:
    started = identity.start_time(pid) or 0
    return WorkerRecord(pid, started, identity.boot_id(), "/s", 1, 1, "0.1.0", "vt1", pid)


def test_sessions_that_are_well(scene: Scene) -> None:
    assert "0 run, 0 ended, 0 can" in look(scene, sessions.bundles)["ok"]
    running, ended = made(scene), made(scene, "abcde00002")
    made(scene, "abcde00003")
    lock = running.acquire_lock()
    running.write_worker(worker(os.getpid()))
    ended.write_exit(ExitRecord(0, None, 5, NOW_MS))
    told = look(scene, sessions.bundles)
    assert "1 run, 1 ended, 1 can" in told["ok"] and not told["warn"] and not told["fail"]
    os.close(lock)


def test_files_that_are_damaged_or_another_daemons(scene: Scene) -> None:
    damaged = made(scene)
    (damaged.path / "spec.json").write_text("{")
    other = made(scene, "abcde00002", daemon_id="another")
    shutil.copytree(other.path, scene.home.bundle("abcde00003"))
    (scene.home.run / "abcde00009.damaged-17").mkdir()
    told = look(scene, sessions.bundles)
    assert "bundle_quarantined" in told["warn"] and str(damaged.path) in told["warn"]
    assert f"could not be read | {scene.home.run / 'abcde00009.damaged-17'} | ls -l" in told["warn"]
    assert "session abcde00002 belongs to another daemon (another)" in told["warn"]
    assert "the files of abcde00003 are those of session abcde00002" in told["warn"]


def test_facts_that_contradict_each_other(scene: Scene) -> None:
    bundle = made(scene)
    bundle.write_worker(worker(os.getpid()))
    assert "has no lock, but its worker still runs" in look(scene, sessions.bundles)["ok"] + look(
        scene, sessions.bundles)["warn"] or bundle.lock_held()  # fmt: skip
    lock = bundle.acquire_lock()
    bundle.write_worker(worker(os.getpid())._replace(start_time=1))
    assert "names a process that is not" in look(scene, sessions.bundles)["warn"]
    bundle.write_exit(ExitRecord(0, None, 5, NOW_MS - sessions.GOODBYE_MS - 1))
    assert f"attn rm {ID}" in look(scene, sessions.bundles)["warn"]
    os.close(lock)
    bundle.write_worker(worker(os.getpid()))
    (bundle.path / "exit.json").unlink()
    bundle.write_worker(worker(os.getpid())._replace(child_start_time=identity.start_time(os.getpid()) or 0))
    told = look(scene, sessions.bundles)["warn"]
    assert "has no lock, but its worker still runs" in told and "kill" not in told, "it is a copy of one that runs"


def test_a_worker_that_does_not_answer_is_told(scene: Scene) -> None:
    told = look(answered(scene, sessions={ID: "unreachable"}), sessions.bundles)["warn"]
    assert f"the worker of session {ID} does not answer" in told


@contextmanager
def process(name: str, scene: Scene, *files: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that calls itself so and has files open."""
    code = f"open('/proc/self/comm', 'w').write({name!r}); held = [open(f) for f in sys.argv[1:]]"
    code = f"import sys; {code}; print(1, flush=True); sys.stdin.read()"
    environment = {"ATTN_HOME": str(scene.home.root), "HOME": "/", "ATTN_TEST_FENCE": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", code, *map(str, files)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as child:
        assert child.stdin is not None and child.stdout is not None
        child.stdout.readline()
        try:
            yield child
        finally:
            child.send_signal(signal.SIGCONT)
            child.stdin.close()


def test_workers_are_looked_for(scene: Scene) -> None:
    bundle = made(scene)
    os.close(bundle.acquire_lock())
    with process("attn-worker", scene, bundle.path / "worker.lock") as child:
        assert "1 workers, each with its session" in look(scene, sessions.processes)["ok"]
        child.send_signal(signal.SIGSTOP)
        wait_until(lambda: "kill -CONT" in look(scene, sessions.processes)["warn"], 10, "the stopped worker")
        child.send_signal(signal.SIGCONT)
        shutil.rmtree(bundle.path)
        assert f"kill {child.pid}" in look(scene, sessions.processes)["warn"]


def test_who_misses_nothing_but_its_lock_is_not_to_be_killed(scene: Scene) -> None:
    bundle = made(scene)
    os.close(bundle.acquire_lock())
    with process("attn-worker", scene, bundle.path / "worker.lock") as child:
        (bundle.path / "worker.lock").unlink()
        bundle.write_worker(worker(child.pid))
        told = look(scene, sessions.processes)["warn"]
        assert f"attn reload {ID}" in told and f"kill {child.pid}" not in told
        bundle.write_worker(worker(os.getpid()))  # another one has the session
        assert f"kill {child.pid}" in look(scene, sessions.processes)["warn"]
        (bundle.path / "worker.json").write_text("{")
        assert f"kill {child.pid}" not in look(scene, sessions.processes)["warn"]


def test_a_spawner_without_its_daemon_is_told_and_only_ours(scene: Scene, tmp_path: Path) -> None:
    identity.name_process("no-daemon")  # other tests play the daemon in this process
    with process("attn-spawner", scene) as child:
        assert f"kill {child.pid}" in look(scene, sessions.processes)["warn"]
        other = replace(scene, home=replace(scene.home, root=tmp_path / "other"))
        assert not look(other, sessions.processes)["warn"]
