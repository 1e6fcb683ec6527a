"""Judge B: what the page shows after a snapshot, against what it shows when it was attached from the start.

The page's emulator is xterm.js (`page_emulator.mjs`), the worker's is libghostty-vt. So there are three states of each
moment: the page's from the start, the page's from a snapshot, and the worker's own. A snapshot is to blame for whatever
the page shows otherwise than the worker. Where only the page that was there from the start differs, the two emulators
understand the program's output differently; `emulator_differences` is the closed list of how.
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from attn.terminal.repaint import repaint
from tests.source_tree import ROOT
from tests.terminal.judge import SCROLLBACK_LINES, Emulator, Event, Recording, play, split_at
from tests.terminal.page_state import State, worker_state

sys.path.insert(0, str(ROOT / "tools"))
import page as page_build

Step = list[object]
STATE: Step = ["state"]
RESET = b"\x1bc"  # the page writes it before every snapshot


class PageEmulator:
    """The process that runs xterm.js."""

    def __init__(self) -> None:
        page_build.install(ROOT / "web")
        program = ["node", str(Path(__file__).with_name("page_emulator.mjs"))]
        self._process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def states(self, rows: int, cols: int, steps: list[Step]) -> list[State]:
        """A fresh terminal that does the steps; what it was like at each of their STATEs."""
        requests, answers = self._pipes()
        requests.write(json.dumps({"rows": rows, "cols": cols, "steps": steps}) + "\n")
        requests.flush()
        line = answers.readline()
        assert line, "the page's emulator ended"
        states: list[State] = json.loads(line)
        return states

    def _pipes(self) -> tuple[IO[str], IO[str]]:
        assert self._process.stdin is not None and self._process.stdout is not None
        return self._process.stdin, self._process.stdout

    def close(self) -> None:
        requests, answers = self._pipes()
        requests.close()
        self._process.wait(60)
        answers.close()


def steps(events: list[Event]) -> Iterator[Step]:
    """A recording's events for the page's emulator."""
    for event in events:
        if isinstance(event, bytes):
            yield ["o", base64.b64encode(event).decode()]
        else:
            yield ["r", event.rows, event.cols]


def attached(emulator: Emulator, events: list[Event]) -> Iterator[Step]:
    """What an attached page gets while `emulator` goes on: every byte, and after a resize a fresh snapshot, as the
    daemon sends it."""
    for event in events:
        play(emulator, [event])
        yield from steps([event])
        if not isinstance(event, bytes):
            yield from snapshot_of(emulator)


def snapshot_of(emulator: Emulator) -> Iterator[Step]:
    """The page's terminal made anew."""
    return steps([RESET + b"".join(repaint(emulator.capture()))])


class Moment(NamedTuple):
    """The page that was attached from the start, the page from a snapshot, and the worker."""

    whole: State
    restored: State
    worker: State


def judge(page: PageEmulator, recording: Recording, cuts: list[int]) -> list[tuple[Moment, Moment]]:
    """For each of the ascending cuts: the moment of the cut, and the end."""
    original = Emulator(recording.rows, recording.cols, scrollback_lines=SCROLLBACK_LINES)
    watched: list[Step] = []
    restored: list[tuple[State, State]] = []
    workers: list[State] = []
    rest, at = recording.events, 0
    for cut in cuts:
        before, rest = split_at(Recording("", 0, 0, rest), cut - at)
        at = cut
        watched += [*attached(original, before), STATE]
        workers.append(worker_state(original.capture().snapshot))
        restored.append(_restored(page, recording, cut))
    watched += [*attached(original, rest), STATE]
    end = worker_state(original.capture().snapshot)
    original.close()
    whole = page.states(recording.rows, recording.cols, watched)
    return [
        (Moment(whole[number], at_cut, worker), Moment(whole[-1], at_end, end))
        for number, ((at_cut, at_end), worker) in enumerate(zip(restored, workers, strict=True))
    ]


def _restored(page: PageEmulator, recording: Recording, cut: int) -> tuple[State, State]:
    """A page that attaches at the cut: its state then, and at the end."""
    before, rest = split_at(recording, cut)
    emulator = Emulator(recording.rows, recording.cols, scrollback_lines=SCROLLBACK_LINES)
    play(emulator, before)
    rows, cols = emulator.rows, emulator.cols
    at_cut, at_end = page.states(rows, cols, [*snapshot_of(emulator), STATE, *attached(emulator, rest), STATE])
    emulator.close()
    return at_cut, at_end


class Difference(NamedTuple):
    """One field in which two states differ, as `screen field` or `field`, and both values."""

    field: str
    left: object
    right: object


# A client must not be left holding a frame, so snapshots leave synchronized output out. The parser's state is
# xterm.js's own, and only its cursor style has a default that the page sets.
_FREE = {"synchronizedOutput", "cursorStyle", "cursorBlink"}


def differences(left: State, right: State) -> list[Difference]:
    """Everything that differs; a field that one side does not have is no difference."""
    a, b = _flat(left), _flat(right)
    return [Difference(name, a[name], b[name]) for name in a if name in b and a[name] != b[name]]


def _flat(state: State) -> dict[str, object]:
    fields = {name: value for name, value in state.items() if name not in ("screens", "modes")}
    fields |= {name: value for name, value in state["modes"].items() if name not in _FREE}
    for screen, facts in state["screens"].items():
        fields |= {f"{screen} {name}": value for name, value in facts.items()}
    return fields


def shown_text(state: State) -> list[str]:
    """The text of all rows, without looks: what a person reads."""
    screen = state["screens"]["alternate" if state["alternate"] else "primary"]
    return [re.sub("\x01", "", "".join(run[0] for run in row)).rstrip() for row in screen["rows"]]
