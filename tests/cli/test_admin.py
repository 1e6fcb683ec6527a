"""What people are told about the daemon; tests/system/test_cli.py runs the commands."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from attn.cli import admin
from attn.wire.client_events import StatusResult
from attn.wire.client_views import Condition, DaemonView, RecoveryView, StoreView
from tests.cli.test_render import SESSION, link

RECOVERY = RecoveryView(done=True, recovered=0, recreated=0, exited=0, lost=0, unreachable=0, quarantined=0)
STATUS = StatusResult(
    id=1,
    daemon=DaemonView(pid=7, id="abc", version="0.1.0", protocol=1, url="http://127.0.0.1:9849/", since_ms=0),
    store=StoreView(state="ok", path="/h/attn.db", last_good_backup=None),
    conditions=[],
    recovery=RECOVERY,
    sessions_running=2,
    sessions_total=3,
)
BROKEN = Condition(
    code="store_failed",
    severity="error",
    title="the database cannot be used",
    detail="first\nsecond",
    commands=["attn doctor", "attn repair salvage"],
    since_ms=0,
)


def test_status_in_words() -> None:
    lines = admin.status_lines(STATUS)
    assert lines[0].startswith("daemon    pid 7 · attn 0.1.0 · up ")
    assert "sessions  2 running of 3" in lines
    assert "store     ok · /h/attn.db" in lines
    assert "recovery  nothing to recover" in lines


def test_a_condition_shows_its_detail_and_all_commands() -> None:
    shown = "\n".join(admin.status_lines(msgspec.structs.replace(STATUS, conditions=[BROKEN])))
    for wanted in (
        "store_failed: the database cannot be used; run: attn doctor",
        "first",
        "second",
        "attn repair salvage",
    ):
        assert wanted in shown


@pytest.mark.parametrize(
    ("state", "conditions", "degraded"),
    [
        ("ok", [], False),
        ("ephemeral", [], False),
        ("migrating", [], False),
        ("degraded", [], True),
        ("refused", [], True),
        ("ok", [BROKEN], True),
        ("ok", [msgspec.structs.replace(BROKEN, severity="warning")], False),
    ],
)
def test_what_counts_as_degraded(state: str, conditions: list[Condition], degraded: bool) -> None:
    store = StoreView(state=state, path="p", last_good_backup=None)  # type: ignore[arg-type]
    assert admin.is_degraded(msgspec.structs.replace(STATUS, store=store, conditions=conditions)) is degraded


def test_recovery_in_words() -> None:
    some = msgspec.structs.replace(RECOVERY, recovered=5, lost=1)
    assert admin.recovery_words(some) == "5 recovered · 1 lost"
    assert admin.recovery_words(msgspec.structs.replace(some, done=False)) == "in progress · 5 recovered · 1 lost"


def test_workers_of_another_build_are_named() -> None:
    greeted = link()
    old = msgspec.structs.replace(SESSION, id="oldoldold1", worker_build="0.0.9")
    ended = msgspec.structs.replace(old, id="oldoldold2", state="exited")
    greeted.hello.sessions = [msgspec.structs.replace(SESSION, worker_build=greeted.hello.version), old, ended]
    shown = "\n".join(admin.older_workers(greeted))
    assert "oldoldold1" in shown
    assert "oldoldold2" not in shown
    assert SESSION.id not in shown
    greeted.hello.sessions = []
    assert admin.older_workers(greeted) == []


@pytest.mark.parametrize(
    ("environ", "display"),
    [({}, False), ({"DISPLAY": ""}, False), ({"DISPLAY": ":0"}, True), ({"WAYLAND_DISPLAY": "wayland-0"}, True)],
)
def test_a_browser_needs_a_display(monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], display: bool) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    assert admin.has_display(environ) is display


def test_a_log_is_followed_across_a_rotation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "daemon.log"
    log.write_text("old\n")

    def append(text: str) -> None:
        with log.open("a") as file:
            file.write(text)

    steps = iter(
        [
            lambda: append("one\nha"),
            lambda: append("lf\n"),
            lambda: (log.rename(tmp_path / "daemon.log.1"), log.write_text("rotated\n")),
            lambda: log.write_text("cut\n"),
        ]
    )
    monkeypatch.setattr("time.sleep", lambda _: next(steps)())
    lines = admin.followed(log)
    assert [next(lines) for _ in range(4)] == ["one", "half", "rotated", "cut"]


def test_a_log_that_comes_later_is_followed_from_its_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "daemon.log"
    monkeypatch.setattr("time.sleep", lambda _: log.write_text("first\n"))
    assert next(admin.followed(log)) == "first"


@pytest.mark.parametrize(
    ("running", "words"),
    [
        (None, "no daemon was running"),
        (-1, "the daemon is stopped; its programs run on"),
        (0, "the daemon is stopped; 0 programs run on"),
        (1, "the daemon is stopped; 1 program runs on"),
        (12, "the daemon is stopped; 12 programs run on"),
    ],
)
def test_stopping_says_what_runs_on(running: int | None, words: str) -> None:
    assert admin._stopped(running) == words
