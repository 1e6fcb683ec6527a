"""Copies the worker's source as it stands into a fixture that is never edited again: `tests/fixtures/worker_vN/`.

usage: python tools/freeze_worker.py N

Done once for each minor of the worker protocol. A daemon must drive the workers of the two previous minors, and the
test of that runs their real code.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What a worker imports, and nothing of the control plane.
PARTS = (
    "__init__.py", "errors.py", "core", "wire/__init__.py", "wire/framing.py", "wire/worker_api.py", "wire/launch.py",
    "terminal", "bundle", "worker",
)  # fmt: skip


def main() -> int:
    """Refuses to write over a fixture: the workers it stands for are running somewhere."""
    target = ROOT / "tests" / "fixtures" / f"worker_v{int(sys.argv[1])}" / "attn"
    if target.exists():
        print(f"{target} stands already and is never changed", file=sys.stderr)
        return 1
    for part in PARTS:
        source = ROOT / "src" / "attn" / part
        if source.is_dir():
            shutil.copytree(source, target / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            (target / part).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target / part)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
