"""A program in a new pseudo-terminal."""

from __future__ import annotations

import os
import signal
import termios
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from attn.worker.program import pty
from attn.worker.program.pty import LaunchError, Program
from tests.waiting import wait_until

ENV = {b"PATH": b"/usr/local/bin:/usr/bin:/bin"}
Start = Callable[..., Program]


@pytest.fixture
def start() -> Iterator[Start]:
    running: list[Program] = []

    def launch(
        *argv: str, env: dict[bytes, bytes] = ENV, cwd: str = "/", rows: int = 24, cols: int = 80, umask: int = 0o022
    ) -> Program:
        program = pty.launch([os.fsencode(arg) for arg in argv], env, os.fsencode(cwd), umask, (rows, cols))
        running.append(program)
        return program

    yield launch
    for program in running:
        try:
            os.kill(program.pid, signal.SIGKILL)
            os.waitpid(program.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass  # the test saw it end
        os.close(program.master)


def output(program: Program, needle: bytes = b"") -> bytes:
    """What the program writes until `needle` came, or until it hung up."""
    buffer, seen = memoryview(bytearray(4096)), bytearray()

    def more() -> bool:
        data, hung_up = pty.read(program.master, buffer)
        seen.extend(data)
        return hung_up or (bool(needle) and needle in seen)

    wait_until(more, 10, f"{needle!r}")
    return bytes(seen)


def test_the_program_leads_a_session_on_its_own_terminal(start: Start) -> None:
    program = start(
        "sh", "-c", "ps -o pid=,pgid=,sid=,tty= -p $$; tty; stty size; exec </dev/tty && echo ctty", rows=7, cols=33
    )
    shown = output(program).decode().split("\r\n")
    pid, pgid, sid, tty = shown[0].split()
    assert pid == pgid == sid == str(program.pid)
    assert shown[1:4] == [f"/dev/{tty}", "7 33", "ctty"]


def test_the_program_gets_exactly_its_environment_directory_and_descriptors(start: Start, tmp_path: Path) -> None:
    leak = os.open("/dev/null", os.O_RDONLY)
    try:
        env = {b"PATH": b"/usr/bin:/bin", b"X": b"\xff y"}
        program = start("sh", "-c", "env; pwd; ls -1 /proc/$$/fd", env=env, cwd=str(tmp_path))
        shown = output(program).split(b"\r\n")
    finally:
        os.close(leak)
    assert b"X=\xff y" in shown and os.fsencode(tmp_path) in shown
    assert not any(line.startswith((b"HOME=", b"ATTN")) for line in shown)
    numbers = {int(line) for line in shown if line.isdigit()}
    assert {0, 1, 2} <= numbers and leak not in numbers and program.master not in numbers
    assert os.getcwd() == "/"


def test_signals_that_python_ignores_are_not_ignored_by_the_program(start: Start) -> None:
    status = output(start("cat", "/proc/self/status")).decode()
    for name in ("SigIgn", "SigBlk"):
        line = next(line for line in status.splitlines() if line.startswith(name))
        # 32 and 33 belong to the C library.
        assert int(line.split()[1], 16) & ~(3 << 31) == 0


def test_argv0_is_absolute_and_the_master_is_ours_alone(start: Start) -> None:
    program = start("cat")
    # The kernel lets go of the caller an instant before the new arguments can be seen.
    shown = wait_until(Path(f"/proc/{program.pid}/cmdline").read_bytes, 10, "the arguments")
    assert shown in (b"/usr/bin/cat\0", b"/bin/cat\0")
    assert not os.get_blocking(program.master)
    assert not os.get_inheritable(program.master)


def test_the_kernel_ends_the_program_first_when_memory_runs_out(start: Start) -> None:
    assert Path(f"/proc/{start('cat').pid}/oom_score_adj").read_text(encoding="ascii") == "300\n"


def _files() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize(
    ("argv", "cwd", "code"),
    [
        (["no-such-program"], "/", "agent_missing"),
        (["/no/such/program"], "/", "agent_missing"),
        ([""], "/", "agent_missing"),
        (["/etc/passwd"], "/", "not_executable"),
        (["/etc"], "/", "not_executable"),
        (["{tmp}/noshebang"], "/", "not_executable"),
        (["{tmp}/badshebang"], "/", "agent_missing"),
        (["cat"], "/no/such/directory", "directory_missing"),
        (["cat"], "/etc/passwd", "not_a_directory"),
    ],
)
def test_what_cannot_start_says_why_and_leaves_nothing_open(
    start: Start, tmp_path: Path, argv: list[str], cwd: str, code: str
) -> None:
    for name, text in (("noshebang", "echo x\n"), ("badshebang", "#!/no/such/interpreter\n")):
        (tmp_path / name).write_text(text, encoding="ascii")
        (tmp_path / name).chmod(0o700)
    before = _files()
    with pytest.raises(LaunchError) as failure:
        start(*(argument.format(tmp=tmp_path) for argument in argv), cwd=cwd)
    assert failure.value.code == code
    assert _files() == before
    assert os.getcwd() == "/"
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_a_program_is_found_as_execvp_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, mode in (("a", 0o600), ("b", 0o700)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "tool").touch(mode)
    (tmp_path / "a" / "other").mkdir()
    (tmp_path / "b" / "other").touch(0o700)
    a, b = os.fsencode(tmp_path / "a"), os.fsencode(tmp_path / "b")
    assert pty.find(b"tool", a + b":" + b) == b + b"/tool"
    assert pty.find(b"other", a + b":" + b) == b + b"/other"
    monkeypatch.chdir(tmp_path)
    assert pty.find(b"b/tool", b"") == b.rpartition(b"/")[0] + b"/b/tool"
    monkeypatch.chdir(tmp_path / "b")
    assert os.path.samefile(pty.find(b"tool", b""), b + b"/tool")  # an empty entry of PATH is the directory itself
    with pytest.raises(LaunchError, match="not an executable"):
        pty.find(b"tool", a)


def test_reading_takes_what_is_there_and_knows_the_end(start: Start) -> None:
    program = start("cat")
    assert pty.read(program.master, memoryview(bytearray(10))) == (b"", False)
    os.write(program.master, b"hello\r")
    assert output(program, b"hello\r\nhello\r\n") == b"hello\r\nhello\r\n"
    os.kill(program.pid, signal.SIGKILL)
    assert output(program) == b""


def test_the_size_can_change(start: Start) -> None:
    program = start("sh", "-c", 'trap "stty size; exit" WINCH; echo ready; while :; do sleep 0.05; done')
    output(program, b"ready")
    pty.set_size(program.master, 11, 22, 33, 44)
    assert b"11 22" in output(program)


def test_canonical_mode_and_a_waiting_reader_are_seen(start: Start) -> None:
    lines = start("cat")
    wait_until(lambda: pty.waits_for_input(lines.master), 10, "cat to read")
    assert pty.canonical(lines.master)
    script = start("sh", "-c", "cat; exit 3")
    wait_until(lambda: pty.waits_for_input(script.master), 10, "the script's cat to read")
    idle = start("sh", "-c", "sleep 60; exit 3")
    assert not pty.waits_for_input(idle.master)
    busy = start("sleep", "60")
    assert not pty.waits_for_input(busy.master)
    raw = start("sh", "-c", "stty raw -echo; echo ok; cat")
    output(raw, b"ok")
    assert not pty.canonical(raw.master)
    assert pty.foreground(raw.master) == raw.pid


def test_erasing_in_a_line_takes_a_whole_character(start: Start) -> None:
    program = start("cat")
    assert termios.tcgetattr(program.master)[0] & 0o40000
    os.write(program.master, "aé\x7fb\r".encode())
    assert output(program, b"ab\r\n").endswith(b"ab\r\n")


def test_a_program_has_the_persons_umask_and_the_worker_keeps_its_own(start: Start) -> None:
    before = os.umask(0o077)
    try:
        assert b"0027" in output(start("sh", "-c", "umask", umask=0o027))
        assert os.umask(0o077) == 0o077
    finally:
        os.umask(before)
