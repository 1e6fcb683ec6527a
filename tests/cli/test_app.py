"""The command line as a whole: every command has help, failures have a code, a remedy and a status."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from attn.cli import app
from attn.cli.output import ReaderGone
from attn.errors import AttnError

HEAVY = ("asyncio", "aiohttp", "rich", "apsw", "attn.daemon", "attn.store", "attn.terminal", "attn.worker", "tomllib")


def test_every_command_has_help_that_names_its_options() -> None:
    context = click.Context(app.cli, info_name="attn")
    for name in app.COMMANDS:
        command = app.cli.get_command(context, name)
        assert command is not None
        assert command.help
        assert all(option.help for option in command.params if isinstance(option, click.Option)), name


@pytest.mark.parametrize("args", [["--help"], ["new", "--help"], ["daemon", "stop", "-h"], ["--version"]])
def test_help_goes_to_stdout_and_succeeds(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(args) == 0
    out, err = capsys.readouterr()
    assert out
    assert err == ""


@pytest.mark.parametrize(
    ("args", "help_of"),
    [
        (["nonsense"], "attn"),
        (["ls", "--nonsense"], "attn ls"),
        (["kill"], "attn kill"),
        (["screen", "x", "--format", "png"], "attn screen"),
        (["screen", "x", "--scrollback", "-1"], "attn screen"),
        (["resize", "x"], "attn resize"),
        (["resize", "x", "10x20", "--auto"], "attn resize"),
        (["wait", "x"], "attn wait"),
        (["wait", "x", "--exit", "--for", "y"], "attn wait"),
        (["wait", "x", "--for", ""], "attn wait"),
        (["wait", "x", "--exit", "--timeout", "-1"], "attn wait"),
        (["wait", "x", "--exit", "--timeout", "nan"], "attn wait"),
        (["daemon", "nonsense"], "attn daemon"),
    ],
)
def test_wrong_usage_ends_with_64_and_names_the_help(
    args: list[str], help_of: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.run(args) == 64
    out, err = capsys.readouterr()
    first, remedy = err.splitlines()
    assert out == ""
    assert first.startswith("usage: ")
    assert remedy == f"run: {help_of} --help"


@pytest.mark.parametrize("size", ["0x0", "1x1", "100000x100000", "big", "10", "-3x4"])
def test_an_impossible_size_is_refused_before_anything_starts(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["new", f"--size={size}"]) == 64
    assert capsys.readouterr().err.startswith("invalid_size: ")


@pytest.mark.parametrize("pair", ["novalue", "=x", ""])
def test_a_variable_without_a_name_is_refused(pair: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["new", "--env", pair]) == 64
    assert capsys.readouterr().err.startswith("invalid_env: ")


def test_a_failure_is_told_with_its_remedy(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(**_: object) -> None:
        raise AttnError("daemon_recovering", "not yet", "run the same command again")

    monkeypatch.setattr(app.cli, "main", lambda *args, **options: fail())
    assert app.run(["ls"]) == 69
    assert capsys.readouterr().err == "daemon_recovering: not yet\nrun the same command again\n"


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, click.Abort])
def test_an_interruption_ends_with_130(monkeypatch: pytest.MonkeyPatch, interruption: type[BaseException]) -> None:
    def interrupted(*args: object, **options: object) -> None:
        raise interruption

    monkeypatch.setattr(app.cli, "main", interrupted)
    assert app.run([]) == 130


@pytest.mark.parametrize(("failure", "alone"), [(AttnError("output_failed", "no"), 1), (ReaderGone(), 0)])
def test_output_that_is_lost_at_the_end_hides_no_other_failure(
    monkeypatch: pytest.MonkeyPatch, failure: Exception, alone: int
) -> None:
    def flush() -> None:
        raise failure

    def recovering(*_: object, **__: object) -> None:
        raise AttnError("daemon_recovering", "not yet")

    monkeypatch.setattr(app.sys.stdout, "flush", flush)
    monkeypatch.setattr(app.cli, "main", lambda *args, **options: None)
    assert app.run(["ls"]) == alone
    monkeypatch.setattr(app.cli, "main", recovering)
    assert app.run(["ls"]) == 69


def test_listing_imports_nothing_heavy() -> None:
    code = f"""
import sys
from attn.cli import app
assert app.run(["ls", "--help"]) == 0
import attn.cli.sessions, attn.cli.starting
print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_a_reader_that_has_enough_is_no_failure() -> None:
    shell = f"'{sys.executable}' -I -m attn --help | head -c 1 >/dev/null; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("0\n", "")
