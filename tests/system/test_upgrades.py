"""The installed package is replaced, broken and deleted under a running daemon, its spawner and its workers."""

from __future__ import annotations

import os
import signal
import subprocess
import urllib.request
from pathlib import Path

import pytest

import attn
from attn.bundle.bundle import Bundle
from tests.system import processes
from tests.system.client import Client, Refused
from tests.system.conftest import DaemonProcess
from tests.system.driving import everything_works
from tests.system.packages import Package
from tests.waiting import wait_until

LIMIT_S = 30.0
NEWER = "9.9.9"


@pytest.fixture
def package(tmp_path: Path, cold: DaemonProcess) -> Package:
    """What the daemon of `cold` runs from."""
    made = Package(tmp_path / "venv")
    cold.command = [str(made.python), "-I", "-m", "attn"]
    return made


def cli(daemon: DaemonProcess, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of the installed package."""
    return subprocess.run(
        [*daemon.command, *arguments], env=daemon.env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip


def the_daemon_works(daemon: DaemonProcess, client: Client) -> None:
    """What a daemon does beside its sessions."""
    assert client.request("get_status")["store"]["state"] == "ok"
    assert client.request("get_agents")["agents"]
    assert client.request("complete_path", prefix="/e")["matches"]
    url = client.request("new_login")["url"]
    with urllib.request.urlopen(url.partition("#")[0], timeout=20) as page:
        assert b"<html" in page.read().lower()


def test_nothing_that_runs_needs_the_package(cold: DaemonProcess, package: Package) -> None:
    client = cold.start().client()
    cold.wait_web()
    old = client.spawn("cat")["id"]
    package.remove_source()
    everything_works(client, old, "old")
    fresh = client.spawn("cat")["id"]
    everything_works(client, fresh, "fresh")
    the_daemon_works(cold, client)
    ended = client.spawn("sh", "-c", "echo bye; exit 7")["id"]
    assert client.request("wait_session", session=ended, timeout_ms=20_000)["exit"]["code"] == 7
    client.request("kill_session", session=fresh)
    for session in (fresh, ended):
        bundle = Bundle(cold.home.bundle(session))
        wait_until(lambda bundle=bundle: bundle.screen() and not bundle.lock_held(), LIMIT_S, "the last screen")
        client.request("remove_session", session=session)
    assert (cold.home.bundle(old) / "worker.err").read_text() == ""
    assert "Traceback" not in cold.log() + cold.said()
    cold.kill()
    assert cold.launch().wait(LIMIT_S) != 0
    package.install()
    again = cold.start().client()
    assert again.state(old) == "running"
    everything_works(again, old, "again")


@pytest.mark.parametrize("missing", ["package", "interpreter"])
def test_without_spawner_and_package_a_start_fails_honestly(
    cold: DaemonProcess, package: Package, missing: str
) -> None:
    client = cold.start().client()
    session = client.spawn("cat")["id"]
    if missing == "package":
        package.remove_source()
    else:
        package.remove_interpreter()
    spawner = processes.spawner(cold.home)
    os.kill(spawner, signal.SIGKILL)
    client.until(lambda: "spawner_gone" in [each["code"] for each in client.conditions], LIMIT_S)
    with pytest.raises(Refused) as refused:
        client.spawn("cat")
    assert refused.value.code == "interpreter_missing"
    assert "install" in refused.value.body["remedy"]
    assert client.sessions.keys() == {session}
    assert [path.name for path in cold.home.run.iterdir() if path.is_dir() and path.name != "s"] == [session]
    everything_works(client, session, "still")


def test_a_restart_after_an_upgrade_names_the_sessions_with_older_workers(
    cold: DaemonProcess, package: Package
) -> None:
    client = cold.start().client()
    old = client.spawn("cat", label="begun before")["id"]
    package.install(NEWER)
    same = client.spawn("cat", label="begun after")["id"]
    assert client.sessions[same]["worker_build"] == attn.__version__, "the spawner has the code of its daemon"
    everything_works(client, same, "same")
    listed = cli(cold, "ls")
    assert listed.returncode == 0 and "run: attn daemon restart" in listed.stderr
    restarted = cli(cold, "daemon", "restart")
    assert restarted.returncode == 0, restarted.stderr
    for word in (old, same, attn.__version__, "begun before"):
        assert word in restarted.stdout
    with cold.client() as client:
        assert client.hello_body["version"] == NEWER
        new = client.spawn("cat")["id"]
        assert client.sessions[new]["worker_build"] == NEWER
        assert client.sessions[old]["worker_build"] == attn.__version__
        for session, word in ((old, "old"), (same, "both"), (new, "new")):
            everything_works(client, session, word)
        client.request("kill_session", session=old)
        client.request("kill_session", session=same)
    again = cli(cold, "daemon", "restart")
    assert "another build" not in again.stdout
    assert cli(cold, "daemon", "stop").returncode == 0
