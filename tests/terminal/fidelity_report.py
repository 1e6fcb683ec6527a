"""docs/fidelity.md: how often a terminal that comes back is the terminal that was left, per recording.

`make fidelity` counts while its tests run and writes the page; the same recordings and seeds give the same numbers.
"""

from __future__ import annotations

from collections import defaultdict

from tests.source_tree import ROOT
from tests.terminal.judge import Event, Recording

PAGE = ROOT / "docs" / "fidelity.md"
A_CUT, A_END = "A at the cut", "A at the end"
GRID, B_CUT, B_END = "page = worker", "B at the cut", "B at the end"
TEXT = "text"
_COLUMNS = (A_CUT, A_END, GRID, B_CUT, B_END)
_HEAD = """\
# Fidelity

Written by `make fidelity`. Each recording of `tests/corpus/` is cut at {cuts} places, among them inside sequences,
inside characters, right after resizes and inside synchronized frames. At each cut a second terminal is made from a
snapshot, and then both get the rest. The numbers are percent of cuts without any difference.

- **A**: libghostty-vt against libghostty-vt: every cell, style, link, wrap flag, cursor, mode, colour, title, tab stop,
  margin, charset, saved cursor and keyboard stack of both screens with all history.
- **page = worker**: xterm.js as the page runs it, from a snapshot, against the worker's terminal.
- **B**: a page that attached at the cut against a page that was attached from the start, in every respect. What remains
  are differences between the two emulators, and each belongs to one of the kinds below.

| recording | bytes | resizes | {columns} |
|---|---:|---:|{lines}
"""


class Report:
    """Counts of good cuts by row and column."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
        self._recordings: dict[str, Recording] = {}
        self._kinds: dict[str, int] = defaultdict(int)

    def count(self, row: str, column: str, good: bool) -> None:
        """One cut."""
        counts = self._counts[row, column]
        counts[0] += good
        counts[1] += 1

    def describe(self, recording: Recording) -> None:
        """A row of the first table."""
        self._recordings[recording.name] = recording

    def differs(self, kind: str) -> None:
        """A moment whose pages differ in the way of this kind."""
        self._kinds[kind] += 1

    def rate(self, column: str, rows: list[str]) -> float:
        """Percent of good cuts in all of these rows."""
        counts = [self._counts[row, column] for row in rows]
        return 100 * sum(good for good, _total in counts) / max(1, sum(total for _good, total in counts))

    def total(self, column: str, rows: list[str]) -> int:
        """How many cuts were counted."""
        return sum(self._counts[row, column][1] for row in rows)

    def render(self, cuts: int, grammar: dict[str, str], kinds: list[str]) -> str:
        """The page. grammar: title by row; kinds: all that there are."""
        names = sorted(self._recordings)
        lines = [_HEAD.format(cuts=cuts, columns=" | ".join(_COLUMNS), lines="---:|" * len(_COLUMNS)).rstrip()]
        for name in names:
            recording = self._recordings[name]
            output = [event for event in recording.events if isinstance(event, bytes)]
            facts = f"{sum(map(len, output)):,} | {len(recording.events) - len(output)}"
            lines.append(f"| {name} | {facts} | {' | '.join(self._percent(column, [name]) for column in _COLUMNS)} |")
        lines.append(f"| **all** | | | {' | '.join(f'**{self._percent(column, names)}**' for column in _COLUMNS)} |")
        lines += ["", "## Random output", "", "| grammar | cuts | A at the cut | A at the end | text on the page |"]
        lines += ["|---|---:|---:|---:|---:|"]
        for row, title in grammar.items():
            rates = " | ".join(self._percent(column, [row]) for column in (A_CUT, A_END, TEXT))
            lines.append(f"| {title} | {self._counts[row, A_CUT][1]} | {rates} |")
        lines += ["", "## Differences between the emulators", "", "| kind | fields of moments above |", "|---|---:|"]
        lines += [f"| {kind} | {self._kinds[kind]} |" for kind in kinds]
        return "\n".join(lines) + "\n"

    def _percent(self, column: str, rows: list[str]) -> str:
        if not self.total(column, rows):
            return ""
        rate = self.rate(column, rows)
        return "100" if rate == 100 else f"{min(rate, 99.9):.1f}"


REPORT = Report()


def output_of(events: list[Event]) -> bytes:
    """What the program wrote in these events."""
    return b"".join(event for event in events if isinstance(event, bytes))


def out_of_date(page: str, names: list[str]) -> list[str]:
    """What is wrong with a page that should have these recordings, each with 100 percent in the first three columns."""
    table = page.partition("\n| **all**")[0].splitlines()
    rows = {cells[1]: cells for line in table if len(cells := [cell.strip() for cell in line.split("|")]) > 9}
    wrong = [f"{name} has no row" for name in names if name not in rows]
    wrong += [f"{name} is gone" for name in rows.keys() - {*names, "recording", "---"}]
    return wrong + [f"{name} is not 100" for name in names if name in rows and rows[name][4:7] != ["100"] * 3]
