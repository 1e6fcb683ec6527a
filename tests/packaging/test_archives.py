"""What `pip install attn` gives: archives that carry the page, build without Node, and run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from tests.source_tree import ROOT

BUILD_TIMEOUT_S = 120
# Programs that the installed attn and its sessions may need; Node is not among them.
PROGRAMS = ("bash", "cat", "env", "sh", "true", "sleep")


@pytest.fixture(scope="module")
def no_node(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PATH on which no Node is found."""
    folder = tmp_path_factory.mktemp("bin")
    for name in PROGRAMS:
        (folder / name).symlink_to(shutil.which(name) or name)
    assert shutil.which("node", path=str(folder)) is None
    return str(folder)


def _build(kind: str, source: Path, target: Path, path: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "build", f"--{kind}", "--no-isolation", "--outdir", str(target), str(source)]
    env = {**os.environ, "PATH": path}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=BUILD_TIMEOUT_S, check=False)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked source archive."""
    folder = tmp_path_factory.mktemp("sdist")
    built = _build("sdist", ROOT, folder, os.environ["PATH"])
    assert built.returncode == 0, built.stdout + built.stderr
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        archive.extractall(folder, filter="data")
    return next(path for path in folder.iterdir() if path.is_dir())


@pytest.fixture(scope="module")
def wheel(source: Path, no_node: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the source archive where there is no Node."""
    folder = tmp_path_factory.mktemp("wheel")
    built = _build("wheel", source, folder, no_node)
    assert built.returncode == 0, built.stdout + built.stderr
    return next(folder.glob("*.whl"))


def test_the_source_archive_carries_the_page_and_what_it_is_made_of(source: Path) -> None:
    assert (source / "src/attn/daemon/page/index.html").is_file()
    assert (source / "web/package-lock.json").is_file()
    assert not (source / "web/node_modules").exists()


def test_the_wheel_carries_the_page_and_nothing_of_the_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "attn/daemon/page/index.html" in names
    assert "attn/daemon/page/build.json" in names
    assert {name.partition("/")[0] for name in names if ".dist-info" not in name} == {"attn"}


def test_a_page_of_other_sources_is_not_packed(source: Path, no_node: str, tmp_path: Path) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(source, changed)
    (changed / "web/index.html").write_text("<!doctype html><title>another page</title>")
    built = _build("wheel", changed, tmp_path / "out", no_node)
    assert built.returncode != 0
    assert "node_missing" in built.stdout + built.stderr


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin directory of a new virtual environment with attn and nothing but its dependencies."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=True)
    pinned = re.findall(r"^([\w.-]+==\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    (folder / "constraints.txt").write_text("\n".join(pinned))
    pip = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run = subprocess.run(
        [*pip, "--constraint", str(folder / "constraints.txt"), str(wheel)],
        capture_output=True,
        text=True,
        timeout=BUILD_TIMEOUT_S,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return folder / "bin"


def test_the_installed_attn_runs_a_program_and_serves_its_page(installed: Path, no_node: str, tmp_path: Path) -> None:
    env = {
        "PATH": no_node,
        "HOME": str(tmp_path),
        "ATTN_HOME": str(tmp_path / "a"),
        "LANG": "C.UTF-8",
        "SHELL": "/bin/sh",
    }

    def attn(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(installed / "attn"), *arguments]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=30, check=False)

    version = attn("--version")
    assert version.returncode == 0 and "attn 0." in version.stdout, version.stderr
    try:
        new = attn("new", "--label", "packed", "--", "sh", "-c", "echo from the wheel; exec cat")
        assert new.returncode == 0, new.stderr
        waited = attn("wait", "packed", "--for", "from the wheel", "--timeout", "20")
        assert waited.returncode == 0, waited.stderr
        opened = attn("open")
        assert re.search(r"http://127\.0\.0\.1:\d+/#login=\S+", opened.stdout + opened.stderr), opened
    finally:
        attn("rm", "packed", "--force")
        attn("daemon", "stop")
