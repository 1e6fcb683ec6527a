"""The methods of the worker protocol, asked over a real socket of a worker in this process."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from attn.terminal.emulator import Emulator
from attn.wire import framing
from attn.wire import worker_api as api
from attn.worker import host as host_module
from attn.worker import methods
from attn.worker.methods import CANONICAL_LINE_BYTES
from attn.worker.program import pty
from attn.worker.server import Worker
from tests.system.worker_client import Gone, Refused, hello
from tests.worker.inside import InsideClient, attached, inside, turn_until

RAW = "stty raw -echo; printf ready; exec cat"


@pytest.fixture
def cat(tmp_path: Path) -> Iterator[Worker]:
    with inside(tmp_path, "cat") as worker:
        turn_until(worker, lambda: pty.waits_for_input(worker.program.master), "cat to read")
        yield worker


def test_every_method_of_the_protocol_is_there() -> None:
    named = {line.split()[0] for line in (api.__doc__ or "").splitlines() if "{" in line and "->" in line}
    assert named - {"REQUEST", "RESPONSE", "EVENT", "error"} >= set(methods.METHODS) - {"health"}
    assert set(methods.FEATURES) == {*methods.METHODS, "input"}


# -- hello -----------------------------------------------------------------------------------------------------------


def test_hello_says_who_serves(cat: Worker) -> None:
    with InsideClient(cat) as client:
        answer = client.call("hello", **hello(cat.token))
    assert (answer["session_id"], answer["pid"], answer["snapshot_format"]) == ("abcdefghij", os.getpid(), "vt1")
    assert answer["protocol"] == [api.PROTOCOL_MIN, api.PROTOCOL_MAX]
    assert answer["features"] == methods.FEATURES


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"token": "0" * 64}, "unauthorized"),
        ({"token": None}, "unauthorized"),
        ({"token": "ä"}, "unauthorized"),
        ({"daemon_id": "another"}, "wrong_daemon"),
        ({"protocol": [7, 9]}, "protocol_mismatch"),
        ({"protocol": [-3, 0]}, "protocol_mismatch"),
        ({"protocol": 1}, "bad_message"),
    ],
)
def test_who_may_not_speak_is_told_why_and_cut_off(cat: Worker, change: dict[str, Any], code: str) -> None:
    with InsideClient(cat) as client:
        with pytest.raises(Refused) as refused:
            client.call("hello", **{**hello(cat.token), **change})
        assert refused.value.code == code
        with pytest.raises(Gone):
            client.until(lambda: False)


def test_a_later_minor_of_the_daemon_is_welcome(cat: Worker) -> None:
    with InsideClient(cat) as client:
        assert client.call("hello", **{**hello(cat.token), "protocol": [1, 5], "new_field": {}})["protocol"] == [1, 1]


# -- questions -------------------------------------------------------------------------------------------------------


def test_info_and_health(cat: Worker) -> None:
    with attached(cat) as client:
        client.type(b"\x1b]2;named\x07hi\r")
        client.wait_text("hi")
        info = client.call("info")
        assert (info["pid"], info["rows"], info["cols"], info["exit"]) == (cat.program.pid, 24, 80, None)
        assert info["emulator"] is True and info["offset"] == cat.host.ring.end
        assert info["last_output_at_ms"] > 1_600_000_000_000
        health = client.call("health")
        assert (health["fed_bytes"], health["ring_bytes"]) == (info["offset"], info["offset"])
        assert (health["scrollback_bytes"], health["scrollback_compressed"], health["scrollback_cuts"]) == (0, 0, 0)
        assert health["connections"] == 1 and health["rss_kb"] > 1000 and health["loop_max_us"] > 0


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("resize", {"rows": "24", "cols": 80}),
        ("snapshot", {"since": -1}),
        ("snapshot", {"history": "all"}),
        ("snapshot", {"history": True}),
        ("screen", {"format": "pdf"}),
        ("screen", {}),
        ("keys", {"events": "a"}),
        ("keys", {"events": [1]}),
        ("keys", {"events": [{"action": 3}]}),
        ("send", {"text": 3}),
        ("send", {"text": "x", "enter": 1}),
        ("send", {"text": "\ud800"}),
        ("send", {"text": "x", "ready_ms": 10**9}),
        ("signal", {"signal": 0}),
        ("signal", {"signal": "HUP"}),
        ("theme", {"foreground": "#fff"}),
        ("theme", {"foreground": "red", "background": "#000000", "cursor": "#000000", "scheme": "dark"}),
    ],
)
def test_senseless_parameters_are_named(cat: Worker, method: str, params: dict[str, Any]) -> None:
    with attached(cat) as client:
        with pytest.raises(Refused) as refused:
            client.call(method, **params)
        assert refused.value.code == ("invalid_size" if method == "resize" else "bad_message")
        assert client.call("info")["exit"] is None


def test_a_fault_in_a_request_is_answered_and_noted(cat: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    notes: list[str] = []
    monkeypatch.setattr(methods, "note", notes.append)
    monkeypatch.setattr(Emulator, "title", property(lambda self: 1 // 0))
    with attached(cat) as client:
        with pytest.raises(Refused) as refused:
            client.call("info")
        assert refused.value.code == "internal"
    assert "info failed" in notes[0]


# -- size, theme, keys, signals --------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(0, 80), (24, 0), (1001, 80), (24, 100_000), (-1, -1)])
def test_a_size_that_cannot_be_is_refused(cat: Worker, size: tuple[int, int]) -> None:
    with attached(cat) as client:
        with pytest.raises(Refused) as refused:
            client.call("resize", rows=size[0], cols=size[1])
        assert refused.value.code == "invalid_size"
        assert (cat.screen.rows, cat.screen.cols) == (24, 80)


def test_a_resize_reaches_program_emulator_and_all_clients(tmp_path: Path) -> None:
    with inside(tmp_path, "sh", "-c", 'trap "stty size" WINCH; echo ready; while :; do sleep 0.05; done') as worker:
        with attached(worker) as client, attached(worker) as other:
            client.wait_text("ready")
            answer = client.call("resize", rows=10, cols=33, width_px=330, height_px=200)
            assert (answer["rows"], answer["cols"]) == (10, 33)
            assert other.event("resized") == {"event": "resized", **answer}
            client.wait_text("10 33")
            assert client.fetch("snapshot")[0]["cols"] == 33


def test_a_theme_with_a_senseless_palette_is_refused(cat: Worker) -> None:
    theme = {"foreground": "#010203", "background": "#fefdfc", "cursor": "#0a0b0c", "scheme": "light"}
    with attached(cat) as client:
        for palette in ("#000000", [1], ["red"]):
            with pytest.raises(Refused) as refused:
                client.call("theme", **theme, palette=palette)
            assert refused.value.code == "bad_message"
        assert client.call("theme", **theme, palette=["#000000", "#ff0000"]) == {}


def test_a_theme_changes_the_answer_to_a_colour_query(tmp_path: Path) -> None:
    script = "stty raw -echo; printf ready; head -c1 >/dev/null; printf '\\033]11;?\\007'; cat -v"
    with inside(tmp_path, "sh", "-c", script) as worker, attached(worker) as client:
        client.wait_text("ready")
        client.call("theme", foreground="#000000", background="#123456", cursor="#ff0000", scheme="light")
        client.type(b"x")
        client.wait_text("^[]11;rgb:1212/3434/5656")


def test_keys_are_encoded_as_the_program_asked(tmp_path: Path) -> None:
    with inside(tmp_path, "sh", "-c", "stty raw -echo; printf '\\033[>1uready'; cat -v") as worker:
        with attached(worker) as client:
            client.wait_text("ready")
            enter = {"action": "press", "key": "Enter", "code": "Enter", "text": "", "mods": 1}
            client.call("keys", events=[enter])
            client.wait_text("^[[13;2u")


def test_a_signal_goes_to_the_foreground(tmp_path: Path) -> None:
    script = (
        "trap 'echo shell; exit' USR1; set -m; sh -c 'trap \"echo child\" USR1; echo up; while :; do sleep 0.05; done'"
    )
    with inside(tmp_path, "bash", "-c", script) as worker, attached(worker) as client:
        client.wait_text("up")
        client.call("signal", signal=int(signal.SIGUSR1))
        assert "shell" not in client.wait_text("child")


# -- send ------------------------------------------------------------------------------------------------------------


def test_a_line_is_sent_at_once_to_a_program_that_reads_lines(cat: Worker) -> None:
    with attached(cat) as client:
        assert client.call("send", text="hello", enter=True, ready_ms=60_000) == {"written": 6}
        client.wait_text("hello\nhello")


def test_many_lines_are_sent_to_a_program_that_reads_lines(cat: Worker) -> None:
    with attached(cat) as client:
        client.call("send", text="one\ntwo", enter=True, ready_ms=0)
        client.until(lambda: b"one\r\ntwo\r\none" in client.output or b"two\r\n" in client.output[-20:])
        client.wait_text("two")


def test_what_canonical_mode_would_cut_is_refused_and_what_it_would_not_is_sent(tmp_path: Path) -> None:
    with inside(tmp_path, "sleep", "60") as worker, attached(worker) as client:
        for text in ("one\ntwo", "x" * (CANONICAL_LINE_BYTES + 1)):
            with pytest.raises(Refused) as refused:
                client.call("send", text=text, enter=True, ready_ms=10)
            assert refused.value.code == "not_ready"
        assert worker.host.ring.end == 0
        assert client.call("send", text="x" * CANONICAL_LINE_BYTES, enter=False, ready_ms=0)["written"] == 4095


def test_a_text_waits_until_the_program_is_ready(tmp_path: Path) -> None:
    with inside(tmp_path, "sh", "-c", "sleep 0.4; stty raw -echo; printf '\\033[?2004hready'; cat -v") as worker:
        with attached(worker) as client:
            answer = client.call("send", text="one\ntwo", enter=True, ready_ms=20_000)
            client.wait_text("^[[200~one")
            assert answer["written"] == len(b"\x1b[200~one\ntwo\x1b[201~\r")


def test_texts_do_not_mix_and_enter_is_a_write_of_its_own(tmp_path: Path) -> None:
    with inside(tmp_path, "sh", "-c", RAW) as worker, attached(worker) as client:
        client.wait_text("ready")
        asked = [client.ask("send", text=text, enter=True, ready_ms=0) for text in ("aaa", "bbb")]
        for request_id in asked:
            client.result(request_id)
        client.until(lambda: client.output.endswith(b"aaa\rbbb\r"))
        begins = client.output.index(b"aaa")
        assert bytes(client.output[begins:]) == b"aaa\rbbb\r"


def test_enter_alone_is_typed_once(tmp_path: Path) -> None:
    with inside(tmp_path, "sh", "-c", RAW) as worker, attached(worker) as client:
        client.wait_text("ready")
        assert client.call("send", text="", enter=True, ready_ms=0) == {"written": 1}
        client.call("send", text="end", enter=False, ready_ms=0)
        client.until(lambda: client.output.endswith(b"end"))
        assert client.output.count(b"\r") - client.output.count(b"\r\n") == 1


def test_nothing_is_pasted_before_an_enter_alone(tmp_path: Path) -> None:
    raw = "stty raw -echo; printf '\\033[?2004hready'; exec cat -v"
    with inside(tmp_path, "sh", "-c", raw) as worker, attached(worker) as client:
        client.wait_text("ready")
        assert client.call("send", text="", enter=True, ready_ms=20_000) == {"written": 1}
        client.call("send", text="x", enter=False, ready_ms=0)
        client.wait_text("^M^[[200~x^[[201~")


def test_a_text_is_typed_when_the_terminal_took_all_of_it(tmp_path: Path) -> None:
    raw = "stty raw -echo; printf '\\033[?2004hready'; read -r line < GO; exec head -c 60013 > /dev/null"
    os.mkfifo(tmp_path / "GO")
    with inside(tmp_path, "sh", "-c", raw.replace("GO", str(tmp_path / "GO"))) as worker, attached(worker) as client:
        client.wait_text("ready")
        sent = client.ask("send", text="x" * 60_000, enter=True, ready_ms=0)
        # Nobody reads: the terminal takes some 20 KB, so nothing is answered while others are.
        turn_until(worker, lambda: 0 < worker.host.taken_bytes < worker.host.accepted_bytes, "a full terminal")
        client.call("info")
        assert sent not in client.answers
        with open(tmp_path / "GO", "w") as go:
            go.write("go\n")
        assert client.result(sent) == {"written": 60_013}


def test_a_program_that_does_not_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(methods, "TAKE_MAX_MS", 200)
    with inside(tmp_path, "sh", "-c", "stty raw -echo; printf ready; exec sleep 60") as worker:
        with attached(worker) as client:
            client.wait_text("ready")
            with pytest.raises(Refused, match="does not read") as refused:
                client.call("send", text="x" * 60_000, enter=True, ready_ms=0)
            assert refused.value.code == "not_ready"


def test_too_many_texts_and_texts_nobody_reads_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(methods, "SENDS_MAX", 2)
    monkeypatch.setattr(host_module, "INPUT_MAX_BYTES", 100)
    with inside(tmp_path, "sh", "-c", RAW) as worker, attached(worker) as client:
        client.wait_text("ready")
        asked = [client.ask("send", text="x" * 101, enter=False, ready_ms=0) for _ in range(3)]
        codes = []
        for request_id in (asked[2], asked[0], asked[1]):
            with pytest.raises(Refused) as refused:
                client.result(request_id)
            codes.append(refused.value.code)
        assert codes in (["busy", "input_full", "input_full"], ["input_full"] * 3)


# -- input -----------------------------------------------------------------------------------------------------------


def test_input_is_answered_when_the_terminal_took_all_of_it(tmp_path: Path) -> None:
    with inside(
        tmp_path, "sh", "-c", "stty raw -echo; printf ready; sleep 0.3; exec head -c 200000 >/dev/null"
    ) as worker:
        with attached(worker) as client:
            client.wait_text("ready")
            client.type(b"x" * 200_000, request_id=41)
            client.until(lambda: 41 in client.answers)
            assert client.answers[41]["ok"] == {"written": 200_000}


def test_answers_that_nobody_reads_leave_room_for_a_person(tmp_path: Path) -> None:
    asking = "stty raw -echo; yes \"$(printf '\\033[c')\" | head -c 1000000; printf done; exec sleep 60"
    with inside(tmp_path, "sh", "-c", asking) as worker, attached(worker) as client:
        client.wait_text("done")
        before = worker.host.accepted_bytes
        assert 0 < before < 200_000 and client.call("health")["dropped_inputs"] > 0
        client.type(b"x" * 40_000)
        turn_until(worker, lambda: worker.host.accepted_bytes == before + 40_000, "what was typed")


def test_input_that_nobody_reads_neither_blocks_nor_grows(tmp_path: Path) -> None:
    with inside(tmp_path, "sh", "-c", "stty raw -echo; printf ready; while :; do printf .; sleep 0.02; done") as worker:
        with attached(worker) as client:
            client.wait_text("ready")
            piece = framing.encode(api.INPUT, api.pack_input(0, b"x" * 65536))
            for _ in range(40):
                client.socket.sendall(piece)
                client.pump(1)
            before = len(client.output)
            client.type(b"y" * 65536, request_id=42)
            client.until(lambda: 42 in client.answers)
            assert client.answers[42]["error"]["code"] == "input_full"
            client.until(lambda: len(client.output) > before + 3)
            assert client.call("health")["dropped_inputs"] > 10
