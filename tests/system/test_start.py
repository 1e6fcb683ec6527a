"""Starting and ending the daemon: one at a time, on its own port, loud when it cannot, quiet when it goes."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import urllib.error
import urllib.request
from typing import Any

from attn.bundle import identity
from attn.bundle.bundle import Bundle
from tests.system.client import Client
from tests.system.conftest import DaemonProcess
from tests.waiting import wait_until


def health(daemon: DaemonProcess, query: str = "") -> tuple[int, dict[str, Any]]:
    url = f"http://127.0.0.1:{daemon.home.port.read_text().strip()}/health{query}"
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_of_two_daemons_one_serves_and_the_other_says_who(cold: DaemonProcess) -> None:
    cold.start()
    other = cold.launch()
    assert other.wait(20) == 75
    assert f"daemon_running: a daemon runs already for {cold.home.root} (pid {cold.pid})" in cold.said()
    assert cold.client().request("get_status")["daemon"]["pid"] == cold.pid


def test_two_starts_at_once_leave_one(cold: DaemonProcess) -> None:
    both = [cold.launch(), cold.launch()]
    loser = wait_until(lambda: next((each for each in both if each.poll() is not None), None), 20, "the loser")
    cold.process = both[1 - both.index(loser)]
    assert loser.returncode == 75
    wait_until(cold._listens, 20, "the winner")
    assert cold.client().request("get_status")["daemon"]["pid"] == cold.pid


def test_everything_is_private(daemon: DaemonProcess) -> None:
    daemon.client().spawn("cat")
    for path in [daemon.home.root, *daemon.home.root.rglob("*"), daemon.home.daemon_socket]:
        mode = path.lstat().st_mode
        assert stat.S_IMODE(mode) & 0o077 == 0, path
    token = daemon.home.token.read_text().strip()
    assert len(token) >= 43
    assert token not in daemon.log() + daemon.said()


def test_the_port_is_kept_and_its_owner_is_named(cold: DaemonProcess) -> None:
    cold.start()
    port = int(cold.home.port.read_text())
    assert cold.end() == 0
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", port))
        squatter.listen()
        assert cold.launch().wait(20) == 69
    assert f"port_taken: port {port} on 127.0.0.1 is taken by " in cold.said()
    assert f"(pid {os.getpid()})" in cold.said()
    cold.start()
    assert int(cold.home.port.read_text()) == port


def test_a_home_that_cannot_be_made_is_named(cold: DaemonProcess) -> None:
    cold.env["ATTN_HOME"] = "/proc/attn-home"
    assert cold.launch().wait(20) == 73
    assert "home_unwritable: /proc/attn-home cannot be used" in cold.said()


def test_a_stale_socket_is_replaced(cold: DaemonProcess) -> None:
    cold.start()
    cold.kill()
    assert cold.home.daemon_socket.exists()
    cold.start()
    cold.client()


def test_health_names_the_daemon_and_no_session(daemon: DaemonProcess) -> None:
    client = daemon.client()
    client.spawn("cat", label="a secret name")
    status, body = wait_until(lambda: _answered(daemon), 20, "the web side")
    assert (status, body["status"], body["daemon_id"]) == (200, "ok", client.hello_body["daemon_id"])
    assert "secret" not in json.dumps(body)
    assert health(daemon, "?require=store")[0] == 200


def _answered(daemon: DaemonProcess) -> tuple[int, dict[str, Any]] | None:
    try:
        return health(daemon)
    except OSError:
        return None


def test_a_broken_store_degrades_and_sessions_stay_durable(cold: DaemonProcess) -> None:
    cold.home.root.mkdir(mode=0o700)
    cold.home.database.write_bytes(b"this is no database, but somebody's file " * 200)
    before = cold.home.database.read_bytes()
    cold.start()
    client = cold.client()
    session = client.spawn("cat", label="kept")
    client.until(lambda: client.conditions)
    assert client.conditions[0]["code"] == "not_a_database" and client.conditions[0]["commands"]
    status = client.request("get_status")
    assert status["store"]["state"] == "degraded"
    assert wait_until(lambda: _answered(cold), 20, "the web side")[1]["status"] == "degraded"
    assert health(cold, "?require=store")[0] == 503
    client.request("rename_session", session=session["id"], label="renamed")
    cold.restart()
    again = cold.client()
    assert [(s["label"], s["state"], s["pid"]) for s in again.sessions.values()] == [
        ("renamed", "running", session["pid"])
    ]
    assert cold.home.database.read_bytes() == before
    assert cold.end() == 0
    assert cold.launch("--require-store").wait(20) != 0
    assert "not_a_database" in cold.said()


def test_sigterm_and_stop_leave_programs_running(daemon: DaemonProcess) -> None:
    client = daemon.client()
    session = client.spawn("cat")
    assert daemon.end(signal.SIGTERM) == 0
    assert not daemon.home.daemon_socket.exists()
    worker = Bundle(daemon.home.bundle(session["id"])).worker()
    assert worker is not None and identity.same_process(worker.pid, worker.start_time, worker.boot_id)
    daemon.start()
    again = daemon.client()
    assert again.sessions[session["id"]]["pid"] == session["pid"]
    assert again.request("stop_daemon")["sessions_running"] == 1
    assert daemon.process is not None and daemon.process.wait(20) == 0


def test_a_stopped_worker_is_shown_as_unreachable_and_comes_back(daemon: DaemonProcess) -> None:
    client = daemon.client()
    frozen, other = client.spawn("cat"), client.spawn("cat")
    client.type(client.attach(frozen["id"]), b"seen before\r", request_id=70)
    client.result(70)
    worker = Bundle(daemon.home.bundle(frozen["id"])).worker()
    assert worker is not None
    daemon.kill()
    os.kill(worker.pid, signal.SIGSTOP)
    try:
        again = daemon.start().client()
        assert (again.state(frozen["id"]), again.state(other["id"])) == ("unreachable", "running")
        again.until(lambda: [condition["code"] for condition in again.conditions] == ["session_unreachable"])
        assert again.attach(other["id"]).results[0]["source"] == "live"
        assert again.attach(frozen["id"]).results[0]["source"] == "persisted"
    finally:
        os.kill(worker.pid, signal.SIGCONT)
    again.until(lambda: again.state(frozen["id"]) == "running")
    again.until(lambda: not again.conditions)
    assert again.sessions[frozen["id"]]["pid"] == frozen["pid"]


def test_a_lost_worker_is_proved_gone(daemon: DaemonProcess) -> None:
    client = daemon.client()
    session = client.spawn("cat")
    worker = Bundle(daemon.home.bundle(session["id"])).worker()
    assert worker is not None
    os.kill(worker.pid, signal.SIGKILL)
    client.until(lambda: client.state(session["id"]) == "recoverable")
    client.request("remove_session", session=session["id"])
    assert not daemon.home.bundle(session["id"]).exists()


def test_a_stranger_that_only_connects_is_let_be(daemon: DaemonProcess) -> None:
    with Client(daemon.home.daemon_socket):
        assert daemon.client().request("get_status")["type"] == "status_result"
