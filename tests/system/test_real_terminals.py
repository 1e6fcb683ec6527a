"""`attn attach` inside xterm, kitty and tmux: what each of them says of itself is the same before and afterwards."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.system import terminal_prober
from tests.system.conftest import DaemonProcess
from tests.system.test_native_attach import TUI
from tests.waiting import wait_until

LIMIT_S = 60.0
# Everything of TUI, and what only some terminals know: colours, a link, progress, insert mode, a wrapped cursor.
PROGRAM = f"printf '{TUI}\\033]11;#102030\\007\\033]12;red\\007\\033[4h\\033]8;;http://x.y/\\007'; cat -v"


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    """An X server without a screen."""
    assert shutil.which("Xvfb"), "missing: xvfb; install: sudo apt-get install xvfb xterm kitty"
    reading, writing = os.pipe()
    argv = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1024x768x24", "-nolisten", "tcp"]
    with subprocess.Popen(argv, pass_fds=[writing], stderr=subprocess.DEVNULL) as server:
        os.close(writing)
        with os.fdopen(reading) as answer:
            number = answer.readline().strip()
        assert number, "Xvfb did not start"
        yield f":{number}"
        server.terminate()


class Probed:
    """A terminal that runs the prober, and in it an attach."""

    def __init__(self, daemon: DaemonProcess, folder: Path, session: str) -> None:
        self.daemon, self.folder, self.session = daemon, folder, session
        self.argv = [
            sys.executable, terminal_prober.__file__, str(folder), sys.executable, "-m", "attn", "attach", session,
        ]  # fmt: skip

    def until_shown(self) -> int:
        """The pid of the attach, once it wrote what there is and nothing more comes."""
        pid = int(wait_until(lambda: self._read("pid"), LIMIT_S, "the attach"))
        written: list[int] = []

        def still() -> bool:
            written.append(_written_bytes(pid))
            return len(written) > 25 and written[-1] == written[-25] and written[-1] > len(PROGRAM)

        wait_until(still, LIMIT_S, f"the screen; it said {self._read('errors')}")
        return pid

    def answers(self) -> dict[str, Any]:
        text = wait_until(lambda: self._read("answers"), LIMIT_S, "the terminal's answers")
        facts: dict[str, Any] = json.loads(text)
        return facts

    def _read(self, name: str) -> str:
        path = self.folder / name
        return path.read_text() if path.exists() else ""


def _written_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/io").read_text().splitlines():
        if line.startswith("wchar:"):
            return int(line.split()[1])
    raise AssertionError("a process without wchar")


@pytest.fixture
def probed(daemon: DaemonProcess) -> Iterator[Probed]:
    """A session whose program set everything, and a terminal to be started around an attach to it."""
    client = daemon.client()
    session = client.spawn("sh", "-c", PROGRAM, rows=24, cols=80)["id"]
    client.request("wait_session", session=session, text="full screen", timeout_ms=20_000)
    with tempfile.TemporaryDirectory(prefix="at-") as folder:
        yield Probed(daemon, Path(folder), session)


def assert_untouched(facts: dict[str, Any], status: int) -> None:
    assert facts["status"] == status
    assert bytes.fromhex(facts["after"]) == bytes.fromhex(facts["before"])
    assert facts["row"] == facts["rows"], "the cursor is not below the last row"


WINDOWS = {
    "xterm": ["xterm", "-geometry", "80x24", "-e"],
    "kitty": ["kitty", "--config", "NONE", "-o", "confirm_os_window_close=0"],
}


@pytest.mark.parametrize("name", WINDOWS)
def test_in_a_window(probed: Probed, display: str, name: str) -> None:
    env = {**probed.daemon.env, "DISPLAY": display, "LIBGL_ALWAYS_SOFTWARE": "1"}
    argv = [*WINDOWS[name], *probed.argv]
    with subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as window:
        try:
            os.kill(probed.until_shown(), signal.SIGTERM)
            assert_untouched(probed.answers(), 128 + signal.SIGTERM)
        finally:
            window.terminate()


class Tmux:
    """A tmux server of its own."""

    def __init__(self, env: dict[str, str], folder: Path) -> None:
        self.env, self.socket = {**env, "TERM": "xterm-256color"}, folder / "tmux"

    def run(self, *args: str) -> str:
        argv = ["tmux", "-S", str(self.socket), "-f", "/dev/null", *args]
        return subprocess.run(argv, env=self.env, capture_output=True, text=True, check=True, timeout=LIMIT_S).stdout

    def shows(self, what: str) -> str:
        return self.run("display-message", "-p", f"#{{{what}}}").strip()


@contextmanager
def running_tmux(probed: Probed) -> Iterator[Tmux]:
    tmux = Tmux(probed.daemon.env, probed.folder)
    shell = f"printf 'what stood here before\\n'; {' '.join(probed.argv)}; cat"
    tmux.run("new-session", "-d", "-x", "80", "-y", "24", "sh", "-c", shell)
    try:
        yield tmux
    finally:
        tmux.run("kill-server")


def test_in_tmux(probed: Probed) -> None:
    with running_tmux(probed) as tmux:
        probed.until_shown()
        assert "full screen" in tmux.run("capture-pane", "-p")
        assert (tmux.shows("alternate_on"), tmux.shows("mouse_button_flag")) == ("1", "1")
        assert (tmux.shows("keypad_flag"), tmux.shows("keypad_cursor_flag")) == ("1", "1")
        tmux.run("send-keys", "typed in tmux", "Enter")
        wait_until(lambda: "typed in tmux" in tmux.run("capture-pane", "-p"), LIMIT_S, "the echo")
        tmux.run("send-keys", "C-\\", "C-\\")
        assert_untouched(probed.answers(), 0)
        assert (tmux.shows("alternate_on"), tmux.shows("mouse_any_flag")) == ("0", "0")
        history = tmux.run("capture-pane", "-p", "-S", "-")
        assert "what stood here before" in history and "full screen" not in history
