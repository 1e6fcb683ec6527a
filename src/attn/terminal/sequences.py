"""Parts of a terminal's state -> the escape sequences that set them in a fresh terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attn.terminal.snapshot.records import ALTERNATE, MODES, PRIMARY

if TYPE_CHECKING:
    from attn.terminal.snapshot.pages import Link
    from attn.terminal.snapshot.records import ScreenHeader, Snapshot

# (bit of the style flags, SGR parameter), in the order of emission; underline styles stand between the two.
_ATTRIBUTES: Final = ((0, "1"), (2, "2"), (1, "3"))
_MORE_ATTRIBUTES: Final = ((3, "5"), (4, "7"), (5, "8"), (6, "9"), (7, "53"))
_FOREGROUND, _BACKGROUND = 38, 48
_PALETTE_COLOR: Final = 1
_attributes: dict[int, str] = {}  # by flags, of which there are 1536


def sgr(style: bytes) -> str:
    """The sequence that sets exactly this 16-byte style, whatever the pen was."""
    flags = style[12] | style[13] << 8
    parts = _attributes.get(flags)
    if parts is None:
        parts = _attributes[flags] = _attribute_parameters(flags)
    if style[0]:
        parts += _color(style[0], style[1], style[2], style[3], _FOREGROUND)
    if style[4]:
        parts += _color(style[4], style[5], style[6], style[7], _BACKGROUND)
    if style[8]:
        kind, red, green, blue = style[8:12]
        parts += f";58:5:{red}" if kind == _PALETTE_COLOR else f";58:2::{red}:{green}:{blue}"
    return f"\x1b[0{parts}m" if parts else "\x1b[m"


def _attribute_parameters(flags: int) -> str:
    codes = [code for bit, code in _ATTRIBUTES if flags >> bit & 1]
    underline = flags >> 8 & 7
    if underline:
        codes.append("4" if underline == 1 else f"4:{underline}")
    codes += [code for bit, code in _MORE_ATTRIBUTES if flags >> bit & 1]
    return "".join(f";{code}" for code in codes)


def _color(kind: int, red: int, green: int, blue: int, base: int) -> str:
    if kind != _PALETTE_COLOR:
        return f";{base};2;{red};{green};{blue}"
    if red < 8:
        return f";{base - 8 + red}"
    return f";{base + 52 + red - 8}" if red < 16 else f";{base};5;{red}"


def hyperlink(link: Link | None) -> str:
    """OSC 8 that opens the link, or with None closes the open one."""
    if link is None:
        return "\x1b]8;;\x1b\\"
    name = f"id={_decoded(link.id)}" if link.id else ""
    return f"\x1b]8;{name};{_decoded(link.uri)}\x1b\\"


def _decoded(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


_PROTECTION: Final = (('\x1b[1"q', '\x1b[0"q'), ("\x1bV", "\x1bW"), ('\x1b[1"q', '\x1b[0"q'))


def protection(screen: ScreenHeader) -> tuple[str, str]:
    """How the screen's protected cells begin and end: DECSCA, or SPA and EPA, which plain erasing respects too."""
    return _PROTECTION[screen.protected_mode]


# Charset state: two bits for each of G0-G3, then GL, GR and the single shift.
CHARSET_DEFAULT: Final = 0x800
_CHARSET_FINALS: Final = ("", "B", "A", "0")  # UTF-8, ASCII, British, DEC special graphics
_LOCKING_SHIFTS_LEFT: Final = ("", "\x0e", "\x1bn", "\x1bo")
_LOCKING_SHIFTS_RIGHT: Final = ("", "\x1b~", "", "\x1b|")
_SINGLE_SHIFTS: Final = ("", "", "", "\x1bN", "\x1bO")


def charsets(state: int) -> str:
    """Designate and shift as in `state`; empty for the default."""
    if state == CHARSET_DEFAULT:
        return ""
    designations = "".join(
        f"\x1b{slot}{_CHARSET_FINALS[state >> 2 * index & 3]}"
        for index, slot in enumerate("()*+")
        if state >> 2 * index & 3
    )
    return designations + _LOCKING_SHIFTS_RIGHT[state >> 10 & 3] + _LOCKING_SHIFTS_LEFT[state >> 8 & 3]


