"""libghostty-vt, the terminal core of Ghostty, behind a few typed methods: the only module that touches pyghostty.

Of pyghostty only the shared library is used, through the declarations in `_ghostty_abi`; importing the package itself
would parse all declarations again (180 ms and 9 MB for every worker). Numbers of options and data below are those of
the pinned version; tests/terminal/test_binding.py compares them with what it declares.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, Protocol

from attn.terminal._ghostty_abi import ffi

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# What XTGETTCAP answers for TN: the TERM that every program in a session gets.
TERMINFO_NAME: Final = b"xterm-256color"

# GhosttyTerminalOption
OPT_WRITE_PTY: Final = 1
OPT_BELL: Final = 2
OPT_XTVERSION: Final = 4
OPT_TITLE_CHANGED: Final = 5
OPT_SIZE: Final = 6
OPT_COLOR_SCHEME: Final = 7
OPT_COLOR_FOREGROUND: Final = 11
OPT_COLOR_BACKGROUND: Final = 12
OPT_COLOR_CURSOR: Final = 13
OPT_COLOR_PALETTE: Final = 14
OPT_KITTY_IMAGE_STORAGE_LIMIT: Final = 15
OPT_PWD_CHANGED: Final = 25
OPT_CLIPBOARD_WRITE: Final = 26
OPT_SCROLLBACK_MAX_BYTES: Final = 27
OPT_SCROLLBACK_MAX_LINES: Final = 28
OPT_CONTINUATION_MAX_BYTES: Final = 31
OPT_TERMINFO_NAME: Final = 37
OPT_CLIPBOARD_WRITE_MAX_BYTES: Final = 39

# GhosttyTerminalData
DATA_COLS: Final = 1
DATA_CURSOR_X: Final = 3
DATA_CURSOR_Y: Final = 4
DATA_ACTIVE_SCREEN: Final = 6
DATA_CURSOR_VISIBLE: Final = 7
DATA_KITTY_KEYBOARD_FLAGS: Final = 8
DATA_TITLE: Final = 12
DATA_PWD: Final = 13
DATA_COLOR_PALETTE_DEFAULT: Final = 25
DATA_SCROLLBACK_ROWS: Final = 15
DATA_MODE: Final = 37
DATA_VT_GROUND: Final = 38

COLOR_SCHEME_LIGHT: Final = 0
COLOR_SCHEME_DARK: Final = 1
CLIPBOARD_WRITE_RESULT_SUCCESS: Final = 0
BUILD_INFO_VERSION_STRING: Final = 5
POINT_TAG_ACTIVE: Final = 0
CELL_DATA_WIDE: Final = 3
CELL_WIDE_WIDE: Final = 1
FORMATTER_FORMAT_VT: Final = 1
TERMINAL_COMPRESSION_MODE_INCREMENTAL: Final = 0
TERMINAL_COMPRESSION_RESULT_PENDING: Final = 1

_READY_TAG: Final = 5
_SNAPSHOT_ENVELOPE_BYTES: Final = 10
_RECORD_HEADER_BYTES: Final = 10
_KEY_BUFFER_BYTES: Final = 128


class LibraryError(Exception):
    """libghostty-vt is missing, or one of its calls failed; the message names the call and the result code."""


class Listener(Protocol):
    """What the terminal tells and asks while it parses. An implementation must not call the same terminal."""

    def reply(self, data: bytes) -> None: ...
    def bell(self) -> None: ...
    def title_changed(self) -> None: ...
    def directory_changed(self) -> None: ...
    def clipboard(self, text: str) -> None: ...
    def size(self) -> tuple[int, int, int, int]:
        """rows, cols, cell width and cell height in pixels"""
        ...

    def dark(self) -> bool: ...


def _open_library() -> Any:
    spec = find_spec("pyghostty")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for suffix in ("so", "dylib"):
            try:
                return ffi.dlopen(f"{folder}/_lib/libghostty-vt.{suffix}")
            except OSError as error:
                failure = str(error)
        raise LibraryError(f"libghostty-vt does not load: {failure}")
    raise LibraryError("pyghostty is not installed")


_library: Any = None


def load() -> Any:
    """The loaded library, opened at the first call. Raises LibraryError when there is none for this machine."""
    global _library  # noqa: PLW0603 one library per process
    if _library is None:
        _library = _open_library()
    return _library


def version() -> str:
    """The library's own version. Raises LibraryError when it does not load."""
    out = ffi.new("GhosttyString*")
    _check(load().ghostty_build_info(BUILD_INFO_VERSION_STRING, out), "build_info")
    return _string(out[0]).decode()


