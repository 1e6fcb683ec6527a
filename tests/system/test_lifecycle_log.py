"""The log says what became of every session and whose it was, and nothing that a terminal showed or was typed."""

from __future__ import annotations

import os
import re
import signal

from attn.bundle.bundle import Bundle
from tests.system.conftest import DaemonProcess

LIMIT_S = 20.0
SHOWN, TYPED, TITLED, ARGUED = "shown-5e1a", "typed-77c0", "titled-90fd", "argued-31bb"
PROGRAM = ("sh", "-c", f"printf '\\033]0;{TITLED}\\007%s\\n' shown-5e1a; exec cat", ARGUED)
GONE = ("lost", "recoverable")


def lines(daemon: DaemonProcess, session: str) -> str:
    """What the log says of one session; every line of it names the daemon."""
    found = [line for line in daemon.log().splitlines() if f" s={session} " in line]
    who = daemon.home.daemon_id.read_text().strip()
    assert all(re.match(rf"\d{{4}}-\d\d-\d\dT\S+ [A-Z]+ attn\.\S+ d={who} s=", line) for line in found)
    return "\n".join(found)


def test_every_turn_of_a_session_is_a_line_and_nothing_of_its_terminal_is(daemon: DaemonProcess) -> None:
    client = daemon.client()
    session, lost = (client.spawn(*PROGRAM, label=name)["id"] for name in ("kept", "lost"))
    for each in (session, lost):
        stream = client.attach(each)
        client.type(stream, TYPED.encode() + b"\r")
        client.until_output(stream, f"{TYPED}\r\n{TYPED}".encode())
    client.request("rename_session", session=session, label="renamed")
    client.request("reload_session", session=session)
    client.request("kill_session", session=session)
    client.request("resume_session", session=session)
    worker = Bundle(daemon.home.bundle(lost)).worker()
    assert worker is not None
    daemon.kill()
    os.kill(worker.pid, signal.SIGKILL)
    again = daemon.start().client()
    again.until(lambda: again.state(lost) in GONE, LIMIT_S)
    again.request("remove_session", session=session, force=True)
    told = lines(daemon, session)
    for turn in (
        "started",
        "renamed",
        "exited, code None, signal 1",
        "reloaded",
        "killed",
        "resumed",
        "adopted",
        "removed",
    ):
        assert turn in told, f"{turn} is missing in {told}"
    assert "its worker is gone" in lines(daemon, lost)
    assert re.search(r" s=- recovery: 1 recovered, 1 lost$|recovery: 1 lost, 1 recovered$", daemon.log(), re.MULTILINE)
    errors = (daemon.home.bundle(lost) / "worker.err").read_text()
    for secret in (SHOWN, TYPED, TITLED, ARGUED):
        assert secret not in daemon.log() + daemon.said() + errors
