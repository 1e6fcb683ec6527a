"""The sessions: what their files say, against the lock that a worker holds, the processes there are, and the daemon."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from attn.bundle import identity
from attn.bundle import processes as ours
from attn.bundle.bundle import Bundle, list_bundles
from attn.bundle.files import BundleDamaged
from attn.doctor.scene import Finding, Scene, fail, of_code, ok, quoted, warn
from attn.errors import AttnError
from attn.paths import home_from_env

# Between the exit and the goodbye a worker has this long; later it is one that hangs.
GOODBYE_MS: Final = 60_000
# What a start puts after the name of a bundle that it cannot read.
DAMAGED: Final = ".damaged-"


def bundles(scene: Scene) -> Iterator[Finding]:
    """Each session's directory."""
    try:
        found = list_bundles(scene.home.run)
    except OSError as error:
        if scene.home.root.is_dir():
            way = "chmod u+rwx" if isinstance(error, PermissionError) else "ls -ld"
            text = f"they cannot be listed: {error.strerror}"
            yield fail("sessions", text, scene.home.run, f"{way} {quoted(scene.home.run)}")
        return
    ours_id = _daemon_id(scene)
    well = {"runs": 0, "ended": 0, "waits": 0}
    for bundle in found:
        try:
            yield from _bundle(scene, bundle, ours_id, well)
        except BundleDamaged as error:
            yield of_code(scene, "sessions", "bundle_quarantined", str(error), bundle.path)
        except OSError as error:
            text = f"whether session {bundle.session_id} lives cannot be told: {error.strerror or error}"
            yield warn("sessions", text, bundle.path, f"ls -l {quoted(bundle.path)}")
    for path in sorted(scene.home.run.glob(f"*{DAMAGED}*")):
        yield of_code(scene, "sessions", "bundle_quarantined", "files of a session that could not be read", path)
    yield ok("sessions", f"{well['runs']} run, {well['ended']} ended, {well['waits']} can be looked after by a start",
             scene.home.run)  # fmt: skip
    for state in (scene.answer.sessions if scene.answer else {}).items():
        if state[1] == "unreachable":
            yield warn("sessions", f"the worker of session {state[0]} does not answer", scene.home.bundle(state[0]),
                       "attn ls")  # fmt: skip


def _bundle(scene: Scene, bundle: Bundle, ours_id: str, well: dict[str, int]) -> Iterator[Finding]:
    spec, worker, ended = bundle.spec(), bundle.worker(), bundle.exit()
    bundle.meta()
    lives = bundle.lock_held()
    name, path = bundle.session_id, bundle.path
    if spec.session_id != name:
        yield warn("sessions", f"the files of {name} are those of session {spec.session_id}; they are left as they are",
                   path, f"ls -l {quoted(path)}")  # fmt: skip
    elif ours_id and spec.daemon_id != ours_id:
        text = f"session {name} belongs to another daemon ({spec.daemon_id}), so it is left as it is"
        yield of_code(scene, "sessions", "session_foreign", text, path)
    elif lives and ended is None:
        well["runs"] += 1
        if worker is not None and not identity.same_process(worker.pid, worker.start_time, worker.boot_id):
            yield warn("sessions", f"session {name} is alive, but its worker.json names a process that is not (pid "
                       f"{worker.pid})", path, "attn ls")  # fmt: skip
    elif lives and ended is not None and scene.now_ms - ended.at_ms > GOODBYE_MS:
        yield warn("sessions", f"the program of session {name} ended, its worker does not", path, f"attn rm {name}")
    elif ended is not None:
        well["ended"] += 1
    else:
        well["waits"] += 1
        if other := bundle.runs_elsewhere():  # never a program to be killed: it has a home of its own
            yield warn("sessions", f"session {name} has no lock, but its worker still runs (pid {other}): this is a "
                       "copy of the directory that it serves", path, f"ps -fp {other}")  # fmt: skip
        elif left := bundle.program_left():
            yield warn("sessions", f"the program of session {name} (pid {left}) runs on without a terminal", path,
                       f"kill {left}")  # fmt: skip


def _daemon_id(scene: Scene) -> str:
    try:
        return scene.home.daemon_id.read_text().strip()
    except OSError:
        return ""


def processes(scene: Scene) -> Iterator[Finding]:
    """Workers whose session is gone, and spawners whose daemon is."""
    if not ours.visible():
        return
    run, bad, count = str(scene.home.run) + os.sep, 0, 0
    for process in ours.named(frozenset({identity.WORKER_NAME, identity.SPAWNER_NAME})):
        try:
            if process.name == identity.SPAWNER_NAME:
                finding = _spawner(scene, process)
            else:
                held = [file for file in ours.open_files(process.pid) if file.startswith(run)]
                count += bool(held)
                finding = _worker(process, held)
        except OSError:
            continue  # it ended meanwhile, or is not ours to look into
        if finding is not None:
            bad += 1
            yield finding
    if not bad:
        yield ok("processes", f"{count} workers, each with its session")


def _worker(process: ours.Process, held: list[str]) -> Finding | None:
    """held: what the worker has open in this home; nothing for a worker of another one."""
    gone = [file for file in held if file.endswith("worker.lock (deleted)")]
    path = Path((gone or held or [""])[0]).parent
    if gone and not _is_of(path, process):
        return warn("processes", f"a worker (pid {process.pid}) serves a session whose files were removed", path,
                    f"kill {process.pid}")  # fmt: skip
    if held and process.stopped:
        return warn("processes", f"the worker of session {path.name} (pid {process.pid}) is stopped", path,
                    f"kill -CONT {process.pid}")  # fmt: skip
    if gone:
        return warn("processes", f"the worker of session {path.name} (pid {process.pid}) runs on, but its lock was "
                    "removed; a reload makes a new one", path, f"attn reload {path.name}")  # fmt: skip
    return None


def _is_of(path: Path, process: ours.Process) -> bool:
    """Whether the session there has this worker: it can be reached, and its program is not to be lost for a file."""
    try:
        worker = Bundle(path).worker()
    except (BundleDamaged, OSError):
        return path.is_dir()  # nothing is proved
    return worker is not None and (worker.pid, worker.start_time) == (process.pid, process.started)


def _spawner(scene: Scene, process: ours.Process) -> Finding | None:
    """One whose daemon is gone should have ended with it."""
    try:
        theirs = home_from_env({**ours.environment(process.pid), "ATTN_TEST_FENCE": ""}).root
    except AttnError:
        return None
    daemons = {daemon.pid for daemon in ours.named(frozenset({identity.DAEMON_NAME}))}
    if theirs != scene.home.root or process.parent in daemons:
        return None
    return warn("processes", f"a spawner (pid {process.pid}) was left behind by a daemon that is gone",
                command=f"kill {process.pid}")  # fmt: skip