def codepoint_width(codepoint: int) -> int:
    """Cells that one code point takes on its own: 0, 1 or 2."""
    return int(load().ghostty_unicode_codepoint_width(codepoint))


def _check(result: int, call: str) -> None:
    if result:
        raise LibraryError(f"ghostty_{call} failed: {result}")


def _string(value: Any) -> bytes:
    return bytes(ffi.buffer(value.ptr, value.len)) if value.len else b""


class Terminal:
    """One native terminal. Not thread-safe; `close` frees it, as does the end of the object."""

    def __init__(self, rows: int, cols: int, listener: Listener) -> None:
        self._lib = load()
        out = ffi.new("GhosttyTerminal*")
        _check(self._lib.ghostty_terminal_new(ffi.NULL, out, cols, rows), "terminal_new")
        self._handle = out[0]
        self._write, self._read = self._lib.ghostty_terminal_vt_write, self._lib.ghostty_terminal_get
        self._cols = ffi.new("uint16_t*", cols)
        self._palette: bytes | None = None  # the library's own, once it is another one
        self._keep: list[Any] = []  # the library stores bare pointers: callbacks must live as long as the terminal
        self._listen(listener)

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Free the terminal; nothing else may be called afterwards."""
        handle, self._handle = getattr(self, "_handle", None), None
        if handle is not None:
            self._lib.ghostty_terminal_free(handle)
            self._keep.clear()

    def _listen(self, listener: Listener) -> None:
        def clipboard(_terminal: Any, _data: Any, write: Any) -> None:
            texts = [_string(write.contents[index].data) for index in range(write.contents_len)]
            listener.clipboard(b"".join(texts).decode("utf-8", "replace"))
            reply = ffi.new("GhosttyClipboardWriteReply*", {"result": CLIPBOARD_WRITE_RESULT_SUCCESS})
            reply.size = ffi.sizeof("GhosttyClipboardWriteReply")
            if write.reply != ffi.NULL:
                write.reply(write, reply)

        def size(_terminal: Any, _data: Any, out: Any) -> bool:
            out.rows, out.columns, out.cell_width, out.cell_height = listener.size()
            return True

        def scheme(_terminal: Any, _data: Any, out: Any) -> bool:
            out[0] = COLOR_SCHEME_DARK if listener.dark() else COLOR_SCHEME_LIGHT
            return True

        name = ffi.new("char[]", b"attn")
        identity = ffi.new("GhosttyString*", {"ptr": ffi.cast("uint8_t*", name), "len": 4})
        self._keep += [name, identity]
        self._set_string(OPT_TERMINFO_NAME, TERMINFO_NAME)
        callbacks: tuple[tuple[int, str, Callable[..., object]], ...] = (
            (OPT_WRITE_PTY, "WritePty", lambda _t, _u, data, size: listener.reply(bytes(ffi.buffer(data, size)))),
            (OPT_BELL, "Bell", lambda _t, _u: listener.bell()),
            (OPT_TITLE_CHANGED, "TitleChanged", lambda _t, _u: listener.title_changed()),
            (OPT_PWD_CHANGED, "PwdChanged", lambda _t, _u: listener.directory_changed()),
            (OPT_XTVERSION, "Xtversion", lambda _t, _u: identity[0]),
            (OPT_SIZE, "Size", size),
            (OPT_COLOR_SCHEME, "ColorScheme", scheme),
            (OPT_CLIPBOARD_WRITE, "ClipboardWrite", clipboard),
        )
        for option, kind, function in callbacks:
            callback = ffi.callback(f"GhosttyTerminal{kind}Fn", function)
            self._keep.append(callback)
            self._set(option, callback)

    def _set(self, option: int, value: Any) -> None:
        _check(self._lib.ghostty_terminal_set(self._handle, option, value), f"terminal_set {option}")

    def _set_string(self, option: int, value: bytes) -> None:
        text = ffi.new("char[]", value)
        self._keep.append(text)
        self._set(option, ffi.new("GhosttyString*", {"ptr": ffi.cast("uint8_t*", text), "len": len(value)}))

    def set_bytes(self, option: int, value: int) -> None:
        """Set an option that is a size in bytes."""
        self._set(option, ffi.new("size_t*", value))

    def set_unlimited(self, option: int) -> None:
        """Remove a limit."""
        self._set(option, ffi.NULL)

    def set_color(self, option: int, rgb: tuple[int, int, int]) -> None:
        """Set one of the terminal's default colours."""
        self._set(option, ffi.new("GhosttyColorRgb*", rgb))

    def set_palette(self, colors: Sequence[tuple[int, int, int]]) -> None:
        """Set the first entries of the default palette; the others, all if there are none, are the library's own."""
        if self._palette is None:
            palette = ffi.new("GhosttyColorRgb[256]")
            _check(
                self._lib.ghostty_terminal_get(self._handle, DATA_COLOR_PALETTE_DEFAULT, palette),
                "terminal_get palette",
            )
            self._palette = bytes(ffi.buffer(palette))
        entries = ffi.new("GhosttyColorRgb[256]")
        ffi.buffer(entries)[:] = b"".join(map(bytes, colors)) + self._palette[3 * len(colors) :]
        self._set(OPT_COLOR_PALETTE, entries)

    def _get(self, data: int, ctype: str) -> Any:
        out = ffi.new(ctype)
        _check(self._lib.ghostty_terminal_get(self._handle, data, out), f"terminal_get {data}")
        return out[0]

    def number(self, data: int, ctype: str = "uint16_t*") -> int:
        """A numeric fact about the terminal; `ctype` is a pointer to its C type."""
        return int(self._get(data, ctype))

    def flag(self, data: int) -> bool:
        """A yes/no fact about the terminal."""
        return bool(self._get(data, "bool*"))

    def string(self, data: int) -> bytes:
        """A text about the terminal, as the program sent it."""
        return _string(self._get(data, "GhosttyString*"))

    def mode(self, number: int, *, ansi: bool = False) -> bool:
        """Whether a DEC private mode (or with `ansi` an ANSI mode) is set."""
        out = ffi.new("GhosttyTerminalModeConfig*", {"mode": number | ansi << 15})
        _check(self._lib.ghostty_terminal_get(self._handle, DATA_MODE, out), f"terminal_get mode {number}")
        return bool(out.value)

    def feed(self, data: bytes) -> int:
        """Parse what the program wrote. -> the columns of the grid, which a program can change (DECCOLM)"""
        self._write(self._handle, data, len(data))
        self._read(self._handle, DATA_COLS, self._cols)
        return int(self._cols[0])

    def resize(self, rows: int, cols: int, cell_width_px: int, cell_height_px: int) -> None:
        """Change the grid; the primary screen reflows, the alternate one is cropped or padded."""
        _check(
            self._lib.ghostty_terminal_resize(self._handle, cols, rows, cell_width_px, cell_height_px),
            "terminal_resize",
        )

    def compress(self) -> bool:
        """Compress the next page of the scrollback; reading it costs more from then on. -> whether there are more"""
        state = ffi.new("int*")
        compress = self._lib.ghostty_terminal_compress
        _check(compress(self._handle, TERMINAL_COMPRESSION_MODE_INCREMENTAL, state), "terminal_compress")
        return bool(state[0] == TERMINAL_COMPRESSION_RESULT_PENDING)

    def _allocated(self, call: str, function: Callable[[Any, Any], int]) -> bytes:
        pointer, size = ffi.new("uint8_t**"), ffi.new("size_t*")
        _check(function(pointer, size), call)
        try:
            return bytes(ffi.buffer(pointer[0], size[0])) if size[0] else b""
        finally:
            self._lib.ghostty_free(ffi.NULL, pointer[0], size[0])

    def continuation(self) -> bytes:
        """The bytes of the sequence or character that is not finished yet."""
        encode = self._lib.ghostty_terminal_continuation_alloc
        return self._allocated("continuation", lambda out, size: int(encode(self._handle, ffi.NULL, out, size)))

    def snapshot(self, history_bytes: int) -> bytearray:
        """The whole state as the library's binary snapshot, with the newest history until that takes `history_bytes`.

        Without any it takes 0.1-0.4 ms, and 0.5 ms for each MB more. Raises LibraryError when the library refuses.
        """
        sink = bytearray()  # the library's own buffer would have to be copied as a whole
        records = _Records(sink)

        def write(_data: Any, data: Any, size: int) -> bool:
            sink.extend(ffi.buffer(data, size))
            return not records.hold(history_bytes)

        callback = ffi.callback("GhosttyWriterFn", write)
        writer = ffi.new("GhosttyWriter*", {"write": callback, "userdata": ffi.NULL})
        result = int(self._lib.ghostty_snapshot_encode(self._handle, writer[0]))
        if not records.hold(history_bytes):
            _check(result, "snapshot_encode")
        del sink[records.end :]
        return sink

    def formatted(self) -> bytes:
        """The active screen and its history as VT bytes by the library's formatter: poorer than a snapshot."""
        options = ffi.new("GhosttyFormatterTerminalOptions*")
        options.size = ffi.sizeof("GhosttyFormatterTerminalOptions")
        options.emit = FORMATTER_FORMAT_VT
        options.unwrap = True
        extra = options.extra
        extra.size = ffi.sizeof("GhosttyFormatterTerminalExtra")
        extra.modes = extra.scrolling_region = extra.tabstops = extra.pwd = extra.keyboard = True
        screen = extra.screen
        screen.size = ffi.sizeof("GhosttyFormatterScreenExtra")
        screen.cursor = screen.style = screen.hyperlink = screen.protection = True
        screen.kitty_keyboard = screen.charsets = True
        formatter = ffi.new("GhosttyFormatter*")
        _check(self._lib.ghostty_formatter_terminal_new(ffi.NULL, formatter, self._handle, options[0]), "formatter_new")
        try:
            write = self._lib.ghostty_formatter_format_alloc
            return self._allocated("formatter", lambda out, size: int(write(formatter[0], ffi.NULL, out, size)))
        finally:
            self._lib.ghostty_formatter_free(formatter[0])

    def wide_at(self, row: int, col: int) -> bool:
        """Whether the cell of the visible screen is the first half of a wide character."""
        point = ffi.new("GhosttyPoint*", {"tag": POINT_TAG_ACTIVE, "value": {"x": col, "y": row}})
        place = ffi.new("GhosttyGridRef*", {"size": ffi.sizeof("GhosttyGridRef")})
        cell, wide = ffi.new("uint64_t*"), ffi.new("int*")
        _check(self._lib.ghostty_terminal_grid_ref(self._handle, point[0], place), "terminal_grid_ref")
        _check(self._lib.ghostty_grid_ref_cell(place, cell), "grid_ref_cell")
        _check(self._lib.ghostty_cell_get(cell[0], CELL_DATA_WIDE, wide), "cell_get")
        return bool(wide[0] == CELL_WIDE_WIDE)

    def key_encoder(self) -> KeyEncoder:
        """An encoder for keys pressed in this terminal; it must not be used after `close`."""
        return KeyEncoder(self._lib, self._handle)


