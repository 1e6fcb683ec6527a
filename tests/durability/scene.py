"""A home with a past (sessions with names and order, settings, a backup), and the real command line on it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from attn.paths import Home, home_from_env
from tests.system import processes
from tests.system.client import Client
from tests.waiting import wait_until

BIN = Path(sys.executable).parent
LIMIT_S = 120.0
Json = dict[str, Any]
LABELS = ["second", "first", "third"]


class Scene:
    """One home, used only through `attn`, its socket and its page's port."""

    def __init__(self, root: Path, *, wrapper: tuple[str, ...] = ()) -> None:
        self.env = {**os.environ, "ATTN_HOME": str(root), "PATH": f"{BIN}:{os.environ['PATH']}"}
        self.home: Home = home_from_env(self.env)
        self.wrapper = wrapper

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """One line of shell, as a person types it."""
        return subprocess.run(
            [*self.wrapper, "sh", "-c", command], env=self.env, capture_output=True, text=True, timeout=LIMIT_S,
            stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip

    def attn(self, words: str, expect: int = 0) -> str:
        """The output of `attn …`; it must exit with `expect`."""
        done = self.run(f"attn {words}")
        assert done.returncode == expect, (words, done.returncode, done.stdout, done.stderr)
        return done.stdout

    def status(self) -> Json:
        found: Json = json.loads(self.run("attn status --json").stdout)
        return found

    def condition(self, code: str) -> Json:
        """The condition with this code; it must be there."""
        found = {each["code"]: each for each in self.status()["conditions"]}
        assert code in found, found
        condition: Json = found[code]
        return condition

    def wait_ok(self) -> None:
        wait_until(lambda: self.status()["store"]["state"] == "ok", LIMIT_S, "a usable store")

    def sessions(self) -> list[tuple[str, str]]:
        """Ids and labels, in the order of the list."""
        return [(each["id"], each["label"]) for each in json.loads(self.attn("ls --json"))]

    def client(self) -> Client:
        client = Client(self.home.daemon_socket)
        client.hello()
        return client

    def health(self, query: str = "") -> tuple[int, Json]:
        """Status and body of `/health`, once the page is served."""

        def asked() -> tuple[int, Json] | None:
            url = f"http://127.0.0.1:{self.home.port.read_text().strip()}/health{query}"
            try:
                with urllib.request.urlopen(url, timeout=10) as answer:
                    return answer.status, json.load(answer)
            except urllib.error.HTTPError as error:
                return error.code, json.load(error)
            except OSError:
                return None

        return wait_until(asked, LIMIT_S, "the page")

    def bytes_of_the_database(self) -> dict[str, str]:
        """The digests of the database, what SQLite keeps beside it, and the sentinel."""
        found = [path for path in self.home.root.glob("attn.db*") if path.is_file()]
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in found}

    def close(self) -> None:
        """End everything of this home, and remove it."""
        for pid in processes.of_home(self.home):
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                continue  # it ended by itself
        shutil.rmtree(self.home.root, ignore_errors=True)


def make_past(root: Path) -> None:
    """Three ended sessions in an order of their own, a setting and a backup, closed cleanly. Below `root`."""
    scene = Scene(root)
    scene.attn("daemon start")
    for label in LABELS:
        scene.attn(f"new --label {label} -- true")
        scene.attn(f"wait {label} --exit")
    with scene.client() as client:
        client.request("set_setting", key="theme", value="light")
    scene.attn("backup")
    scene.attn("daemon stop")


def copied(past: Path, root: Path) -> Scene:
    """A home of its own with that past."""
    shutil.copytree(past, root, symlinks=True, ignore=shutil.ignore_patterns("s", "port", "daemon.lock"))
    return Scene(root)
