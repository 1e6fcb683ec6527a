"""Judge B over the corpus: the page that comes back is the page that was left.

The page always shows the worker's grid; where a page that was attached from the start shows something else, that is a
known difference between the emulators. The sample here is bounded; ATTN_TEST_FULL=1 (make fidelity) takes 40 cuts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.terminal.emulator_differences import KINDS, Kind, explained
from tests.terminal.fidelity_report import B_CUT, B_END, GRID, REPORT, TEXT, output_of
from tests.terminal.grammar import Grammar
from tests.terminal.judge import Emulator, Recording, Resize, cuts, play, recordings, split_at
from tests.terminal.page_judge import STATE, PageEmulator, attached, differences, judge, shown_text, snapshot_of, steps
from tests.terminal.page_state import worker_state
from tests.terminal.test_repaint import STATES as PAINTED

FULL = "ATTN_TEST_FULL" in os.environ
CUTS = 40 if FULL else 5
GRAMMAR_SEEDS = 20 if FULL else 3
# Percent of moments in which both pages agree about everything: at the cut, and at the end.
LEAST_AT_CUT, LEAST_AT_END = 86, 94
RECORDINGS = {recording.name: recording for recording in recordings()}


@pytest.fixture(scope="module")
def page() -> Iterator[PageEmulator]:
    emulator = PageEmulator()
    yield emulator
    emulator.close()


@pytest.mark.parametrize("name", RECORDINGS)
def test_the_page_shows_the_grid_of_the_worker(page: PageEmulator, name: str) -> None:
    recording = RECORDINGS[name]
    places = sorted(cuts(recording, CUTS))
    unexplained = []
    for cut, (at_cut, at_end) in zip(places, judge(page, recording, places), strict=True):
        grid = differences(at_cut.restored, at_cut.worker)
        REPORT.count(name, GRID, not grid)
        assert grid == [], cut
        before, after = split_at(recording, cut)
        for column, moment, events in ((B_CUT, at_cut, before), (B_END, at_end, [*before, *after])):
            found = differences(moment.whole, moment.restored)
            REPORT.count(name, column, not found)
            for one in found:
                kind = explained(one, output_of(events), any(isinstance(event, Resize) for event in events))
                if kind is None:
                    unexplained.append((cut, column, one))
                else:
                    REPORT.differs(kind.name)
    assert unexplained == []


def test_most_moments_are_the_same_in_every_respect() -> None:
    """The tests above count; a selection of them proves nothing here."""
    for column, least in ((B_CUT, LEAST_AT_CUT), (B_END, LEAST_AT_END)):
        rate, total = REPORT.rate(column, [*RECORDINGS]), REPORT.total(column, [*RECORDINGS])
        print(f"judge {column}: {rate:.1f} % of {total} moments")
        assert total < len(RECORDINGS) * CUTS or rate >= least


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name.partition(":")[0])
def test_the_emulators_differ_without_any_snapshot(page: PageEmulator, kind: Kind) -> None:
    emulator = Emulator(6, 20)
    play(emulator, kind.proof)
    (shown,) = page.states(6, 20, [*steps(kind.proof), STATE])
    found = differences(shown, worker_state(emulator.capture().snapshot))
    output = output_of(kind.proof)
    assert found
    assert [one for one in found if explained(one, output, kind.trigger is None) is None] == []
    assert any(explained(one, output, kind.trigger is None) == kind for one in found), found
    emulator.close()


def test_random_output_is_read_the_same_on_the_page(page: PageEmulator) -> None:
    for seed in range(GRAMMAR_SEEDS):
        recording = Recording(f"common{seed}", 24, 80, [Grammar(seed, 24, 80, "common").write(300)])
        for at_cut, _at_end in judge(page, recording, sorted(cuts(recording, 10))):
            worker, restored = at_cut.worker, at_cut.restored
            REPORT.count("common", TEXT, shown_text(restored) == shown_text(worker))
            fields = {one.field for one in differences(restored, worker)}
            assert {field for field in fields if "cursor" in field or field in worker["modes"]} == set()
    assert REPORT.rate(TEXT, ["common"]) >= 99


WIDTHS = (
    "emoji 😀🚀👍🏽 end",
    "zwj 👩\u200d💻 👨\u200d👩\u200d👧\u200d👦 🏳\ufe0f\u200d🌈 end",
    "flags 🇯🇵🇩🇪 🏴\U000e0067\U000e0062\U000e007f end",
    "keycaps 1\ufe0f\u20e3 #\ufe0f\u20e3 end",
    "selectors ❤\ufe0f ☺\ufe0e ⚠\ufe0f ☝\ufe0f a\ufe0f end",
    "cjk 漢字 かな 한글 ｆｕｌｌ ㊙ end",
    "marks e\u0301 नमस्ते ไทย ㅎㅏㄴ \u1112\u1161\u11ab end",
    "controls \x9b31m end",
    "broken \xff end",
)


@pytest.mark.parametrize("text", WIDTHS, ids=lambda text: text.partition(" ")[0])
def test_both_emulators_put_every_character_into_the_same_cell(page: PageEmulator, text: str) -> None:
    """Live, from a snapshot, and with the stream split at every byte."""
    output = text.encode("latin-1") if text.startswith("broken") else text.encode()
    for pieces in ([output], [bytes([byte]) for byte in output]):
        emulator = Emulator(4, 12)
        live, restored = page.states(4, 12, [*attached(emulator, [*pieces]), STATE, *snapshot_of(emulator), STATE])
        worker = worker_state(emulator.capture().snapshot)
        assert differences(live, worker) == []
        assert differences(restored, worker) == []
        emulator.close()


@pytest.mark.parametrize("state", PAINTED)
def test_the_page_has_every_state_that_it_can_have(page: PageEmulator, state: str) -> None:
    """From a snapshot the same as the worker, field by field."""
    emulator = Emulator(6, 20)
    emulator.feed(PAINTED[state])
    (restored,) = page.states(6, 20, [*snapshot_of(emulator), STATE])
    found = differences(restored, worker_state(emulator.capture().snapshot))
    kinds = [explained(one, PAINTED[state], resized=False) for one in found]
    assert {kind and kind.name.partition(":")[0] for kind in kinds} <= {"left and right margins", "ISO protection"}
    emulator.close()
