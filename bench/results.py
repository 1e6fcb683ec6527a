"""What a measurement is, and how all of them are written down."""

from __future__ import annotations

import json
import operator
import platform
import re
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent
COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {"<=": operator.le, ">=": operator.ge}
BUDGET: Final = re.compile(r"(?P<what>value|ratio) (?P<comparison><=|>=) (?P<bound>[\d.]+)")


@dataclass(frozen=True)
class Result:
    """One line of the report.

    value, peer: in `unit`, peer measured in the same run (None where there is none); ratio: value / peer;
    budget: `value <= 10` or `ratio >= 1.5`, empty for a number that is only recorded.
    """

    name: str
    unit: str
    value: float
    budget: str = ""
    peer: float | None = None
    peer_name: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times the peer's number this is."""
        return self.value / self.peer if self.peer else None

    @property
    def met(self) -> bool | None:
        """Whether the budget holds; None without a budget. Raises ValueError for a budget nobody can read."""
        if not self.budget:
            return None
        budget = BUDGET.fullmatch(self.budget)
        measured = self.value if budget and budget["what"] == "value" else self.ratio
        if budget is None or measured is None:
            raise ValueError(f"{self.name}: the budget {self.budget!r} cannot be compared")
        return COMPARISONS[budget["comparison"]](measured, float(budget["bound"]))


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that `percent` of all are at or below; of the values themselves, nothing between them."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def median(values: Sequence[float]) -> float:
    """The middle one."""
    return statistics.median(values)


def write(results: Sequence[Result], seconds: float, version: str) -> None:
    """Writes results.json and RESULTS.md."""
    rows = [asdict(result) | {"ratio": result.ratio, "met": result.met} for result in results]
    (FOLDER / "results.json").write_text(json.dumps(rows, indent=1) + "\n")
    (FOLDER / "RESULTS.md").write_text(_markdown(results, seconds, version))


def _markdown(results: Sequence[Result], seconds: float, version: str) -> str:
    lines = [
        "# Measurements",
        "",
        f"Written by `make bench` in {seconds:.0f} s: attn {version}, {_machine()}.",
        "Every peer was measured in the same run, in turn with attn. A budget is a bound on the value or on the ratio.",
        "",
        "| what | value | peer | ratio | budget | met |",
        "|---|---:|---:|---:|---|---|",
        *(_row(result) for result in results),
    ]
    return "\n".join(lines) + "\n"


def _row(result: Result) -> str:
    peer = f"{result.peer_name} {_number(result.peer)}" if result.peer is not None else ""
    ratio = f"{result.ratio:.2f}" if result.ratio is not None else ""
    met = {None: "", True: "yes", False: "**no**"}[result.met]
    return f"| {result.name} | {_number(result.value)} {result.unit} | {peer} | {ratio} | {result.budget} | {met} |"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _machine() -> str:
    cores = sum(1 for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("processor"))
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    return f"{cores} cores, {system}, Python {platform.python_version()}"
