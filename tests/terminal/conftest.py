"""The full form writes its table when all of it ran."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.terminal.emulator_differences import KINDS
from tests.terminal.fidelity_report import A_CUT, B_CUT, PAGE, REPORT, out_of_date
from tests.terminal.judge import recordings
from tests.terminal.test_fidelity import CUTS, GRAMMARS


@pytest.fixture(scope="session", autouse=True)
def fidelity_page() -> Iterator[None]:
    yield
    names = [recording.name for recording in recordings()]
    whole = all(REPORT.total(column, [name]) == CUTS for column in (A_CUT, B_CUT) for name in names)
    if "ATTN_TEST_FULL" in os.environ and whole:
        PAGE.write_text(REPORT.render(CUTS, GRAMMARS, [kind.name for kind in KINDS]))
        assert out_of_date(PAGE.read_text(), names) == []
