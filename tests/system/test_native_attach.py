"""`attn attach` in a terminal: the session shown true, the terminal left as it was."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from attn.cli.native.absence import LAUNCH_AFTER_S
from attn.terminal.emulator import Emulator
from tests.cli.native.terminal.test_modes import QUESTIONS
from tests.system.conftest import DaemonProcess
from tests.system.native_terminal import NativeTerminal
from tests.system.test_floods import most_resident_kb
from tests.waiting import wait_until

DETACH = b"\x1c\x1c"
FRAME = b"\x1b[?2026h\x1b[?25l\x1b[?7l"
# Everything that a full-screen program sets, and two questions.
TUI = (
    "\\033[22;0t\\033]0;tui\\007\\033[?1049h\\033[?1h\\033=\\033[?1002;1006;2004;1004h\\033[>1u\\033[>4;2m"
    "\\033[5 q\\033[3;9r\\033[?25l\\033(0\\033[c\\033[6n\\033[2;2H\\033(Bfull screen"
)


@contextmanager
def attached(daemon: DaemonProcess, *args: str, rows: int = 20, cols: int = 60) -> Iterator[NativeTerminal]:
    env = {**daemon.env, "TERM": "xterm-256color"}
    with NativeTerminal([sys.executable, "-m", "attn", *args], env, rows, cols) as terminal:
        yield terminal


def sizes(daemon: DaemonProcess) -> list[tuple[int, int]]:
    return [(session["rows"], session["cols"]) for session in daemon.client().sessions.values()]


def assert_untouched(terminal: NativeTerminal) -> None:
    emulator = terminal.emulator
    assert not (emulator.alternate_screen or emulator.bracketed_paste or emulator.key_events_wanted)
    assert emulator.cursor[2], "the cursor is hidden"
    assert termios.tcgetattr(terminal.slave) == terminal.settings
    assert fcntl.fcntl(terminal.slave, fcntl.F_GETFL) == terminal.flags
    fresh = Emulator(emulator.rows, emulator.cols)
    emulator.take_replies()
    for each in (emulator, fresh):
        each.feed(QUESTIONS)
    assert emulator.take_replies() == fresh.take_replies(), "it answers otherwise than a terminal that nobody used"


def test_a_shell_is_used_detached_and_attached_again(daemon: DaemonProcess) -> None:
    with attached(daemon, "new", "--attach", "--label", "work", "--", "bash", "--norc") as terminal:
        terminal.until_shown("bash")
        terminal.type(b"echo $((40+2)) $(tput lines)x$(tput cols)\r")
        terminal.until_shown("42 20x60")
        terminal.type(DETACH)
        assert terminal.wait() == 0
        assert terminal.errors == b"[work: detached]\n"
        assert_untouched(terminal)
        assert terminal.lines(None)[0] == "$ attn"
    with attached(daemon, "attach", "work") as terminal:
        terminal.until_shown("42 20x60")
        terminal.type(b"exit 7\r")
        assert terminal.wait() == 7
        assert terminal.errors == b"[work: exit 7]\n"


def test_a_full_screen_program_leaves_no_mode_behind(daemon: DaemonProcess) -> None:
    client = daemon.client()
    session = client.spawn("sh", "-c", f"printf '{TUI}'; cat -v", rows=20, cols=60)
    with attached(daemon, "attach", session["id"]) as terminal:
        terminal.until(lambda: terminal.emulator.alternate_screen, "alternate screen")
        terminal.until_shown("full screen")
        assert terminal.emulator.key_events_wanted
        terminal.type(b"typed\r")
        terminal.until_shown("typed")
        terminal.type(b"\x1b[92;5u\x1b[92;5:3u\x1b[92;5u")  # the same key as a kitty keyboard sends it
        assert terminal.wait() == 0
        assert_untouched(terminal)
    # The worker answered each question once (seen twice: echoed, and by cat); the terminal was not asked.
    shown = client.screen(session["id"])[1].decode()
    assert (shown.count("[?62;22c"), shown.count("[1;1R")) == (2, 2)


def test_history_is_replayed_once_and_at_most_one_screen(daemon: DaemonProcess) -> None:
    client = daemon.client()
    session = client.spawn("sh", "-c", "seq 1 100; cat", rows=10, cols=40)
    client.request("wait_session", session=session["id"], text="100")
    with attached(daemon, "attach", session["id"], rows=10, cols=40) as terminal:
        terminal.until_shown("100")
        terminal.type(b"next\r")
        terminal.until_shown("next")
        numbers = [int(line) for line in terminal.lines(None) if line.isdigit()]
        assert numbers == list(range(101 - len(numbers), 101))
        assert 10 <= len(numbers) <= 20
        terminal.resize(12, 40)
        terminal.type(b"resized\r")
        terminal.until_shown("resized")
        terminal.type(DETACH)
        assert terminal.wait() == 0
        assert [line for line in terminal.lines(None) if line.isdigit()].count("100") <= 2


def test_the_program_follows_the_size_of_the_terminal(daemon: DaemonProcess) -> None:
    with attached(daemon, "new", "--attach", "--", "bash", "--norc") as terminal:
        terminal.until_shown("bash")
        terminal.resize(15, 50)
        wait_until(
            lambda: [(s["rows"], s["cols"]) for s in daemon.client().sessions.values()] == [(15, 50)], 10, "size"
        )
        terminal.type(b"echo is $(tput lines)x$(tput cols)\r")
        terminal.until_shown("is 15x50")


def test_a_session_of_another_size_is_painted_and_a_key_takes_the_size_back(daemon: DaemonProcess) -> None:
    with attached(daemon, "new", "--attach", "--label", "both", "--", "bash", "--norc") as terminal:
        terminal.until_shown("bash")
        with attached(daemon, "attach", "both", rows=8, cols=30) as other:
            other.until_shown("bash")
            other.type(b"echo from the $((1+1))nd\r")
            other.until_shown("from the 2nd")
            terminal.until_shown("from the 2nd")
            terminal.type(b" ")
            wait_until(lambda: sizes(daemon) == [(20, 60)], 10, "the size to come back")
            terminal.type(b"echo back to $(tput cols)\r")
            terminal.until_shown("back to 60")
            other.until_shown("back to 60")
            other.type(DETACH)
            assert other.wait() == 0
            assert_untouched(other)


def test_a_pinned_size_is_painted_clipped(daemon: DaemonProcess) -> None:
    client = daemon.client()
    session = client.spawn("sh", "-c", "printf 'left%0100dright'; cat", rows=20, cols=200)
    client.request("resize_session", session=session["id"], rows=30, cols=200)
    with attached(daemon, "attach", session["id"]) as terminal:
        terminal.until_shown("left")
        assert not any("right" in line for line in terminal.lines())
        assert max(len(line) for line in terminal.lines()) <= 60
        terminal.type(DETACH)
        assert terminal.wait() == 0


def test_frames_of_another_size_are_at_most_twenty_a_second(daemon: DaemonProcess) -> None:
    client = daemon.client()
    session = client.spawn("sh", "-c", "read go; seq 1 400000; echo flooded; cat", rows=30, cols=100)["id"]
    client.request("resize_session", session=session, rows=30, cols=100)
    with attached(daemon, "attach", session) as terminal:
        stream = client.attach(session)
        terminal.until(lambda: FRAME in terminal.written, "first frame")
        began, before = time.monotonic(), terminal.written.count(FRAME)
        client.type(stream, b"go\r")
        terminal.until_shown("flooded")
        frames, took_s = terminal.written.count(FRAME) - before, time.monotonic() - began
        assert 1 <= frames <= 20 * took_s + 2
        assert len(terminal.written) < 1 << 20, "the flood itself was passed on"
        terminal.type(DETACH)
        assert terminal.wait() == 0


def test_a_session_that_starts_another_is_its_parent(daemon: DaemonProcess) -> None:
    with attached(daemon, "new", "--attach", "--label", "outer", "--", "bash", "--norc") as terminal:
        terminal.until_shown("bash")
        terminal.type(f"{sys.executable} -m attn new --label inner -- cat\r".encode())
        client = daemon.client()
        client.until(lambda: len(client.sessions) == 2)
        by_label = {session["label"]: session for session in client.sessions.values()}
        assert by_label["inner"]["parent"] == by_label["outer"]["id"]
        assert by_label["outer"]["parent"] is None


def test_a_daemon_that_is_replaced_by_another_drops_the_attach(daemon: DaemonProcess) -> None:
    with attached(daemon, "new", "--attach", "--label", "x", "--", "bash", "--norc") as terminal:
        terminal.until_shown("bash")
        daemon.kill()
        daemon.home.daemon_id.write_text("anotherone\n")
        daemon.start()
        assert terminal.wait() == 254
        assert terminal.errors.startswith(b"daemon_unreachable: ")
        assert_untouched(terminal)


def test_reading_only_types_nothing_and_leaves_the_size(daemon: DaemonProcess) -> None:
    client = daemon.client()
    session = client.spawn("cat", rows=20, cols=60)
    stream = client.attach(session["id"])
    client.type(stream, b"shown\r")
    with attached(daemon, "attach", "--read-only", session["id"], rows=10, cols=40) as terminal:
        terminal.until_shown("shown")
        terminal.type(b"secret\r" + DETACH)
        assert terminal.wait() == 0
    assert b"secret" not in client.screen(session["id"])[1]
    assert sizes(daemon) == [(20, 60)]


def test_it_outlives_the_daemon(daemon: DaemonProcess) -> None:
    with attached(daemon, "new", "--attach", "--", "bash", "--norc") as terminal:
        terminal.until_shown("bash")
        terminal.type(b"echo one-$((1))\r")
        terminal.until_shown("one-1")
        daemon.restart()
        wait_until(lambda: _watched(terminal), 20, "the attach to come back")
        terminal.until_shown("two-2")
        assert sum(line == "one-1" for line in terminal.lines(None)) == 1
        terminal.type(DETACH)
        assert terminal.wait() == 0
        assert_untouched(terminal)


def test_a_daemon_that_crashed_is_told_and_started_again(daemon: DaemonProcess) -> None:
    script = "printf '\\033[?1049h\\033[7;9Hfull\\033[2;4r\\033[?6h\\0337\\033[3;5H'; cat"
    with attached(daemon, "new", "--attach", "--", "sh", "-c", script) as terminal:
        terminal.until_shown("full")
        before = terminal.lines(), terminal.emulator.cursor
        daemon.kill()
        terminal.until_shown("attn: the daemon is gone, the program runs on")
        terminal.until(lambda: (terminal.lines(), terminal.emulator.cursor) == before, "the screen that it was")
        assert daemon.answers()
        terminal.type(DETACH)
        assert terminal.wait() == 0
        assert_untouched(terminal)


def test_a_daemon_that_was_stopped_is_not_started_again(daemon: DaemonProcess) -> None:
    with attached(daemon, "new", "--attach", "--", "bash", "--norc") as terminal:
        terminal.until_shown("bash")
        daemon.end()
        terminal.until_shown("attn: the daemon is gone, the program runs on")
        terminal.resize(24, 100)
        terminal.until(lambda: terminal.lines()[-1].endswith("waiting for a daemon"), "the whole of it")
        with pytest.raises(AssertionError):
            terminal.until(daemon.answers, "a daemon", limit_s=LAUNCH_AFTER_S + 2)
        terminal.type(DETACH)
        assert terminal.wait() == 0
        assert_untouched(terminal)


def _watched(terminal: NativeTerminal) -> bool:
    """Type until it arrives: keys pressed while there is no daemon are refused with a bell."""
    terminal.type(b"echo two-$((2))\r")
    try:
        terminal.until(lambda: any("two-2" in line for line in terminal.lines()), "echo", limit_s=0.5)
    except AssertionError:
        return False
    return True


@pytest.mark.parametrize(("script", "status", "words"), [("exit 0", 0, "exit 0"), ("kill -9 $$", 137, "signal 9")])
def test_the_status_of_the_program_is_passed_on(daemon: DaemonProcess, script: str, status: int, words: str) -> None:
    with attached(
        daemon, "new", "--attach", "--label", "x", "--", "sh", "-c", f"read line; echo got; {script}"
    ) as terminal:
        terminal.type(b"\r")
        assert terminal.wait() == status
        assert terminal.errors.decode() == f"[x: {words}]\n"
        assert "got" in "\n".join(terminal.lines(None))


def test_a_lot_of_output_before_the_end_is_shown_to_its_end(daemon: DaemonProcess) -> None:
    with attached(daemon, "new", "--attach", "--", "sh", "-c", "read line; seq 1 300000; exit 3") as terminal:
        terminal.type(b"\r")
        assert terminal.wait() == 3
        assert terminal.lines(None)[-1] == "300000"


def test_a_terminal_that_does_not_read_delays_nobody_and_shows_the_truth_when_it_does(daemon: DaemonProcess) -> None:
    client = daemon.client()
    session = client.spawn("sh", "-c", "read go; seq 1 3000000; echo flooded; cat", rows=20, cols=60)["id"]
    with attached(daemon, "attach", session) as terminal:
        terminal.until(lambda: len(terminal.written) > 100, "first frame")
        stream = client.attach(session, history=0)
        before = most_resident_kb(terminal.process.pid)
        client.type(stream, b"go\r")
        client.until_output(stream, b"flooded\r\n", 90)  # and meanwhile nobody reads what the attach writes
        assert most_resident_kb(terminal.process.pid) - before < 16 << 10
        terminal.until_shown("flooded")
        terminal.type(b"after it\r")
        terminal.until(lambda: terminal.lines().count("after it") == 2, "what cat makes of it")
        assert len(terminal.written) < 8 << 20, "all that it missed was passed on"
        terminal.type(DETACH)
        assert terminal.wait() == 0
        assert_untouched(terminal)


def test_a_closed_window_is_a_detach(daemon: DaemonProcess) -> None:
    client = daemon.client()
    session = client.spawn("sh", "-c", f"printf '{TUI}'; cat", rows=20, cols=60)["id"]
    with attached(daemon, "attach", session) as terminal:
        terminal.until_shown("full screen")
        os.close(terminal.slave)  # the shell that would have it open as well went with the window
        terminal.slave = os.open(os.devnull, os.O_RDWR)
        assert terminal.hang_up() in (128 + signal.SIGHUP, 254)
    stream = client.attach(session)
    client.type(stream, b"still here\r")
    client.until(lambda: stream.data.count(b"still here") == 2)


def test_another_detach_key(cold: DaemonProcess) -> None:
    cold.home.root.mkdir(mode=0o700)
    cold.home.config.write_text('detach_key = "ctrl-b"\n')
    session = cold.start().client().spawn("cat", rows=20, cols=60)["id"]
    with attached(cold, "attach", session) as terminal:
        terminal.type(b"here\r")
        terminal.until(lambda: terminal.lines().count("here") == 2, "the echo")
        terminal.type(b"\x02\x02")
        assert terminal.wait() == 0


def test_the_terminals_answers_to_an_attach_that_ends_at_once_do_not_reach_the_shell(daemon: DaemonProcess) -> None:
    client = daemon.client()
    session = client.spawn("sh", "-c", "echo over; exit 5", rows=20, cols=60)
    client.request("wait_session", session=session["id"])
    attach = f"{sys.executable} -m attn attach {session['id']}; echo status=$?; read -r -t 1 rest; echo rest=$rest."
    with NativeTerminal(["bash", "-c", attach], {**daemon.env, "TERM": "xterm-256color"}) as terminal:
        terminal.until_shown("rest=")
        assert [line for line in terminal.lines() if "=" in line][-2:] == ["status=5", "rest=."]


def test_an_ended_session_shows_its_last_screen(daemon: DaemonProcess) -> None:
    client = daemon.client()
    session = client.spawn("sh", "-c", "echo last words; exit 5", rows=20, cols=60)
    client.request("wait_session", session=session["id"])
    with attached(daemon, "attach", session["id"]) as terminal:
        assert terminal.wait() == 5
        assert "last words" in terminal.lines(None)


def test_a_termination_restores_the_terminal(daemon: DaemonProcess) -> None:
    with attached(daemon, "new", "--attach", "--", "sh", "-c", f"printf '{TUI}'; cat") as terminal:
        terminal.until_shown("full screen")
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.wait() == 128 + signal.SIGTERM
        assert_untouched(terminal)


def test_a_session_does_not_show_itself(daemon: DaemonProcess) -> None:
    with attached(daemon, "new", "--attach", "--label", "self", "--", "bash", "--norc") as terminal:
        terminal.until_shown("bash")
        command = f"{sys.executable} -m attn attach self; echo rc=$?"
        terminal.type(f"export ATTN_HOME={daemon.home.root}; {command}\r".encode())
        terminal.until_shown("nested_attach")
        terminal.until_shown("rc=255")


def test_without_a_terminal_nothing_is_attached(daemon: DaemonProcess) -> None:
    with attached(daemon, "attach", "nobody") as terminal:
        assert terminal.wait() == 255
        assert terminal.errors.startswith(b"unknown_session: ")
        assert_untouched(terminal)
    assert os.path.exists(daemon.home.daemon_socket)
