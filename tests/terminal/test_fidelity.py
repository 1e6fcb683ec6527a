"""Judge A over the corpus and over random grammar: a terminal painted from a snapshot is the terminal it was taken of.

The sample here is seeded and bounded; ATTN_TEST_FULL=1 (make fidelity) takes 40 cuts of every recording and more seeds,
ATTN_FIDELITY_CUTS any number.
"""

from __future__ import annotations

import os
import random

import pytest

from attn.terminal.cells import text
from attn.terminal.repaint import repaint
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

RECORDINGS = {recording.name: recording for recording in recordings()}


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_restored_recording_is_the_recording(name: str) -> None:
    recording = RECORDINGS[name]
    found = {cut: judge(recording, cut) for cut in cuts(recording, CUTS)}
    assert {cut: both for cut, both in found.items() if both != ([], [])} == {}


def test_the_corpus_has_the_agents_and_the_programs() -> None:
    kinds = {name.partition("-")[0] for name in RECORDINGS}
    assert {"codex", "claude", "gemini", "copilot", "vim", "htop", "less", "tmux", "vttest", "bash"} <= kinds
    assert any(not isinstance(event, bytes) for recording in RECORDINGS.values() for event in recording.events)


@pytest.mark.parametrize("level", FLOORS)
def test_restored_random_output_is_the_output(level: Level) -> None:
    at_cut = at_end = shown = total = 0
    for seed in range(SEEDS):
        recording = Recording(f"{level}{seed}", 24, 80, [Grammar(seed, 24, 80, level).write(300)])
        for cut in cuts(recording, CUTS_PER_SEED):
            cut_differences, end_differences = judge(recording, cut)
            at_cut += not cut_differences
            at_end += not end_differences
            shown += _shows_the_same_text(recording, cut)
            total += 1
    least_at_cut, least_at_end = FLOORS[level]
    assert 100 * at_cut / total >= least_at_cut
    assert 100 * at_end / total >= least_at_end
    assert 100 * shown / total >= 99


def _shows_the_same_text(recording: Recording, cut: int) -> bool:
    original = Emulator(recording.rows, recording.cols)
    play(original, split_at(recording, cut)[0])
    capture = original.capture()
    return text(capture) == text(copy_of(capture).capture())


def test_feeding_capturing_and_resizing_anything_never_crashes_or_hangs() -> None:
    seeded, captures, stand_ins = random.Random(7), 0, 0
    for seed in range(200 if FULL else 30):
        rows, cols = seeded.randint(2, 40), seeded.randint(2, 120)
        terminal = Emulator(rows, cols, scrollback_lines=200)
        data = bytearray(Grammar(seed, max(rows, 4), max(cols, 4), "everything").write(200))
        for _ in range(len(data) // 50):
            data[seeded.randrange(len(data))] = seeded.randrange(256)
        for at in range(0, len(data), 500):
            terminal.feed(bytes(data[at : at + 500]))
            terminal.resize(seeded.randint(2, 40), seeded.randint(2, 120))
            capture = terminal.capture(frame_only=seeded.random() < 0.5)
            assert capture.snapshot.header.rows == terminal.rows
            assert b"".join(repaint(capture))
            captures += 1
        stand_ins += terminal.encode_failures
        terminal.close()
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
