"""What people see."""

from __future__ import annotations

import io
import sys
import time

import msgspec
import pytest

from attn import __version__
from attn.cli import render
from attn.cli.link import Link
from attn.errors import AttnError
from attn.wire.client_events import DaemonHello
from attn.wire.client_views import Condition, ExitView, SessionView

SESSION = SessionView(
    id="abcdefghij",
    label="api",
    agent="codex",
    argv=["codex"],
    cwd="/srv/api",
    state="running",
    pid=1,
    rows=40,
    cols=120,
    created_at_ms=0,
    last_output_at_ms=None,
    exit=None,
    recoverable=False,
    snapshot=True,
    worker_build="0.1.0",
)


def condition(code: str, severity: str, *commands: str) -> Condition:
    return Condition(
        code=code, severity=severity, title=f"{code} happened", detail="d", commands=list(commands), since_ms=0  # type: ignore[arg-type]
    )  # fmt: skip


def link(*conditions: Condition, version: str = __version__) -> Link:
    """A link that was greeted; only its `hello` is used."""
    greeted = Link.__new__(Link)
    greeted.hello = DaemonHello(
        protocol=1,
        protocol_min=1,
        version=version,
        daemon_id="d",
        recovering=False,
        sessions=[],
        conditions=list(conditions),
    )
    return greeted


@pytest.mark.parametrize(
    ("then_ms", "shown"),
    [
        (None, "-"),
        (100_000, "now"),
        (99_000, "1s"),
        (40_000, "1m"),
        (-3_500_000, "1h"),
        (-864_000_000, "10d"),
        (10**9, "now"),
    ],
)
def test_ages(then_ms: int | None, shown: str) -> None:
    assert render.age(then_ms, 100_000) == shown


@pytest.mark.parametrize(
    ("view", "words"),
    [
        (ExitView(code=3, signal=None, at_ms=0), "exit 3"),
        (ExitView(code=None, signal=9, at_ms=0), "signal 9"),
        (ExitView(code=None, signal=None, at_ms=0), "ended"),
        (None, "ended"),
    ],
)
def test_endings(view: ExitView | None, words: str) -> None:
    assert render.ending(view) == words


def test_the_state_of_an_ended_session_says_how() -> None:
    hour_ago_ms = time.time_ns() // 1_000_000 - 3_700_000
    ended = msgspec.structs.replace(SESSION, state="exited", exit=ExitView(code=0, signal=None, at_ms=hour_ago_ms))
    assert [render.state_words(SESSION), render.state_words(ended)] == ["running", "exit 0, 1h ago"]


def test_the_home_directory_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/x")
    assert [render.short_path(path) for path in ("/home/x", "/home/x/a", "/home/xy")] == ["~", "~/a", "/home/xy"]


def test_columns_line_up_with_wide_labels() -> None:
    wide = msgspec.structs.replace(SESSION, label="世界")
    header, *rows = render.sessions_table([SESSION, wide])
    starts = [render.width(line[: line.index("/srv")]) for line in rows]
    assert starts == [header.index("DIRECTORY")] * 2


def test_control_and_bidi_characters_are_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = msgspec.structs.replace(SESSION, label="a\x1b[31mb\u202ec", cwd="/x\ny")
    for line in render.sessions_table([hostile]):
        assert not set(line) & set("\x1b\n\u202e")
    render.show("a\x1b]0;t\x07b")
    render.say("c\x9bd")
    assert capsys.readouterr() == ("a]0;tb\n", "cd\n")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_states_are_coloured_and_lines_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.delenv("NO_COLOR", raising=False)
    line = render.sessions_table([SESSION])[1]
    assert "\x1b[32mrunning\x1b[m" in line
    plain = line.replace("\x1b[32m", "").replace("\x1b[m", "")
    assert render.width(plain) <= 40
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in render.sessions_table([SESSION])[1]


def test_in_a_pipe_nothing_is_cut() -> None:
    long = msgspec.structs.replace(SESSION, cwd="/" + "long/" * 100)
    assert render.sessions_table([long])[1].endswith("long/")


def test_one_line_names_the_worst_condition_and_its_command(capsys: pytest.CaptureFixture[str]) -> None:
    render.tell_conditions(
        link(condition("w", "warning"), condition("e", "error", "attn doctor", "x"), condition("i", "info"))
    )
    assert capsys.readouterr().err == "attn: e: e happened; run: attn doctor (and 1 more: attn status)\n"


def test_nothing_is_told_when_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    render.tell_conditions(link(condition("i", "info")))
    assert capsys.readouterr().err == ""


def test_another_build_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    render.tell_conditions(link(version="0.0.9"))
    err = capsys.readouterr().err
    assert "0.0.9" in err
    assert "run: attn daemon restart" in err


def test_an_error_has_a_line_and_a_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    render.report(AttnError("unknown_session", "no x\nmore", "run: attn ls"))
    render.report(AttnError("bad", "b"))
    assert capsys.readouterr().err == "unknown_session: no x\nmore\nrun: attn ls\nbad: b\n"


def test_json_is_readable(capsys: pytest.CaptureFixture[str]) -> None:
    render.show_json([SESSION])
    shown = msgspec.json.decode(capsys.readouterr().out)
    assert list(shown[0])[:15] == [
        "id", "label", "agent", "argv", "cwd", "state", "pid", "rows", "cols", "created_at_ms", "last_output_at_ms",
        "exit", "recoverable", "snapshot", "worker_build",
    ]  # fmt: skip


def test_cut_marks_the_loss() -> None:
    assert [render.cut("abcdef", 6), render.cut("abcdef", 4), render.cut("世界世", 5)] == ["abcdef", "abc…", "世界…"]
