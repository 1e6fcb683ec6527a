"""The binding against what the pinned pyghostty declares, and the cost of importing it."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from attn.terminal import binding
from attn.terminal._ghostty_abi import ffi
from tests.source_tree import ROOT


class Recorder:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.said: list[object] = []

    def reply(self, data: bytes) -> None:
        self.said.append(data)

    def bell(self) -> None:
        self.said.append("bell")

    def title_changed(self) -> None:
        self.said.append("title")

    def directory_changed(self) -> None:
        self.said.append("directory")

    def clipboard(self, text: str) -> None:
        self.said.append(("clipboard", text))

    def size(self) -> tuple[int, int, int, int]:
        return 24, 80, 9, 18

    def dark(self) -> bool:
        return False


@pytest.fixture(scope="module")
def declarations() -> str:
    """pyghostty's own complete declarations."""
    spec = importlib.util.find_spec("pyghostty")
    assert spec is not None and spec.origin is not None
    text = (Path(spec.origin).parent / "_cdef.py").read_text()
    return re.sub(r"\s+", " ", text)


def _enumerators(declarations: str) -> dict[str, int]:
    values: dict[str, int] = {}
    for body in re.findall(r"typedef enum \{([^}]*)\}", declarations):
        following = 0
        for entry in filter(None, (part.strip() for part in body.split(","))):
            name, _equals, value = entry.partition("=")
            following = int(value, 0) if value else following
            values[name.strip()] = following
            following += 1
    return values


def test_every_number_is_the_one_that_the_library_declares(declarations: str) -> None:
    declared = _enumerators(declarations)
    prefixes = {"OPT": "TERMINAL_OPT", "DATA": "TERMINAL_DATA"}
    for name, value in vars(binding).items():
        if name.isupper() and type(value) is int and not name.startswith("_"):
            first, _underscore, rest = name.partition("_")
            assert declared[f"GHOSTTY_{prefixes.get(first, first)}_{rest}"] == value, name


def test_structures_have_the_declared_layout() -> None:
    code = (
        "from pyghostty._ffi import ffi; import sys\n"
        "for name in sys.argv[1:]: print(name, ffi.sizeof(name), *[f.offset for _, f in ffi.typeof(name).fields])"
    )
    names = [name for name in ffi.list_types()[0] if ffi.typeof(name).kind == "struct"]
    ours = []
    for name in names:
        offsets = [field.offset for _name, field in ffi.typeof(name).fields]
        ours.append(" ".join(map(str, (name, ffi.sizeof(name), *offsets))))
    names[names.index("GhosttyPointValue")] = "GhosttyPointValueS"  # a union; this is pyghostty's own stand-in for it
    run = subprocess.run([sys.executable, "-c", code, *names], capture_output=True, text=True, check=True, timeout=60)
    theirs = run.stdout.replace("GhosttyPointValueS", "GhosttyPointValue").splitlines()
    assert ours == theirs


def test_the_declarations_module_is_what_its_generator_writes(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("build_ghostty_abi", ROOT / "tools" / "build_ghostty_abi.py")
    assert spec is not None and spec.loader is not None
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    generator.build(tmp_path / "abi.py")
    assert (tmp_path / "abi.py").read_text() == generator.TARGET.read_text()


def test_importing_costs_neither_pyghostty_nor_cffi() -> None:
    code = (
        "import sys, attn.terminal.emulator; print([m for m in ('pyghostty', 'cffi', 'pathlib') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.strip() == "[]"


def test_the_library_tells_its_version() -> None:
    assert re.match(r"\d+\.\d+", binding.version())


def test_a_terminal_reports_to_its_listener() -> None:
    listener = Recorder()
    terminal = binding.Terminal(24, 80, listener)
    terminal.feed(b"\x07\x1b]2;t\x07\x1b]7;file:///d\x07\x1b]52;c;aGk=\x07\x1b[16t\x1b[?996n\x1b[>q")
    assert listener.said == [
        *("bell", "title", "directory", ("clipboard", "hi")),
        *(b"\x1b[6;18;9t", b"\x1b[?997;2n", b"\x1bP>|attn\x1b\\"),
    ]


def test_a_frame_snapshot_ends_at_ready_and_a_whole_one_goes_on() -> None:
    terminal = binding.Terminal(4, 40, Recorder())
    terminal.set_unlimited(binding.OPT_SCROLLBACK_MAX_LINES)
    terminal.set_bytes(binding.OPT_SCROLLBACK_MAX_BYTES, 1 << 20)
    terminal.feed(b"line\r\n" * 3000)
    frame, whole = terminal.snapshot(0), terminal.snapshot(1 << 20)
    assert whole.startswith(frame)
    assert len(whole) > 3000 * len("line")
    assert len(frame) < len(whole) / 2


def test_a_failing_call_names_itself() -> None:
    with pytest.raises(binding.LibraryError, match="terminal_new"):
        binding.Terminal(0, 0, Recorder())


def test_closing_twice_is_harmless() -> None:
    terminal = binding.Terminal(4, 40, Recorder())
    terminal.close()
    terminal.close()


def test_width_of_code_points() -> None:
    assert [binding.codepoint_width(ord(char)) for char in "a漢\u0301"] == [1, 2, 0]
