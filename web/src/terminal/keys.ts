import type { KeyEvent } from "../generated/protocol"
import { type KeyboardModes, REPORT_ALL_KEYS, REPORT_EVENT_TYPES } from "./keyboard_modes"

const SHIFT = 1
const ALT = 2
const CTRL = 4

const MODIFIERS = new Set(["Shift", "Control", "Alt", "AltGraph", "Meta", "CapsLock", "NumLock", "ScrollLock", "Fn"])
// What an input method or a dead key is still working on; the text comes later.
const UNFINISHED = new Set(["Dead", "Process", "Unidentified"])
const COMPOSING_KEYCODE = 229

const IS_MAC = /Mac|iPhone|iPad/.test(navigator.userAgent)

/** Where a key goes: to the program as an event, to xterm.js as ever, or past the terminal to the browser. */
export type Route =
  | { to: "program"; event: KeyEvent }
  | { to: "program"; bytes: string }
  | { to: "xterm" }
  | { to: "browser" }
  | { to: "nobody" }

/** What Shift+Enter is to agents that turn on no keyboard mode in a terminal whose name they do not know. */
const NEWLINES: Record<string, string> = { claude: "\x1b\r" }

/** Bytes of Shift+Enter for an agent while it wants no key events; null where it is a plain Enter. */
export function newlineOf(agent: string): string | null {
  return NEWLINES[agent] ?? null
}

/** Decides for each DOM key event while a program wants key events; remembers which presses it was told of. */
export class KeyRouter {
  private readonly down = new Set<string>()

  constructor(
    private readonly modes: Pick<KeyboardModes, "eventsWanted" | "flags">,
    private readonly newline: string | null,
  ) {}

  route(event: KeyboardEvent, alternateScreen: boolean): Route {
    if (event.isComposing || event.keyCode === COMPOSING_KEYCODE || UNFINISHED.has(event.key)) return { to: "xterm" }
    if (isClipboardKey(event)) return { to: "browser" }
    if (!this.modes.eventsWanted) return this.plain(event)
    if (event.metaKey) return { to: "browser" }
    if (event.type === "keypress") return { to: "nobody" }
    if (isScrollKey(event) && !alternateScreen) return { to: "xterm" }
    if (MODIFIERS.has(event.key) && !(this.modes.flags & REPORT_ALL_KEYS)) return { to: "browser" }
    if (event.type === "keyup") return this.release(event)
    this.down.add(event.code)
    return { to: "program", event: keyEvent(event, event.repeat ? "repeat" : "press") }
  }

  /** The keyboard left the terminal: releases of keys that are down now belong to nobody. */
  forget(): void {
    this.down.clear()
  }

  private plain(event: KeyboardEvent): Route {
    const shifted = event.shiftKey && !event.ctrlKey && !event.altKey && !event.metaKey
    if (!shifted || event.key !== "Enter" || this.newline === null) return { to: "xterm" }
    return event.type === "keydown" ? { to: "program", bytes: this.newline } : { to: "nobody" }
  }

  private release(event: KeyboardEvent): Route {
    const wasTold = this.down.delete(event.code)
    if (!wasTold || !(this.modes.flags & REPORT_EVENT_TYPES)) return { to: "nobody" }
    return { to: "program", event: keyEvent(event, "release") }
  }
}

/** A DOM event as the worker's encoder wants it. */
export function keyEvent(event: KeyboardEvent, action: KeyEvent["action"]): KeyEvent {
  const types = [...event.key].length === 1
  // AltGr, and Option on a Mac, choose a character: they are spent on it and no modifiers of it.
  const third = types && (event.getModifierState("AltGraph") || (IS_MAC && event.altKey && !event.ctrlKey))
  const alt = event.altKey && !third
  const ctrl = event.ctrlKey && !(third && event.getModifierState("AltGraph"))
  return {
    action,
    key: event.key,
    code: event.code,
    text: types && !ctrl && !alt && action !== "release" ? event.key : "",
    mods: (event.shiftKey ? SHIFT : 0) | (alt ? ALT : 0) | (ctrl ? CTRL : 0),
  }
}

/** Text from an input method or an on-screen keyboard as key events. */
export function textEvents(text: string): KeyEvent[] {
  const named = NAMED_BYTES[text]
  return [named ? namedKey(named, 0) : { action: "press", key: "", code: "", text, mods: 0 }]
}

const NAMED_BYTES: Record<string, string> = { "\r": "Enter", "\x7f": "Backspace", "\t": "Tab", "\x1b": "Escape" }

/** The press of a key that has a name, such as one of the on-screen key row. */
export function namedKey(key: string, mods: number): KeyEvent {
  return { action: "press", key, code: key, text: "", mods }
}

export const MODS = { SHIFT, ALT, CTRL }

/** Bytes of the on-screen keys while the program wants bytes. */
export function namedKeyBytes(key: string, applicationCursor: boolean): string {
  const final = { ArrowUp: "A", ArrowDown: "B", ArrowRight: "C", ArrowLeft: "D" }[key]
  if (final) return (applicationCursor ? "\x1bO" : "\x1b[") + final
  return { Escape: "\x1b", Tab: "\t", Enter: "\r" }[key] ?? ""
}

/** Copy and paste of the browser: Ctrl+Shift+C / V, Shift+Insert, and with Cmd on a Mac. */
function isClipboardKey(event: KeyboardEvent): boolean {
  if (event.ctrlKey && event.shiftKey && !event.altKey) return event.code === "KeyC" || event.code === "KeyV"
  return event.shiftKey && !event.ctrlKey && !event.altKey && event.key === "Insert"
}

function isScrollKey(event: KeyboardEvent): boolean {
  return event.shiftKey && !event.ctrlKey && !event.altKey && (event.key === "PageUp" || event.key === "PageDown")
}
