"""Installs what `make test` needs beside Python and Node, or names what is missing and how to install it.

The system's programs come from apt where there is apt and we are root; the agent CLIs from npm, pinned and locked, into
tests/agents/node_modules, which git ignores.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import page

AGENTS = page.ROOT / "tests" / "agents"


def _font(pattern: str) -> Callable[[], bool]:
    def found() -> bool:
        fc_list = shutil.which("fc-list")
        return bool(fc_list and subprocess.run([fc_list, pattern], capture_output=True, check=True).stdout.strip())

    return found


def _program(name: str) -> Callable[[], bool]:
    return lambda: shutil.which(name) is not None


@dataclass(frozen=True)
class Need:
    """One thing of the system: what for, how to see that it is there, and Debian's package of it."""

    purpose: str
    present: Callable[[], bool]
    package: str


NEEDS = (
    Need("the browser of tests/browser", _program("chromium"), "chromium"),
    Need("the peer of the bench, and a terminal to attach in", _program("tmux"), "tmux"),
    Need("a terminal to attach in", _program("xterm"), "xterm"),
    Need("a terminal to attach in", _program("kitty"), "kitty"),
    Need("the display of those terminals", _program("Xvfb"), "xvfb"),
    Need("stopping a process at a chosen system call", _program("strace"), "strace"),
    Need("turning the clock of a process", _program("faketime"), "faketime"),
    Need("asking for fonts", _program("fc-list"), "fontconfig"),
    Need("wide characters in screenshots", _font(":lang=ja"), "fonts-noto-cjk"),
    Need("emoji in screenshots", _font(":charset=1f600"), "fonts-noto-color-emoji"),
)


def missing() -> list[Need]:
    """The needs that this machine does not meet."""
    return [need for need in NEEDS if not need.present()]


def install_with_apt(packages: list[str]) -> None:
    """Raises CalledProcessError when apt cannot."""
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], check=True, env=env)
    subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages], check=True, env=env)


def main() -> int:
    """0 when everything is there now, 1 when something is not and cannot be installed from here."""
    lacking = missing()
    if lacking and shutil.which("apt-get") and os.geteuid() == 0:
        install_with_apt([need.package for need in lacking])
        lacking = missing()
    for need in lacking:
        print(
            f"missing: {need.package} ({need.purpose})\n  install: sudo apt-get install {need.package}", file=sys.stderr
        )
    if lacking:
        return 1
    try:
        page.install(AGENTS)
        if not page.is_current():
            page.build()
    except page.NodeMissingError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
