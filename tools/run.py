"""What `make run` does once .venv stands: the page built, the daemon running, the page open or its URL printed.

It needs no terminal and no display, and returns.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import page

ATTN = Path(sys.executable).parent / "attn"
NEXT = (
    ("attn new --agent codex --attach", "start an agent and work in it here (Ctrl-\\ twice leaves it running)"),
    ("attn ls", "what runs"),
    ("attn open", "the page again, with a fresh login"),
    ("attn daemon stop", "end the daemon; every program keeps running"),
)


def main() -> int:
    """Exit status of `attn open`."""
    if not page.is_current():
        try:
            page.build()
        except page.NodeMissingError as error:
            print(error, file=sys.stderr)
            return 1
    print("The page (this address logs in once):", flush=True)
    status = subprocess.run([ATTN, "open"], stdin=subprocess.DEVNULL, check=False).returncode
    if status == 0:
        folder = ATTN.parent.relative_to(page.ROOT) if ATTN.is_relative_to(page.ROOT) else ATTN.parent
        print(f"\nNext (attn is {folder}/attn; put {folder} on your PATH):")
        for command, meaning in NEXT:
            print(f"  {command:<34} {meaning}")
    return status


if __name__ == "__main__":
    raise SystemExit(main())
