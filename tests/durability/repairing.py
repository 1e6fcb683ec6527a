"""Homes that need a repair, and the repair as a real process that can be ended anywhere."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from attn.paths import Home, home_from_env
from attn.store import open_store
from attn.store.database import Database
from attn.store.repair import image
from tests.store.conftest import plain
from tests.store.repair.conftest import NOW_MS, contents, fill

LIMIT_S = 120.0
# Every system call that changes what is on the disk.
CHANGING = "openat,write,pwrite64,fsync,fdatasync,rename,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,ftruncate,link"
Tree = dict[str, str]


@dataclass(frozen=True)
class Case:
    """One operation on one kind of home: the words after `attn`."""

    name: str
    words: tuple[str, ...]

    def prepare(self, home: Home) -> None:
        """A home with a backup, and a database that needs this operation."""
        home.root.mkdir(mode=0o700)
        fill(home)
        store = open_store(home, now_ms=NOW_MS)
        store.back_up("manual", NOW_MS)
        store.settings.set("theme", "later")
        store.close()
        if self.name == "schema":
            plain(home, ["ALTER TABLE settings ADD COLUMN mine TEXT DEFAULT 'x'"])
        elif self.name == "salvage":
            data = home.database.read_bytes()
            home.database.write_bytes(data[: 5 * 4096] + b"\x77" * 4096 + data[6 * 4096 :])


CASES = (
    Case("schema", ("repair", "schema", "--apply")),
    Case("salvage", ("repair", "salvage", "--apply")),
    Case("reset", ("repair", "reset", "--apply")),
    Case("restore", ("restore", "--latest-good", "--apply")),
    Case("backup", ("backup",)),
)


def home_at(root: Path) -> Home:
    return home_from_env(environment(root))


def environment(root: Path) -> dict[str, str]:
    return {**os.environ, "ATTN_HOME": str(root), "XDG_RUNTIME_DIR": str(root.parent), "PYTHONDONTWRITEBYTECODE": "1"}


def command(words: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-I", "-m", "attn", *words]


def run(root: Path, words: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    """`attn` to its end, without a daemon."""
    return subprocess.run(
        command(words), env=environment(root), capture_output=True, text=True, timeout=LIMIT_S, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def calls(root: Path, words: tuple[str, ...], log: Path) -> list[tuple[str, int]]:
    """Every changing call of a whole run from where the home is first touched, as (name, its number of that name)."""
    subprocess.run(
        ["strace", "-o", str(log), "-e", f"trace={CHANGING}", *command(words)],
        env=environment(root), capture_output=True, timeout=LIMIT_S, check=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    counts: dict[str, int] = {}
    found: list[tuple[str, int]] = []
    for line in log.read_bytes().splitlines():
        match = re.match(rb"(\w+)\(", line)
        if match is None:
            continue
        name = match[1].decode()
        counts[name] = counts.get(name, 0) + 1
        begun = bool(found) or (os.fsencode(root) in line and b"O_CREAT" in line)
        if begun and not (name == "openat" and b"O_CREAT" not in line):
            found.append((name, counts[name]))
    assert len(found) > 10, "the run changed nothing"
    return found


def killed_at(root: Path, words: tuple[str, ...], call: tuple[str, int]) -> int:
    """Run with a SIGKILL as this call begins; the exit status as subprocess tells it."""
    name, number = call
    done = subprocess.run(
        ["strace", "-o", "/dev/null", "-e", f"trace={name}", "-e", f"inject={name}:signal=KILL:when={number}",
         *command(words)],
        env=environment(root), capture_output=True, timeout=LIMIT_S, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return done.returncode


def killed_after(root: Path, words: tuple[str, ...], delay_s: float) -> bool:
    """Run and SIGKILL after a time; whether it was still running."""
    process = subprocess.Popen(
        command(words), env=environment(root), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        process.wait(delay_s)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait(LIMIT_S)
        return True
    return False


def tree(home: Home) -> Tree:
    """The database's set, by name."""
    files = [path for path in home.root.glob("attn.db*") if not path.name.endswith(".unfinished")]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def rows(home: Home) -> object:
    """What the database holds, without opening it."""
    return contents(image.whole(image.read(home.database)) or b"")


def openable(home: Home) -> bool:
    whole = image.whole(image.read(home.database))
    database = Database.of_image(whole or b"")
    try:
        return database.damage(thorough=True) == []
    finally:
        database.close()


class Kept:
    """A home as it was, put back for each trial."""

    def __init__(self, home: Home) -> None:
        self.home, self._copy = home, home.root.with_name("kept")
        shutil.copytree(home.root, self._copy, symlinks=True)
        self.before = tree(home)

    def put_back(self) -> None:
        shutil.rmtree(self.home.root)
        shutil.copytree(self._copy, self.home.root, symlinks=True)

    @staticmethod
    def copy(home: Home, there: Home) -> None:
        shutil.copytree(home.root, there.root, symlinks=True)

    @staticmethod
    def remove(home: Home) -> None:
        shutil.rmtree(home.root)
