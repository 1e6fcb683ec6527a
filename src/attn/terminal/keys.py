"""What a person types or pastes -> the bytes for the program."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from attn.terminal.binding import KeyEncoder

ACTIONS: Final = {"release": 0, "press": 1, "repeat": 2}  # GhosttyKeyAction

# KeyboardEvent.code values in the order of libghostty's GhosttyKey, so that the position is its number.
_CODE_NAMES: Final = (
    "Unidentified Backquote Backslash BracketLeft BracketRight Comma Digit0 Digit1 Digit2 Digit3 Digit4 Digit5 "
    "Digit6 Digit7 Digit8 Digit9 Equal IntlBackslash IntlRo IntlYen KeyA KeyB KeyC KeyD KeyE KeyF KeyG KeyH KeyI "
    "KeyJ KeyK KeyL KeyM KeyN KeyO KeyP KeyQ KeyR KeyS KeyT KeyU KeyV KeyW KeyX KeyY KeyZ Minus Period Quote "
    "Semicolon Slash AltLeft AltRight Backspace CapsLock ContextMenu ControlLeft ControlRight Enter MetaLeft "
    "MetaRight ShiftLeft ShiftRight Space Tab Convert KanaMode NonConvert Delete End Help Home Insert PageDown "
    "PageUp ArrowDown ArrowLeft ArrowRight ArrowUp NumLock Numpad0 Numpad1 Numpad2 Numpad3 Numpad4 Numpad5 Numpad6 "
    "Numpad7 Numpad8 Numpad9 NumpadAdd NumpadBackspace NumpadClear NumpadClearEntry NumpadComma NumpadDecimal "
    "NumpadDivide NumpadEnter NumpadEqual NumpadMemoryAdd NumpadMemoryClear NumpadMemoryRecall NumpadMemoryStore "
    "NumpadMemorySubtract NumpadMultiply NumpadParenLeft NumpadParenRight NumpadSubtract NumpadSeparator NumpadUp "
    "NumpadDown NumpadRight NumpadLeft NumpadBegin NumpadHome NumpadEnd NumpadInsert NumpadDelete NumpadPageUp "
    "NumpadPageDown Escape F1 F2 F3 F4 F5 F6 F7 F8 F9 F10 F11 F12 F13 F14 F15 F16 F17 F18 F19 F20 F21 F22 F23 F24 "
    "F25 Fn FnLock PrintScreen ScrollLock Pause"
)
CODES: Final = tuple(_CODE_NAMES.split())
_NUMBERS: Final = {code: number for number, code in enumerate(CODES)}

# A key without a usable `code` (on-screen keyboards, tests, remote desktops) is found by its `key` value instead.
_BY_KEY: Final = {" ": "Space", "Control": "ControlLeft", "Shift": "ShiftLeft", "Alt": "AltLeft", "Meta": "MetaLeft"}

# What a code types without Shift on a US layout; only asked when Shift hides what the key itself would type.
_UNSHIFTED: Final = dict(
    [(f"Key{letter}", letter.lower()) for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"],
    **{f"Digit{digit}": digit for digit in "0123456789"},
    Backquote="`",
    Backslash="\\",
    BracketLeft="[",
    BracketRight="]",
    Comma=",",
    Equal="=",
    Minus="-",
    Period=".",
    Quote="'",
    Semicolon=";",
    Slash="/",
    Space=" ",
)

_SHIFT, _ALT, _CTRL, _SUPER = 1, 2, 4, 8  # bits of client_api's `mods`
_GHOSTTY_MODS: Final = ((_SHIFT, 1), (_CTRL, 2), (_ALT, 4), (_SUPER, 8))

_UNSAFE: Final = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_NEWLINE: Final = re.compile("\r\n?|\n")


def encode_key(encoder: KeyEncoder, event: Mapping[str, object]) -> bytes:
    """One key event, fields as in `client_api`'s KeyEvent, in the encoding that the program's modes ask for.

    Raises ValueError for an unknown action or a field of the wrong type.
    """
    action, key, code = (_text(event, field) for field in ("action", "key", "code"))
    mods = event.get("mods", 0)
    if action not in ACTIONS or not isinstance(mods, int):
        raise ValueError(f"not a key event: {event!r}")
    text = _text(event, "text") or (key if _printable(key) else "")
    number = _NUMBERS.get(code) or _NUMBERS.get(_BY_KEY.get(key, key), 0)
    consumed = _SHIFT if mods & _SHIFT and _printable(text) and text != " " else 0
    return encoder.encode(
        ACTIONS[action],
        number,
        mods=sum(bit for flag, bit in _GHOSTTY_MODS if mods & flag),
        consumed=consumed,
        text=text.encode("utf-8", "replace") if action != "release" else b"",
        unshifted=_unshifted(key, code, mods),
    )


def _text(event: Mapping[str, object], field: str) -> str:
    value = event.get(field, "")
    if not isinstance(value, str):
        raise ValueError(f"not a key event: {event!r}")
    return value


def _printable(text: str) -> bool:
    return len(text) == 1 and text.isprintable()


def _unshifted(key: str, code: str, mods: int) -> int:
    """The code point that the key types without modifiers, 0 when it types none."""
    hidden = mods & _SHIFT or (mods & _ALT and not key.isascii())
    typed = _UNSHIFTED.get(code, key) if hidden else key
    return ord(typed.lower()) if _printable(typed) and len(typed.lower()) == 1 else 0


def encode_paste(text: str, *, bracketed: bool) -> bytes:
    """Pasted text as the program wants it. Control characters that could act as keys or end the paste are dropped
    (C0 but tab and newline, DEL, C1); newlines are CR without brackets, as typed, and LF within them."""
    clean = _UNSAFE.sub("", _NEWLINE.sub("\n" if bracketed else "\r", text)).encode("utf-8", "replace")
    return b"\x1b[200~" + clean + b"\x1b[201~" if bracketed else clean
