"""`attn` and `python -m attn`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with its status."""
    from attn.cli.app import run
    from attn.cli.output import guard

    guard()
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
