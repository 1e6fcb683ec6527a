"""Run inside a real terminal: asks it for all its modes, runs a command in it, asks again, and writes both down.

Arguments: a folder, then the command. Writes `pid` when the command runs, and at the end `answers`: JSON {"before",
"after": the terminal's answers, hex, "row": of the cursor afterwards, "rows", "status"}.
"""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
import termios
import tty
from pathlib import Path

MODES = (1, 5, 6, 7, 25, 45, 47, 66, 69, 1000, 1002, 1003, 1004, 1005, 1006, 1015, 1016, 1047, 1049, 2004, 2026, 2031)
QUESTIONS = (
    b"".join(b"\x1b[?%d$p" % mode for mode in MODES)
    + b"\x1b[4$p\x1b[20$p\x1b[?u\x1b[?4m\x1b]4;1;?\x1b\\\x1b]10;?\x1b\\\x1b]11;?\x1b\\\x1b]12;?\x1b\\"
    + b"\x1bP$qm\x1b\\\x1bP$qr\x1b\\\x1bP$q q\x1b\\"
)
# Asked last, as every terminal answers it: primary device attributes.
LAST, LAST_ANSWER = b"\x1b[c", re.compile(rb"\x1b\[\?[0-9;]+c")
POSITION = re.compile(rb"\x1b\[([0-9]+);([0-9]+)R")
PATIENCE_S = 30.0


def answers(questions: bytes) -> bytes:
    """What the terminal says to `questions`, without its last answer."""
    settings = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        os.write(1, questions + LAST)
        seen = b""
        while not LAST_ANSWER.search(seen) and select.select([0], [], [], PATIENCE_S)[0]:
            seen += os.read(0, 1 << 16)
        return LAST_ANSWER.sub(b"", seen)
    finally:
        termios.tcsetattr(0, termios.TCSANOW, settings)


def main() -> None:
    """Before, command, after."""
    folder, argv = Path(sys.argv[1]), sys.argv[2:]
    before = answers(QUESTIONS)
    with (folder / "errors").open("wb") as errors:
        process = subprocess.Popen(argv, stderr=errors)
        (folder / "pid.new").write_text(str(process.pid))
        (folder / "pid.new").rename(folder / "pid")
        status = process.wait()
    found = POSITION.search(answers(b"\x1b[6n"))
    facts = {
        "before": before.hex(), "after": answers(QUESTIONS).hex(), "row": int(found[1]) if found else 0,
        "rows": os.get_terminal_size(0).lines, "status": status,
    }  # fmt: skip
    (folder / "answers.new").write_text(json.dumps(facts))
    (folder / "answers.new").rename(folder / "answers")


if __name__ == "__main__":
    main()
