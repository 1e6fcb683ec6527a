"""Writes requirements.lock: exact versions with the hashes of all their files, and no package address.

pip-tools runs in a virtual environment of its own that is removed again, so that it is no dependency of attn.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
PIP_TOOLS = "pip-tools==7.6.2"
HEAD = """\
# Every package attn needs to run, test and build itself, with the hashes of all its files: `make lock` writes this.
# No package addresses: pip asks whatever index the machine is configured for, and the hashes decide.
"""
# Resolved for the oldest supported Python; the hashes cover the files of the newer ones and of other platforms.
OPTIONS = (
    "--quiet",
    "--extra=dev",
    "--generate-hashes",
    "--strip-extras",
    "--no-header",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--no-emit-trusted-host",
)


def main() -> None:
    """Raises CalledProcessError when the index cannot be asked."""
    if sys.version_info[:2] != (3, 11):
        raise SystemExit("the lock is resolved with Python 3.11, the oldest that attn supports")
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python, output = Path(folder, "bin/python"), Path(folder, "lock.txt")
        subprocess.run([python, "-m", "pip", "install", "--quiet", PIP_TOOLS], check=True)
        command = [str(python), "-m", "piptools", "compile", *OPTIONS, f"--output-file={output}", "pyproject.toml"]
        subprocess.run(command, cwd=ROOT, check=True)
        LOCK.write_text(HEAD + output.read_text())


if __name__ == "__main__":
    main()
