"""Queries out, everything else through, however the stream is cut."""

from __future__ import annotations

import base64
import json
import random
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attn.core.vtfilter import MAX_HELD_BYTES, QueryFilter, last_lines, plain_text, safe_cut

CORPUS = Path(__file__).resolve().parents[1] / "corpus"
COMMON = [b"\x1b[c", b"\x1b[6n", b"\x1b[>c", b"\x1b[?u", b"\x1b]10;?", b"\x1b]11;?", b"\x1b[5n", b"\x1b[0c"]

QUERIES = [
    b"\x1b[c", b"\x1b[0c", b"\x1b[>c", b"\x1b[>0c", b"\x1b[=c", b"\x1b[5n", b"\x1b[6n", b"\x1b[?6n", b"\x1b[?996n",
    b"\x1b[?2026$p", b"\x1b[4$p", b"\x1b[>q", b"\x1b[>0q", b"\x1b[?u", b"\x1b[14t", b"\x1b[18t", b"\x1b[14;2t",
    b"\x1b[21t", b"\x1b[x", b"\x1b[1;1;1;1;1;1*y", b"\x1b[1$w", b"\x1b[?4m", b"\x1b[?1;1;0S",
    b"\x1b]10;?\x07", b"\x1b]11;?\x1b\\", b"\x1b]12;?\x07", b"\x1b]4;7;?\x1b\\", b"\x1b]52;c;?\x07",
    b"\x1b]99;i=1:p=?;\x1b\\", b"\x1b]1337;ReportCellSize\x07", b"\x1b]21;foreground=?\x1b\\",
    b"\x1bP$qm\x1b\\", b"\x1bP+q544e\x1b\\", b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\",
    b"\x1bZ", b"\x05", b"\xc2\x9b6n", b"\xc2\x9d11;?\xc2\x9c", b"\xc2\x90$qm\xc2\x9c",
]  # fmt: skip

OTHERS = [
    b"plain text", "ünïcödé 漢字 👩‍💻".encode(), b"\x1b[31;1m", b"\x1b[2J\x1b[H", b"\x1b[?1049h", b"\x1b[?2004h",
    b"\x1b[>7u", b"\x1b[<u", b"\x1b[=5;1u", b"\x1b[u", b"\x1b[2 q", b"\x1b[>4;1m", b"\x1b[>4;0m", b"\x1b[!p",
    b"\x1b[22;0t", b"\x1b[23;0t", b"\x1b[8;40;120t", b"\x1b[1;5r", b"\x1b[>4n", b"\x1b[1S", b"\x1b[2\"q",
    b"\x1b]0;a title?\x07", b"\x1b]2;who;?;me\x07", b"\x1b]10;#ffffff\x07", b"\x1b]4;7;rgb:00/11/22\x1b\\",
    b"\x1b]8;;https://example.org/?q\x1b\\link\x1b]8;;\x1b\\", b"\x1b]104\x07", b"\x1b]7501;state=idle:app=codex\x1b\\",
    b"\x1bPq#0;2;0;0;0~~\x1b\\", b"\x1b7\x1b8\x1b=", b"\x1b(B\x0f", b"\xff\xfe\x9b6n", b"\x1b[6\x18n",
]  # fmt: skip


def filtered(data: bytes, *, clipboard: bool = False) -> bytes:
    one = QueryFilter(clipboard=clipboard)
    return one.feed(data) + one.flush()


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_is_taken_out(query: bytes) -> None:
    assert filtered(b"before" + query + b"after") == b"beforeafter"


@pytest.mark.parametrize("other", OTHERS)
def test_everything_else_passes(other: bytes) -> None:
    assert filtered(b"before" + other + b"after") == b"before" + other + b"after"


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_is_found_at_every_cut(query: bytes) -> None:
    for cut in range(len(query) + 1):
        one = QueryFilter()
        out = one.feed(b"a" + query[:cut]) + one.feed(query[cut:] + b"z") + one.flush()
        assert out == b"az", cut


def test_controls_inside_a_query_take_effect() -> None:
    assert filtered(b"\x1b[6\r\nn") == b"\r\n"


def test_a_string_that_another_escape_ends_is_a_query_too() -> None:
    assert filtered(b"\x1b]10;?\x1b[31mred") == b"\x1b[31mred"


def test_sets_among_the_questions_pass() -> None:
    assert filtered(b"\x1b]4;1;?;2;#00ff00\x07") == b"\x1b]4;2;#00ff00\x1b\\"
    assert filtered(b"\x1b]10;?;#000000\x07") == b"\x1b]11;#000000\x1b\\"


def test_the_clipboard_is_written_only_where_that_is_allowed() -> None:
    write = b"\x1b]52;c;aGVsbG8=\x07"
    assert filtered(write) == b""
    assert filtered(write, clipboard=True) == write
    assert filtered(b"\x1b]52;c;?\x07", clipboard=True) == b""


def test_a_string_without_an_end_is_held_only_up_to_the_bound() -> None:
    one = QueryFilter()
    assert one.feed(b"\x1b]52;c;") == b""
    for _ in range(40):
        assert one.feed(b"QUJD" * 1000) == b""
        assert len(one._held) <= MAX_HELD_BYTES
    assert one.feed(b"QUJD\x07shown") == b"shown"
    assert one.feed(b"\x1b[6nafter") == b"after"