def reset_charsets(sequence: str) -> str:
    """Undo what `charsets` returned."""
    if not sequence:
        return ""
    right = "\x1b}" if "\x1b~" in sequence or "\x1b|" in sequence else ""
    return right + "\x1b(B\x1b)B\x1b*B\x1b+B\x0f"


def single_shift(state: int) -> str:
    """SS2 or SS3 when the next character alone comes from G2 or G3."""
    number = state >> 12 & 7
    return _SINGLE_SHIFTS[number] if number < len(_SINGLE_SHIFTS) else ""


_KITTY_FLAGS: Final = 31


def kitty_keyboard(header: ScreenHeader) -> str:
    """The screen's stack of kitty keyboard flags."""
    flags = [raw & _KITTY_FLAGS for raw in header.kitty_flags[: header.kitty_index + 1]]
    base = f"\x1b[={flags[0]};1u" if flags[0] else ""
    return base + "".join(f"\x1b[>{flag}u" for flag in flags[1:])


_CURSOR_SHAPES: Final = (5, 1, 3, 1)  # bar, block, underline, hollow block


def cursor_style(snapshot: Snapshot, style: int) -> str:
    """DECSCUSR, empty while the terminal's own default holds."""
    if snapshot.header.cursor_is_default:
        return ""
    return f"\x1b[{_CURSOR_SHAPES[style] + (0 if snapshot.mode(12) else 1)} q"


def tab_stops(snapshot: Snapshot) -> str:
    """Tab stops, unless they are every eight columns. Moves the cursor."""
    if snapshot.tab_stops == list(range(8, snapshot.header.cols - 1, 8)):
        return ""
    return "\x1b[3g" + "".join(f"\x1b[{col + 1}G\x1bH" for col in snapshot.tab_stops)


def texts_and_colors(snapshot: Snapshot) -> str:
    """Title, directory, and the colours that the program changed."""
    header, parts = snapshot.header, []
    if snapshot.title:
        parts.append(f"\x1b]2;{_decoded(snapshot.title)}\x1b\\")
    if snapshot.directory:
        parts.append(f"\x1b]7;{_decoded(snapshot.directory)}\x1b\\")
    parts += [f"\x1b]4;{index};{_rgb(color)}\x1b\\" for index, color in snapshot.palette_overrides.items()]
    dynamic = ((10, header.foreground), (11, header.background), (12, header.cursor_color))
    parts += [f"\x1b]{number};{_rgb(color[5:8])}\x1b\\" for number, color in dynamic if color[4]]
    return "".join(parts)


def _rgb(color: bytes) -> str:
    return "rgb:{:02x}/{:02x}/{:02x}".format(*color)


_MOUSE_EVENTS: Final = {1: 9, 2: 1000, 3: 1002, 4: 1003}
_MOUSE_FORMATS: Final = {1: 1005, 2: 1006, 3: 1015, 4: 1016}
_TEXT_SHAPE: Final = 8
_SHAPE_NAMES: Final = (
    "default context-menu help pointer progress wait cell crosshair text vertical-text alias copy move no-drop "
    "not-allowed grab grabbing all-scroll col-resize row-resize n-resize e-resize s-resize w-resize ne-resize "
    "nw-resize se-resize sw-resize ew-resize ns-resize nesw-resize nwse-resize zoom-in zoom-out"
)
_MOUSE_SHAPES: Final = tuple(_SHAPE_NAMES.split())


def mouse(snapshot: Snapshot) -> str:
    """Tracking, encoding, shift capture and pointer shape."""
    header = snapshot.header
    parts = [
        _exclusive(snapshot, _MOUSE_EVENTS, header.mouse_event),
        _exclusive(snapshot, _MOUSE_FORMATS, header.mouse_format),
    ]
    if header.mouse_shift_capture:
        parts.append(f"\x1b[>{header.mouse_shift_capture - 1}s")
    if header.mouse_shape not in (0, _TEXT_SHAPE):
        parts.append(f"\x1b]22;{_MOUSE_SHAPES[header.mouse_shape]}\x1b\\")
    return "".join(parts)


