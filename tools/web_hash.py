"""Names the build of the page: one hash over the sources in web/.

`npm run build` writes it to src/attn/daemon/page/build.json; the packaging hook compares the two to decide whether the
built page still belongs to the sources. Standard library alone, so that any Python can run it.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

WEB = Path(__file__).resolve().parent.parent / "web"
# Not sources: what npm, Vite and the tools put there.
IGNORED = frozenset({"node_modules", "dist", ".vite", "coverage"})


def sources(web: Path) -> Iterator[Path]:
    """Every source file below `web`, in an order that no file system changes."""
    found = []
    for folder, names, files in os.walk(web):
        names[:] = [name for name in names if name not in IGNORED]
        found += [Path(folder, name) for name in files if not name.endswith((".swp", "~", ".log"))]
    yield from sorted(found, key=lambda path: path.relative_to(web).as_posix())


def web_hash(web: Path = WEB) -> str:
    """16 hexadecimal digits that change when a source, its name or its place does."""
    digest = hashlib.sha256()
    for path in sources(web):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(web).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


if __name__ == "__main__":
    print(web_hash(Path(sys.argv[1]) if len(sys.argv) > 1 else WEB))
