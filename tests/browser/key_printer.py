"""Prints what arrives at its terminal, one `repr` a line; the argument is written first. Ends at the byte EOT or q."""

from __future__ import annotations

import os
import sys
import termios
import tty


def main() -> None:
    before = termios.tcgetattr(0)
    tty.setraw(0)
    sys.stdout.write(sys.argv[1].encode().decode("unicode_escape") + "ready\r\n")
    sys.stdout.flush()
    data = b""
    while data not in (b"q", b"\x04"):
        data = os.read(0, 65536)
        sys.stdout.write(repr(data) + "\r\n")
        sys.stdout.flush()
    termios.tcsetattr(0, termios.TCSADRAIN, before)


if __name__ == "__main__":
    main()