class _Records:
    """The records in a binary snapshot that is still being written to `sink`."""

    def __init__(self, sink: bytearray) -> None:
        self._sink = sink
        self._ready_at: int | None = None
        self.end = _SNAPSHOT_ENVELOPE_BYTES  # of the last whole one

    def hold(self, history_bytes: int) -> bool:
        """Whether all state is there, and behind it at least so much history."""
        sink = self._sink
        while self.end + _RECORD_HEADER_BYTES <= len(sink):
            end = self.end + _RECORD_HEADER_BYTES + int.from_bytes(sink[self.end + 2 : self.end + 6], "little")
            if end > len(sink):
                break
            if sink[self.end] == _READY_TAG:
                self._ready_at = end
            self.end = end
        return self._ready_at is not None and self.end - self._ready_at >= history_bytes


class KeyEncoder:
    """Keys to the bytes that the program's keyboard modes ask for."""

    def __init__(self, lib: Any, handle: Any) -> None:
        self._lib = lib
        self._terminal = handle
        encoder, event = ffi.new("GhosttyKeyEncoder*"), ffi.new("GhosttyKeyEvent*")
        _check(lib.ghostty_key_encoder_new(ffi.NULL, encoder), "key_encoder_new")
        _check(lib.ghostty_key_event_new(ffi.NULL, event), "key_event_new")
        self._encoder = ffi.gc(encoder[0], lib.ghostty_key_encoder_free)
        self._event = ffi.gc(event[0], lib.ghostty_key_event_free)

    def encode(self, action: int, key: int, *, mods: int, consumed: int, text: bytes, unshifted: int) -> bytes:
        """One key event in the library's numbers -> bytes; empty when the modes give it none."""
        lib, event = self._lib, self._event
        lib.ghostty_key_event_set_action(event, action)
        lib.ghostty_key_event_set_key(event, key)
        lib.ghostty_key_event_set_mods(event, mods)
        lib.ghostty_key_event_set_consumed_mods(event, consumed)
        lib.ghostty_key_event_set_unshifted_codepoint(event, unshifted)
        borrowed = ffi.new("char[]", text)  # the event keeps the pointer, so this must live until the end
        lib.ghostty_key_event_set_utf8(event, borrowed, len(text))
        lib.ghostty_key_encoder_setopt_from_terminal(self._encoder, self._terminal)
        out, size = ffi.new("char[]", _KEY_BUFFER_BYTES + len(text)), ffi.new("size_t*")
        _check(lib.ghostty_key_encoder_encode(self._encoder, event, out, len(out), size), "key_encoder_encode")
        return bytes(ffi.buffer(out, size[0]))
