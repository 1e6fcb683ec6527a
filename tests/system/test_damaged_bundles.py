"""Every file of a bundle damaged in every way: what can be known is known, nothing is deleted, nobody else suffers."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from attn.bundle.bundle import CONTROL, EXIT, LOCK, SCREEN, SPEC, Bundle
from tests.system import damage, processes, stored_rows
from tests.system.client import Client, Refused
from tests.system.conftest import DaemonProcess
from tests.waiting import wait_until

LIMIT_S = 30.0
CASES = [(file, kind) for file in damage.FILES for kind in damage.KINDS]
# What stands in a lock file says nothing; who holds it does. In these it cannot be asked.
UNKNOWN_LOCK = ("unreadable", "symlink", "directory")
GONE = ("lost", "recoverable")
CAT = ("sh", "-c", "echo begun; exec cat")
SEVEN = ("sh", "-c", "trap 'exit 7' USR1; echo armed; while :; do sleep 600 & wait $!; done")


class Ward:
    """One session for each case, all of them in one home."""

    def __init__(self, daemon: DaemonProcess, *argv: str) -> None:
        self.home = daemon.home
        client = daemon.client()
        self.views = {case: client.spawn(*argv, label=f"{case[0]} {case[1]}") for case in CASES}
        self.ids = {case: view["id"] for case, view in self.views.items()}
        client.socket.close()

    def path(self, case: tuple[str, str]) -> Path:
        return self.home.bundle(self.ids[case]) / case[0]

    def bundle(self, case: tuple[str, str]) -> Bundle:
        return Bundle(self.home.bundle(self.ids[case]))

    def damage(self) -> dict[tuple[str, str], tuple[int, int, int]]:
        """Do to each what its case says; what stands there afterwards."""
        for case in CASES:
            damage.KINDS[case[1]](self.path(case))
        return self.facts()

    def facts(self) -> dict[tuple[str, str], tuple[int, int, int]]:
        """Of the damaged files; the last screen is the worker's to replace."""
        return {case: damage.facts(self.path(case)) for case in CASES if case[1] != "missing" and case[0] != SCREEN}

    def states(self, client: Client) -> dict[tuple[str, str], tuple[str, Any]]:
        """State, and pid or exit code, of each."""
        cases = {session: case for case, session in self.ids.items()}
        views = {cases[view["id"]]: view for view in client.sessions.values()}
        assert {case: view["label"] for case, view in views.items()} == {case: " ".join(case) for case in views}
        return {case: (v["state"], v["exit"]["code"] if v["exit"] else v["pid"]) for case, v in views.items()}


def test_a_living_worker_is_found_whatever_its_files_look_like(cold: DaemonProcess) -> None:
    cold.before_exec = damage.obey_permissions
    ward = Ward(cold.start(), *CAT)
    for case in CASES:
        wait_until(ward.bundle(case).screen, LIMIT_S, "the first screen on disk")
    cold.kill()
    before = ward.damage()
    client = cold.start().client()
    found = ward.states(client)
    silent = {case for case in CASES if case[0] == CONTROL}
    assert {case for case, (state, _) in found.items() if state == "unreachable"} == silent
    expected = {case: ("running", ward.views[case]["pid"]) for case in CASES if case not in silent}
    assert {case: found[case] for case in expected} == expected
    assert ward.facts() == before
    said = {"text": "still here", "enter": True, "confirm": False}
    for request in [client.ask("send_text", session=ward.ids[case], **said) for case in expected]:
        client.result(request)
    for case in expected:
        client.request("wait_session", session=ward.ids[case], text="still here", timeout_ms=20_000)
    for request in [client.ask("kill_session", session=ward.ids[case]) for case in expected]:
        client.result(request)
    for case in expected:
        assert client.sessions[ward.ids[case]]["exit"]["signal"] == signal.SIGHUP
    for case in silent:
        with pytest.raises(Refused) as refused:
            client.request("kill_session", session=ward.ids[case])
        assert refused.value.code == "worker_unreachable"
        assert processes.running(ward.views[case]["pid"])


def test_what_a_dead_worker_left_is_read_as_far_as_it_can_be(cold: DaemonProcess) -> None:
    cold.before_exec = damage.obey_permissions
    ward = Ward(cold.start(), *SEVEN)
    client = cold.client()
    for case in CASES:
        client.request("wait_session", session=ward.ids[case], text="armed", timeout_ms=20_000)
    cold.kill()
    for case in CASES:
        os.kill(ward.views[case]["pid"], signal.SIGUSR1)
    for case in CASES:
        wait_until(lambda case=case: not ward.bundle(case).lock_held(), LIMIT_S, "the worker's end")
    before = ward.damage()
    client = cold.start().client()
    found = ward.states(client)
    unknown = {case for case in CASES if case[0] == EXIT}
    assert {case: found[case] for case in CASES if case not in unknown} == {
        case: ("exited", 7) for case in CASES if case not in unknown
    }
    assert {case for case in unknown if found[case][0] not in GONE} == set()
    assert ward.facts() == before
    for case in CASES:
        stream = client.attach(ward.ids[case])
        shown = b"armed" in stream.data
        assert shown == (case[0] != SCREEN), case
    again = cold.restart().client()
    assert ward.states(again) == found


def test_bundles_that_say_nothing_are_set_aside_whole(cold: DaemonProcess) -> None:
    """No row, no worker, and a spec that nobody can read: there is no session any more, and no byte is deleted."""
    cold.before_exec = damage.obey_permissions
    ward = Ward(cold.start(), *CAT)
    cold.kill()
    cases = [case for case in CASES if case[0] == SPEC]
    for case in CASES:
        worker = ward.bundle(case).worker()
        assert worker is not None
        os.kill(worker.pid, signal.SIGKILL)
    before = ward.damage()
    stored_rows.forget(cold.home, *(ward.ids[case] for case in cases))
    client = cold.start().client()
    assert {ward.ids[case] for case in CASES} - client.sessions.keys() == {ward.ids[case] for case in cases}
    client.until(lambda: "bundle_quarantined" in [condition["code"] for condition in client.conditions])
    kept = {
        damage.facts(Path(folder, name)) for folder, dirs, files in os.walk(cold.home.root) for name in dirs + files
    }
    assert {before[case] for case in cases if case in before} <= kept
    assert client.request("get_status")["recovery"]["quarantined"] == len(cases)
    again = cold.restart().client()
    assert again.sessions.keys() == client.sessions.keys()


def test_a_lock_that_cannot_be_asked_proves_nobody_dead(cold: DaemonProcess) -> None:
    cold.before_exec = damage.obey_permissions
    ward = Ward(cold.start(), *CAT)
    cold.kill()
    workers = {}
    cases = [case for case in CASES if case[0] == LOCK and case[1] in (*UNKNOWN_LOCK, "missing")]
    for case in cases:
        workers[case] = ward.bundle(case).worker()
        damage.KINDS[case[1]](ward.path(case))
        os.kill(workers[case].pid, signal.SIGSTOP)
    client = cold.start().client()
    try:
        assert {client.state(ward.ids[case]) for case in cases} == {"unreachable"}
    finally:
        for case in cases:
            os.kill(workers[case].pid, signal.SIGCONT)
    client.until(lambda: {client.state(ward.ids[case]) for case in cases} == {"running"})
