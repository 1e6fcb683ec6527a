"""Builds the page when it does not belong to the sources in web/: `make page`, `make run` and the wheel use it.

usage: python tools/page.py [--check]
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from web_hash import web_hash

ROOT = Path(__file__).resolve().parent.parent
WEB = ROOT / "web"
PAGE = ROOT / "src" / "attn" / "daemon" / "page"
NODE_MIN = 20


class NodeMissingError(Exception):
    """The page has to be built and there is no Node to do it."""


def is_current() -> bool:
    """Whether the built page stands and was made from exactly the sources in web/."""
    try:
        record = json.loads((PAGE / "build.json").read_text())
    except (FileNotFoundError, ValueError):
        return False
    return isinstance(record, dict) and record.get("build") == web_hash(WEB) and (PAGE / "index.html").is_file()


def require_node() -> None:
    """Raises NodeMissingError, with what to install, unless npm and Node of at least NODE_MIN are on PATH."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        raise NodeMissingError(f"node_missing: the page is not built; install Node {NODE_MIN} or newer (nodejs.org)")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.lstrip("v").partition(".")[0]) < NODE_MIN:
        raise NodeMissingError(f"node_missing: Node is {version}; install Node {NODE_MIN} or newer (nodejs.org)")


def install(folder: Path) -> None:
    """`npm ci` in `folder`, unless what it installed last time belongs to the lock of today."""
    lock, record = folder / "package-lock.json", folder / "node_modules" / ".attn-lock"
    if record.is_file() and record.read_bytes() == lock.read_bytes():
        return
    require_node()
    subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=folder, check=True)
    shutil.copyfile(lock, record)


def build() -> None:
    """Makes src/attn/daemon/page/. Raises NodeMissingError, CalledProcessError when npm or the build fails."""
    require_node()
    install(WEB)
    subprocess.run(["npm", "run", "build"], cwd=WEB, check=True, env={**os.environ, "ATTN_PYTHON": sys.executable})
    if not is_current():
        raise SystemExit(f"the build left a page in {PAGE} that does not belong to {WEB}")


def main() -> None:
    """Build if needed; with --check only say whether it would be needed."""
    if is_current():
        return
    if "--check" in sys.argv[1:]:
        raise SystemExit("the page is not built from the sources in web/: run `make page`")
    try:
        build()
    except NodeMissingError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
