"""A capture as text, joined lines, cells and HTML."""

from __future__ import annotations

import json

import pytest

from attn.terminal.cells import cells, cells_pieces, html, joined, joined_pieces, text
from attn.terminal.emulator import Emulator
from attn.terminal.snapshot.records import Capture


def capture(output: str, rows: int = 3, cols: int = 10) -> Capture:
    terminal = Emulator(rows, cols)
    terminal.feed(output.encode())
    return terminal.capture()


def test_text_is_the_visible_rows_trimmed_with_one_newline_each() -> None:
    assert text(capture("one   \r\ntwo")) == "one\ntwo\n\n"


def test_text_keeps_wide_combined_and_skipped_cells() -> None:
    assert text(capture("漢e\u0301\x1b[3C👍x")).splitlines()[0] == "漢e\u0301   👍x"


def test_history_lines_stand_above_the_screen() -> None:
    scrolled = capture("1\r\n2\r\n3\r\n4\r\n5")
    assert text(scrolled) == "3\n4\n5\n"
    assert text(scrolled, 1) == "2\n3\n4\n5\n"
    assert text(scrolled, None) == text(scrolled, 99) == "1\n2\n3\n4\n5\n"


def test_on_the_alternate_screen_the_history_is_still_that_of_the_primary_one() -> None:
    full_screen = capture("1\r\n2\r\n3\r\n4\r\n5\x1b[?1049h\x1b[Hfull")
    assert text(full_screen) == "full\n\n\n"
    assert text(full_screen, None) == "1\n2\nfull\n\n\n"


def test_joined_text_has_the_lines_that_were_written() -> None:
    wrapped = capture("a long line that wraps 漢字 twice\r\nnext", rows=6)
    assert joined(wrapped) == "a long line that wraps 漢字 twice\nnext\n\n"
    assert "a long lin\ne that wra\n" in text(wrapped)


def test_cells_are_ready_for_json() -> None:
    shown = cells(
        capture("\x1b]2;t\x07ab\x1b[1;3;4:3;31;48;2;1;2;3mX\x1b[0m\x1b]8;;http://a/\x07l\x1b]8;;\x07\x1b[?25l")
    )
    assert json.loads(json.dumps(shown)) == shown
    assert (shown["rows"], shown["cols"], shown["title"], shown["history"]) == (3, 10, "t", 0)
    assert shown["cursor"] == {"row": 0, "col": 4, "visible": False}
    assert shown["lines"][0] == {  # type: ignore[index]
        "wrapped": False,
        "runs": [
            {"text": "ab", "cols": 2},
            {
                "text": "X",
                "cols": 1,
                "foreground": 1,
                "background": "#010203",
                "bold": True,
                "italic": True,
                "underline": "curly",
            },
            {"text": "l", "cols": 1, "link": "http://a/"},
        ],
    }


def test_cells_count_columns_and_show_erased_backgrounds() -> None:
    shown = cells(capture("漢e\u0301\x1b[44m\x1b[K"))
    assert shown["lines"][0]["runs"] == [  # type: ignore[index]
        {"text": "漢e\u0301", "cols": 3},
        {"text": "       ", "cols": 7, "background": 4},
    ]


def test_html_escapes_text_and_carries_styles_and_safe_links() -> None:
    page = html(
        capture('<&"\x1b[1;31mr\x1b[7mi\x1b[0m\x1b]8;;https://a/?"x\x07L\x1b]8;;javascript:x\x07J\x1b]8;;\x07', cols=20)
    )
    assert page.startswith('<pre style="color:#d4d4d4;background:#1e1e1e">\n&lt;&amp;&quot;')
    assert '<span style="color:#cc6666;font-weight:bold">r</span>' in page
    assert "color:#1e1e1e;background:#cc6666" in page
    assert '<a href="https://a/?&quot;x">L</a>J' in page
    assert "javascript" not in page


def test_html_uses_the_colours_that_the_program_set() -> None:
    assert 'style="color:#010203;background:#040506"' in html(capture("\x1b]10;#010203\x07\x1b]11;#040506\x07x"))


@pytest.mark.parametrize("form", [text, joined, html])
def test_every_form_of_an_empty_screen(form: object) -> None:
    assert form(capture(""))  # type: ignore[operator]


def test_pieces_are_one_a_row_and_make_the_whole() -> None:
    terminal = Emulator(4, 10)
    terminal.feed(b"\x1b[31mred\x1b[m text that wraps\r\n\n" + "漢字".encode() * 8 + b"\r\n" * 5)
    capture = terminal.capture()
    for history in (0, 2, None):
        pieces = list(cells_pieces(capture, history))
        assert json.loads("".join(pieces)) == json.loads(json.dumps(cells(capture, history)))
        assert len(pieces) == len(text(capture, history).splitlines()) + 2
    assert len(list(joined_pieces(capture, None))) == len(text(capture, None).splitlines())


def test_blanks_at_the_end_of_a_joined_line_are_cut_across_rows() -> None:
    terminal = Emulator(4, 10)
    terminal.feed(b"0123456   \x1b[0m     \r\nnext" + b" " * 12)
    assert joined(terminal.capture()) == "0123456\nnext\n"
