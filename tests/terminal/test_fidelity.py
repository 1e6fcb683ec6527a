"""Judge A over the corpus and over random grammar: a terminal painted from a snapshot is the terminal it was taken of.

The sample here is seeded and bounded; ATTN_TEST_FULL=1 (make fidelity) takes 40 cuts of every recording and more seeds,
ATTN_FIDELITY_CUTS any number.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys

import pytest

from attn.terminal.cells import text
from tests.source_tree import ROOT
from tests.terminal.fidelity_report import A_CUT, A_END, PAGE, REPORT, out_of_date
from tests.terminal.grammar import Grammar, Level
from tests.terminal.judge import Emulator, Recording, copy_of, cuts, differences, judge, play, recordings, split_at

FULL = "ATTN_TEST_FULL" in os.environ
CUTS = int(os.environ.get("ATTN_FIDELITY_CUTS", "40" if FULL else "6"))
SEEDS = 80 if FULL else 12
CUTS_PER_SEED = 10
# Percent of cuts without any difference at the cut and at the end. Lost: a single shift in DECSC, REP after a newline,
# clusters printed under another grapheme mode (2027) than the present one, prompt marks (OSC 133), the wrap flag of the
# bottom row.
FLOORS = {"common": (98, 97), "everything": (93, 93)}
GRAMMARS = {"common": "what xterm.js does as well", "everything": "everything"}

RECORDINGS = {recording.name: recording for recording in recordings()}
SPLIT_SAMPLE = ("claude-fullscreen-100x30", "tput-torture-80x24", "cat-utf8-80x24")


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_restored_recording_is_the_recording(name: str) -> None:
    recording = RECORDINGS[name]
    REPORT.describe(recording)
    found = {}
    for cut in cuts(recording, CUTS):
        found[cut] = at_cut, at_end = judge(recording, cut)
        REPORT.count(name, A_CUT, not at_cut)
        REPORT.count(name, A_END, not at_end)
    assert {cut: both for cut, both in found.items() if both != ([], [])} == {}


def test_the_corpus_has_the_agents_and_the_programs() -> None:
    kinds = {name.partition("-")[0] for name in RECORDINGS}
    assert {"codex", "claude", "gemini", "copilot", "vim", "htop", "less", "tmux", "vttest", "bash"} <= kinds
    assert any(not isinstance(event, bytes) for recording in RECORDINGS.values() for event in recording.events)


@pytest.mark.parametrize("level", FLOORS)
def test_restored_random_output_is_the_output(level: Level) -> None:
    shown = 0
    for seed in range(SEEDS):
        recording = Recording(f"{level}{seed}", 24, 80, [Grammar(seed, 24, 80, level).write(300)])
        for cut in cuts(recording, CUTS_PER_SEED):
            at_cut, at_end = judge(recording, cut)
            REPORT.count(level, A_CUT, not at_cut)
            REPORT.count(level, A_END, not at_end)
            shown += _shows_the_same_text(recording, cut)
    total = SEEDS * CUTS_PER_SEED
    least_at_cut, least_at_end = FLOORS[level]
    print(f"{level} grammar: {total} cuts of seeds 0-{SEEDS - 1}")
    assert REPORT.rate(A_CUT, [level]) >= least_at_cut
    assert REPORT.rate(A_END, [level]) >= least_at_end
    assert 100 * shown / total >= 99


def _shows_the_same_text(recording: Recording, cut: int) -> bool:
    original = Emulator(recording.rows, recording.cols)
    play(original, split_at(recording, cut)[0])
    capture = original.capture()
    return text(capture) == text(copy_of(capture).capture())


@pytest.mark.parametrize("name", RECORDINGS if FULL else SPLIT_SAMPLE)
def test_a_stream_means_the_same_however_it_is_split(name: str) -> None:
    recording = RECORDINGS[name]
    whole, split = (Emulator(recording.rows, recording.cols) for _ in range(2))
    seeded = random.Random(7)
    for event in recording.events:
        play(whole, [event])
        if not isinstance(event, bytes):
            play(split, [event])
            continue
        at = 0
        while at < len(event):
            size = seeded.choice((1, 1, 2, 3, 5, 64, 1000))
            play(split, [event[at : at + size]])
            at += size
    assert differences(whole.capture(), split.capture()) == []
    assert whole.take_replies() == split.take_replies()


def test_random_output_means_the_same_however_it_is_split() -> None:
    for seed in range(SEEDS):
        output = Grammar(seed, 24, 80, "everything").write(300)
        whole, split = Emulator(24, 80), Emulator(24, 80)
        whole.feed(output)
        for byte in output:
            split.feed(bytes([byte]))
        assert differences(whole.capture(), split.capture()) == [], seed
        assert whole.take_replies() == split.take_replies()


def test_feeding_capturing_and_resizing_anything_never_crashes_or_hangs() -> None:
    """In a process of its own: a fault of the library would end the one that has it."""
    crasher = [sys.executable, "-m", "tests.terminal.crash_fuzz", "300" if FULL else "30"]
    done = subprocess.run(crasher, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    captures, stand_ins = (int(number) for number in done.stdout.split()[-2:])
    assert captures > 100
    assert stand_ins <= captures / 50  # halved wide characters on a screen that nothing reaches


def test_repeated_restoring_drifts_nowhere() -> None:
    """A client restored from a client restored from a client: what worker loss and reconnecting can add up to."""
    recording = RECORDINGS["tmux-panes-80x24"]
    original = Emulator(recording.rows, recording.cols)
    play(original, split_at(recording, 20_000)[0])
    first = original.capture()
    capture = first
    for _ in range(3):
        capture = copy_of(capture).capture()
    assert differences(first, capture) == []


def test_the_page_of_rates_has_every_recording() -> None:
    if FULL:  # it is written when all tests have run, and looked at then
        assert all(REPORT.total(A_CUT, [name]) == CUTS for name in RECORDINGS)
    else:
        assert out_of_date(PAGE.read_text(), [*RECORDINGS]) == [], "run: make fidelity"