def _exclusive(snapshot: Snapshot, numbers: dict[int, int], current: int) -> str:
    """Modes of which each keeps its own flag, while only the one set last is in force."""
    parts = [f"\x1b[?{number}h" for value, number in numbers.items() if value != current and snapshot.mode(number)]
    if current:
        parts.append(f"\x1b[?{numbers[current]}h")
    elif parts:  # flags are set, but a later reset of another mode switched all of them off
        unset = [number for number in numbers.values() if not snapshot.mode(number)]
        parts += [f"\x1b[?{unset[0]}h\x1b[?{unset[0]}l"] if unset else []
    return "".join(parts)


_SCREEN_MODES: Final = (1049, 1047, 47)


def alternate_entry(snapshot: Snapshot) -> int:
    """The mode by which the alternate screen, shown now, was entered: 1049, 1047 or 47."""
    primary = snapshot.screens[PRIMARY]
    header, saved = primary.header, primary.saved_cursor
    entries = [number for number in _SCREEN_MODES if snapshot.mode(number)]
    # 1049 saves the cursor on its way, so the primary screen's cursor stands where it was saved.
    if len(entries) > 1 and (not saved or (saved.row, saved.col, saved.pen) != (header.row, header.col, header.pen)):
        entries = [number for number in entries if number != 1049]
    return entries[0] if entries else 47


def left_over_screen_modes(snapshot: Snapshot) -> str:
    """Screen modes that are still set although another one of them switched the screen since. For a fresh terminal."""
    entered_by = alternate_entry(snapshot) if snapshot.header.active_screen == ALTERNATE else 0
    left_over = [number for number in _SCREEN_MODES if number != entered_by and snapshot.mode(number)]
    back_by = next((number for number in (47, 1047, 1049) if number not in left_over), 0)
    if not left_over or not back_by:
        return ""
    return "".join(f"\x1b[?{number}h" for number in left_over) + f"\x1b[?{back_by}l"


# Modes that have their own place in the order of emission, or none: screens (47 1047 1048 1049), origin and margins
# (6 69), widths (3 2027), insert (4), mouse. Synchronized output (2026) is left out on purpose: a client that is told
# to hold its frame shows nothing until the program's next one, and the snapshot is a whole frame by itself.
_PLACED_MODES: Final = frozenset(
    {(4, True)}
    | {(number, False) for number in (3, 6, 9, 47, 69, 1000, 1002, 1003, 1005, 1006, 1015, 1016)}
    | {(number, False) for number in (1047, 1048, 1049, 2026, 2027, 5522)}
)
# The application keypad, 66, by the sequences that every terminal knows: tmux does not know the number.
_SET_BY: Final = {"\x1b[?66h": "\x1b=", "\x1b[?66l": "\x1b>"}


def modes(snapshot: Snapshot) -> str:
    """Modes that differ from their default, and before them those that XTSAVE keeps."""
    header, parts = snapshot.header, []
    changed, saved = header.modes ^ header.default_modes, header.saved_modes ^ header.default_modes
    for bit, mode in enumerate(MODES):
        number, ansi = mode
        if mode in _PLACED_MODES or ansi or not saved >> bit & 1:
            continue
        parts.append(f"\x1b[?{number}{_switch(header.saved_modes, bit)}\x1b[?{number}s")
        if not changed >> bit & 1:
            parts.append(f"\x1b[?{number}{_switch(header.modes, bit)}")
    for bit, mode in enumerate(MODES):
        number, ansi = mode
        if mode not in _PLACED_MODES and changed >> bit & 1:
            sequence = f"\x1b[{'' if ansi else '?'}{number}{_switch(header.modes, bit)}"
            parts.append(_SET_BY.get(sequence, sequence))
    return "".join(parts)


def _switch(bits: int, bit: int) -> str:
    return "h" if bits >> bit & 1 else "l"


def margins(snapshot: Snapshot) -> str:
    """Scroll region, left and right margins, origin mode. Moves the cursor to the home position."""
    header, parts = snapshot.header, []
    if header.margin_top or header.margin_bottom != header.rows - 1:
        parts.append(f"\x1b[{header.margin_top + 1};{header.margin_bottom + 1}r")
    if snapshot.mode(69):
        parts.append("\x1b[?69h")
        if header.margin_left or header.margin_right != header.cols - 1:
            parts.append(f"\x1b[{header.margin_left + 1};{header.margin_right + 1}s")
    if snapshot.mode(6):
        parts.append("\x1b[?6h")
    return "".join(parts)