def test_the_end_of_a_dropped_string_may_be_cut_too() -> None:
    one = QueryFilter()
    assert one.feed(b"\x1b_G" + b"A" * (MAX_HELD_BYTES + 5) + b"\x1b") == b""
    assert one.feed(b"\\shown") == b"shown"


def test_endless_parameters_pass_once_over_the_bound() -> None:
    data = b"\x1b[" + b"1" * (MAX_HELD_BYTES + 5)
    assert QueryFilter().feed(data) == data


def test_a_long_picture_is_not_held() -> None:
    one = QueryFilter()
    assert one.feed(b"\x1bPq" + b"~" * 1000) == b"\x1bPq" + b"~" * 1000


PIECES = st.lists(
    st.one_of(st.sampled_from(QUERIES), st.sampled_from(OTHERS), st.binary(max_size=6), st.sampled_from([
        b"\x1b", b"\x1b[", b"\x1b]", b"\x1bP", b"\x1b_G", b"\xc2", b"\x9b", b"10;", b"?", b"\x07", b"\x1b\\", b"\x18",
    ])),
    max_size=12,
)  # fmt: skip


def test_a_string_that_two_escapes_end_is_the_same_in_one_piece_and_cut() -> None:
    data = b"\x1b_G\x1b\x1b[c"
    for cut in range(len(data)):
        one = QueryFilter()
        assert one.feed(data[:cut]) + one.feed(data[cut:]) + one.flush() == b"\x1b", cut


@given(PIECES, st.randoms(use_true_random=False))
def test_the_result_does_not_depend_on_the_cuts(pieces: list[bytes], rng: random.Random) -> None:
    data = b"".join(pieces)
    one, out, at = QueryFilter(), b"", 0
    while at < len(data):
        step = rng.randint(1, 7)
        out += one.feed(data[at : at + step])
        at += step
    assert out + one.flush() == filtered(data)


@pytest.mark.parametrize("name", ["codex-first-start-80x24", "codex-resume-120x40", "vttest-1-80x24", "vim-edit-80x24"])
def test_recordings_of_real_programs_lose_their_queries_and_nothing_else(name: str) -> None:
    lines = (CORPUS / f"{name}.rec.jsonl").read_text().splitlines()[1:]
    chunks = [base64.b64decode(event[2]) for event in map(json.loads, lines) if event[1] == "o"]
    one = QueryFilter()
    out = b"".join(one.feed(chunk) for chunk in chunks) + one.flush()
    whole = b"".join(chunks)
    assert out == filtered(whole)
    asked = sum(whole.count(query) for query in COMMON)
    assert asked and not any(query in out for query in COMMON)
    kept = re.compile(rb"\x1b\[[0-9;]*[mHJK]")
    assert kept.findall(out) == kept.findall(whole)


def test_a_tail_is_cut_behind_what_the_first_cut_went_through() -> None:
    cases = {
        b"": 0,
        b"text without any control": 0,
        b"0;half a title\x07prompt": 15,
        b"half a line\nwhole line\n": 12,
        b";1mred\x1b[0m": 6,
        b"half of\na picture\x1b\\text": 19,
        b"\x87\x97 rest of a character": 2,
        b"\x1b[31mfrom the start": 0,
    }
    for tail, cut in cases.items():
        assert safe_cut(tail) == cut, tail


def test_a_raw_stream_as_text() -> None:
    cases = {
        b"a\r\nb": "a\nb\n",
        b"\x1b[1;31mred\x1b[m\x1b]0;title\x07 \x1b(Band\x0f on": "red and on\n",
        b"10%\r20%\r\n": "20%\n",
        b"typo\x08\x08\x08ext\r\n": "text\n",
        b"\x1b[2;1Hplaced\x1b[9;9Hapart": "\nplaced\napart\n",
        b"\x1bP+q544e\x1b\\\x1b_Gi=1;AAAA\x1b\\x\xc2\x9b1my": "xy\n",
        "wide 漢字 é\r\n".encode() + b"\xe6": "wide 漢字 é\n\ufffd\n",
        b"line  \t\r\n\r\n": "line\n",
        b"\x1b[6n\x07": "",
    }
    assert {stream: plain_text(stream) for stream in cases} == cases


def test_the_last_lines_of_a_text() -> None:
    text = "1\n2\n3\n4\n"
    assert last_lines(text, 2, 0) == "3\n4\n"
    assert last_lines(text, 2, 1) == "2\n3\n4\n"
    assert last_lines(text, 2, None) == last_lines(text, None, 0) == last_lines(text, 9, 9) == text


@given(st.lists(st.sampled_from(OTHERS), min_size=1, max_size=8), st.data())
def test_what_follows_a_safe_cut_is_never_the_inside_of_a_sequence(pieces: list[bytes], data: st.DataObject) -> None:
    stream = b"\n".join(pieces) + b"\n"
    at = data.draw(st.integers(0, len(stream)))
    rest = stream[at:]
    rest = rest[safe_cut(rest) :]
    starts, offset = set(), 0
    for piece in pieces:
        starts |= {offset, offset + len(piece), offset + len(piece) + 1}
        starts |= {offset + i for i in range(len(piece)) if piece[i : i + 1] == b"\x1b"}
        starts |= {
            offset + i + 1
            for i in range(len(piece))
            if piece[i : i + 1] in b"\x07\x18" or piece[: i + 1].endswith(b"\x1b\\")
        }
        starts |= {offset + i for i in range(len(piece)) if b"\x1b" not in piece}
        offset += len(piece) + 1
    starts |= {offset}
    assert len(stream) - len(rest) in starts
