"""`config.toml`: every key, its default and its meaning in one table, and the reader that refuses anything else."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, Final

from attn.errors import AttnError
from attn.paths import DEFAULT_PORT, Home

_DETACH_KEY: Final = re.compile(r"ctrl-([a-z@\[\]\\^_])", re.ASCII)


def _key(
    default: Any,
    doc: str,
    *,
    minimum: int | None = None,
    maximum: int | None = None,
    choices: tuple[str, ...] = (),
    pattern: re.Pattern[str] | None = None,
    unset: str = "",
) -> Any:
    metadata = {
        "doc": doc,
        "minimum": minimum,
        "maximum": maximum,
        "choices": choices,
        "pattern": pattern,
        "unset": unset,
    }
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Config:
    """The user's settings. A field is a key of `config.toml`; docs/config.md is generated from here."""

    port: int | None = _key(
        None,
        "TCP port of the page on 127.0.0.1. It never moves by itself: a taken port is an error. "
        "The environment variable `ATTN_PORT` wins over this key.",
        minimum=1,
        maximum=65535,
        unset=f"{DEFAULT_PORT} in the default home; any other home picks a free port once and keeps it in `port`",
    )
    scrollback_lines: int = _key(
        10_000,
        "Lines of history that each new session keeps behind its screen. A client that attaches gets the newest "
        "10 MiB of it, which is 10,000 lines of 120 cells with a style each, or ten times as many plain ones.",
        minimum=0,
        maximum=1_000_000,
    )
    detach_key: str = _key(
        "ctrl-\\",
        "The key that, pressed twice within half a second, leaves `attn attach`. Written `ctrl-` and a letter or "
        "one of `@ [ ] \\ ^ _`.",
        pattern=_DETACH_KEY,
    )
    persist_screen: bool = _key(
        True,
        "Keep the last screen of each session on disk, so that it can be shown after its program is gone. "
        "Screens may hold secrets; `attn rm` erases one, `false` writes none.",
    )
    emulator: str = _key(
        "on",
        "`off` runs new sessions without a terminal emulator: a returning client then gets the end of the raw output "
        "in place of the true screen.",
        choices=("on", "off"),
    )
    on_store_failure: str = _key(
        "degrade",
        "What the daemon does when its database cannot be used: `degrade` goes on, says so everywhere and keeps "
        "sessions durable in their own files; `refuse` exits instead.",
        choices=("degrade", "refuse"),
    )
    osc52_write: bool = _key(
        False,
        "Let programs write the clipboard of the browser (OSC 52). Reading it is never allowed.",
    )
    orphan_hours: int = _key(
        12,
        "A worker whose program has ended, but whose disk takes no record of that, waits for a daemon to tell it to. "
        "After this many hours without one it ends. A program that runs is never ended for want of a daemon.",
        minimum=1,
        maximum=8760,
    )
    log_level: str = _key(
        "info",
        "How much the daemon writes to its log. No level writes what passes through a terminal.",
        choices=("debug", "info", "warning", "error"),
    )

    @property
    def detach_byte(self) -> int:
        """The byte that `detach_key` sends on a terminal."""
        return ord(self.detach_key[-1].upper()) & 0x1F


KEYS: Final[dict[str, Field[Any]]] = {key.name: key for key in fields(Config)}


def load(home: Home, env: Mapping[str, str] | None = None) -> Config:
    """The settings of a home; the defaults when it has no `config.toml`.

    env: where `ATTN_PORT` may stand. Raises AttnError `invalid_config` naming the file, the key and what to do,
    `permission_denied`, or `home_unwritable` when the home is no directory.
    """
    values: dict[str, Any] = {}
    source = str(home.config)
    for name, value in _read(home).items():
        values[name] = _checked(name, value, source)
    override = (env or {}).get("ATTN_PORT", "")
    if override:
        number = int(override) if override.isascii() and override.isdigit() else override
        values["port"] = _checked("port", number, "ATTN_PORT")
    return Config(**values)


def _read(home: Home) -> dict[str, Any]:
    try:
        return tomllib.loads(home.config.read_bytes().decode())
    except FileNotFoundError:
        return {}
    except NotADirectoryError as error:
        raise AttnError(
            "home_unwritable",
            f"{home.root} cannot be used: {error.strerror}",
            "make it a directory of yours that you can write, or set ATTN_HOME to another one",
        ) from error
    except PermissionError as error:
        raise AttnError("permission_denied", f"{home.config} cannot be read", f"chmod u+r {home.config}") from error
    except OSError as error:
        raise AttnError("invalid_config", f"{home.config} cannot be read: {error.strerror}", "move it away") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise AttnError(
            "invalid_config", f"{home.config} is not TOML: {error}", f"correct that place in {home.config}"
        ) from error


def _checked(name: str, value: Any, source: str) -> Any:
    key = KEYS.get(name)
    if key is None:
        close = difflib.get_close_matches(name, KEYS, n=1)
        remedy = f"did you mean {close[0]}?" if close else f"the keys are {', '.join(KEYS)}"
        raise AttnError("invalid_config", f"{source}: there is no key {name!r}", remedy)
    wanted = _kind(key)
    if type(value) is not wanted:
        raise AttnError(
            "invalid_config", f"{source}: {name} is {value!r}, which is not {_KIND_WORDS[wanted]}", describe(key)
        )
    rules = key.metadata
    within = rules["minimum"] is None or rules["minimum"] <= value <= rules["maximum"]
    chosen = not rules["choices"] or value in rules["choices"]
    matches = rules["pattern"] is None or rules["pattern"].fullmatch(value) is not None
    if not (within and chosen and matches):
        raise AttnError("invalid_config", f"{source}: {name} cannot be {value!r}", describe(key))
    return value


_KIND_WORDS: Final[dict[type, str]] = {int: "a whole number", bool: "true or false", str: "a text in quotes"}


def _kind(key: Field[Any]) -> type:
    return int if key.default is None else type(key.default)


def describe(key: Field[Any]) -> str:
    """What may be written for a key, as a sentence of a remedy and of docs/config.md."""
    rules = key.metadata
    if rules["choices"]:
        allowed = "one of " + ", ".join(f'"{choice}"' for choice in rules["choices"])
    elif rules["minimum"] is not None:
        allowed = f"a whole number from {rules['minimum']} to {rules['maximum']}"
    elif rules["pattern"] is not None:
        allowed = "ctrl- and a key, for example " + _toml(key.default)
    else:
        allowed = _KIND_WORDS[_kind(key)]
    return f"{key.name} is {allowed}"


def document() -> str:
    """The text of docs/config.md."""
    lines = [
        "# config.toml",
        "",
        "Settings stand in `config.toml` in the home of attn (`~/.attn`, or what `ATTN_HOME` names). The file is read",
        "when the daemon starts; `attn daemon restart` applies a change and leaves all programs running. An unknown",
        "key or a wrong value is an error (`invalid_config`) that names the key. Generated from `src/attn/config.py`.",
    ]
    for key in KEYS.values():
        default = f"`{_toml(key.default)}`" if key.default is not None else key.metadata["unset"]
        lines += ["", f"## {key.name}", "", key.metadata["doc"], "", f"Allowed: {describe(key)}. Default: {default}."]
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"'{value}'" if isinstance(value, str) else str(value)
