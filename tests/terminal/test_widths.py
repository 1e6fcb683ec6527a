"""The page's width table is the library's."""

from __future__ import annotations

import base64
import importlib.util
import re
from types import ModuleType

from attn.terminal.binding import codepoint_width
from tests.source_tree import ROOT


def _exporter() -> ModuleType:
    spec = importlib.util.spec_from_file_location("export_widths", ROOT / "tools" / "export_widths.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _decode(encoded: bytes) -> list[tuple[int, int]]:
    values, value, shift = [], 0, 0
    for byte in encoded:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            values.append(value)
            value = shift = 0
    runs, start = [], 0
    for distance, width in zip(values[::2], values[1::2], strict=True):
        start += distance
        runs.append((start, width))
    return runs


def test_the_file_is_what_its_generator_writes() -> None:
    exporter = _exporter()
    assert exporter.TARGET.read_text() == exporter.render(), "run: python tools/export_widths.py"


def test_the_file_decodes_to_the_widths_of_the_library() -> None:
    text = _exporter().TARGET.read_text()
    table = text.partition("WIDTH_RUNS =")[2].partition(";")[0]
    encoded = "".join(re.findall(r'^  "([A-Za-z0-9+/=]+)"', table, re.MULTILINE))
    runs = _decode(base64.b64decode(encoded))
    assert runs[0][0] == 0
    ends = [start for start, _width in runs[1:]] + [0x110000]
    for (start, width), end in zip(runs, ends, strict=True):
        assert {codepoint_width(start), codepoint_width(end - 1)} == {width}


def test_selectors_are_kept_behind_pictures_alone() -> None:
    runs = _exporter().selector_runs()
    kept = {"❤": 1, "☀": 1, "⚠": 1, "1": 0, "#": 0, "a": 0, "☝": 0, "漢": 0}
    found = {char: [value for start, value in runs if start <= ord(char)][-1] for char in kept}
    assert found == kept


def test_widths_of_well_known_characters() -> None:
    assert [codepoint_width(ord(char)) for char in "a漢👍│é\u200d\u0301한ｆ"] == [1, 2, 2, 1, 1, 0, 0, 2, 2]
