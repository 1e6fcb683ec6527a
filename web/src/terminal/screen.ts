import type { ISearchOptions } from "@xterm/addon-search"
import type { ITheme, Terminal } from "@xterm/xterm"
import type { KeyEvent } from "../generated/protocol"
import { Face, type Size } from "./face"
import { KeyRouter, MODS, namedKey, namedKeyBytes, textEvents } from "./keys"
import type { LinkEvents } from "./links"

// Smaller than this nobody reads: a session that is wider still scrolls.
const SMALLEST_FONT_PX = 6
// Control characters of a paste that could act as keys or end the paste's brackets; tab and newlines stay.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNSAFE_IN_PASTE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/g

export interface ScreenEvents extends LinkEvents {
  /** Bytes for the program: what xterm.js made of keys, mouse and paste. */
  onInput(data: Uint8Array): void
  /** Keys for a program that asked for key events. */
  onKeys(events: KeyEvent[]): void
  /** Ctrl or Alt of the on-screen row was spent on a key. */
  onStickyUsed(): void
}

/**
 * The place of one session's terminal in the page: what a person types, pastes, finds and looks at. What it shows is a
 * face; another one may be painted behind it and then take its place, with the keyboard, the view and the selection.
 */
export class Screen {
  readonly element = document.createElement("div")
  /** The face that is shown. */
  face: Face
  /** Modifiers of the on-screen key row for the next key. */
  stickyMods = 0
  /** Called when another face is shown. */
  onChanged = new Set<() => void>()
  private readonly router: KeyRouter
  private readonly encoder = new TextEncoder()
  private shown = false
  private pasting = false
  private changing = false
  private pressed = false
  private composing = false

  constructor(
    private readonly events: ScreenEvents,
    private fontSize: number,
    private currentTheme: ITheme,
    newline: string | null,
    size: Size,
  ) {
    this.element.className = "screen"
    this.face = this.newFace(size)
    const modes = () => this.face.modes
    this.router = new KeyRouter(
      {
        get eventsWanted() {
          return modes().eventsWanted
        },
        get flags() {
          return modes().flags
        },
      },
      newline,
    )
    this.element.addEventListener("focusout", () => this.changing || this.router.forget())
    this.element.addEventListener("compositionstart", () => this.hold("composing", true))
    this.element.addEventListener("compositionend", () => this.hold("composing", false))
    this.element.addEventListener("pointerdown", () => this.hold("pressed", true), { capture: true })
    for (const end of ["pointerup", "pointercancel", "blur"]) window.addEventListener(end, this.letGo)
  }

  get terminal(): Terminal {
    return this.face.terminal
  }

  /** A person is dragging or composing: the face must not change under that. */
  get held(): boolean {
    return this.pressed || this.composing
  }

  /** Called when that is over. */
  onLetGo: () => void = () => undefined

  /** Another face of this place, not in the page yet. */
  newFace(size: Size): Face {
    const face: Face = new Face(
      {
        ...this.events,
        onData: (data) => face === this.face && !this.changing && this.data(data),
        onBinary: (data) =>
          face === this.face && this.events.onInput(Uint8Array.from(data, (char) => char.charCodeAt(0))),
        onKey: (event) => this.key(event),
        onPaste: (event) => this.paste(event),
      },
      size,
      this.face?.terminal.options.fontSize ?? this.fontSize,
      this.currentTheme,
    )
    return face
  }

  /** Puts the terminal into the page; it draws from now on. */
  open(parent: HTMLElement): void {
    if (this.element.parentElement !== parent) parent.append(this.element)
    this.shown = true
    this.face.open(this.element, false)
  }

  /** Draws a face behind the one that is shown. */
  openBehind(face: Face): void {
    face.terminal.options.fontSize = this.face.terminal.options.fontSize ?? this.fontSize
    if (this.shown) face.open(this.element, true)
  }

  /** Shows another face in place of this one, without a moment in between. */
  change(face: Face): void {
    const old = this.face
    const typing = old.element.contains(document.activeElement)
    face.selectAs(old)
    this.changing = true
    this.face = face
    if (this.shown) face.open(this.element, false)
    face.terminal.options.fontSize = old.terminal.options.fontSize ?? this.fontSize
    face.terminal.options.theme = this.currentTheme
    if (typing) face.terminal.focus()
    old.dispose()
    this.changing = false
    for (const tell of this.onChanged) tell()
  }

  dispose(): void {
    for (const end of ["pointerup", "pointercancel", "blur"]) window.removeEventListener(end, this.letGo)
    this.face.dispose()
    this.element.remove()
  }

  private readonly letGo = () => this.hold("pressed", false)

  private hold(gesture: "pressed" | "composing", on: boolean): void {
    const held = this.held
    this[gesture] = on
    // What the browser and xterm.js still do with the end of the gesture comes first.
    if (held && !this.held) setTimeout(() => this.onLetGo())
  }

  set theme(theme: ITheme) {
    this.currentTheme = theme
    this.terminal.options.theme = theme
  }

  /** The size that the element has room for at the chosen font size; null while it is not laid out. */
  proposedSize(): Size | null {
    const reduced = this.terminal.options.fontSize !== this.fontSize ? this.terminal.options.fontSize : undefined
    if (reduced !== undefined) this.terminal.options.fontSize = this.fontSize
    const size = this.face.proposedSize()
    if (reduced !== undefined) this.terminal.options.fontSize = reduced
    return size
  }

  /** Chooses the font size, smaller while the session is larger than the room for it. */
  useFont(fontSize: number, session: Size, room: Size | null): void {
    this.fontSize = fontSize
    const scale = room ? Math.min(1, room.rows / session.rows, room.cols / session.cols) : 1
    let fitting = scale < 1 ? Math.max(SMALLEST_FONT_PX, Math.floor(fontSize * scale * 2) / 2) : fontSize
    this.terminal.options.fontSize = fitting
    // Cells are whole pixels high: half a pixel less of the font may leave the rows as they are.
    while (scale < 1 && fitting > SMALLEST_FONT_PX && !this.holds(session)) {
      fitting -= 0.5
      this.terminal.options.fontSize = fitting
    }
  }

  private holds(session: Size): boolean {
    const size = this.face.proposedSize()
    return !size || (size.rows >= session.rows && size.cols >= session.cols)
  }

  find(text: string, backwards: boolean, options: ISearchOptions): void {
    if (backwards) this.face.search.findPrevious(text, options)
    else this.face.search.findNext(text, options)
  }

  /** A key of the on-screen row. */
  pressNamed(key: string): void {
    const mods = this.stickyMods
    this.useSticky()
    if (this.face.modes.eventsWanted) this.events.onKeys([namedKey(key, mods)])
    else {
      const bytes = namedKeyBytes(key, this.terminal.modes.applicationCursorKeysMode)
      this.send(mods & MODS.ALT ? `\x1b${bytes}` : bytes)
    }
    this.terminal.scrollToBottom()
  }

  /** Types a text as a paste. */
  pasteText(text: string): void {
    this.pasting = true
    this.terminal.paste(text.replace(UNSAFE_IN_PASTE, ""))
    this.pasting = false
  }

  private key(event: KeyboardEvent): boolean {
    const route = this.router.route(event, this.terminal.buffer.active.type === "alternate")
    if (route.to === "xterm") return true
    if (route.to === "program") {
      event.preventDefault()
      event.stopPropagation()
      if ("bytes" in route) this.events.onInput(this.encoder.encode(route.bytes))
      else this.events.onKeys([{ ...route.event, mods: route.event.mods | this.stickyMods }])
      if (event.type === "keydown" && !isModifier(event.key)) this.typed()
    } else if (route.to === "nobody") event.preventDefault()
    return false
  }

  /** What xterm.js does for a key of its own. */
  private typed(): void {
    this.useSticky()
    this.terminal.clearSelection()
    this.terminal.scrollToBottom()
  }

  /** Strings from xterm.js: typed or composed text, pastes, and reports of mouse and focus. */
  private data(data: string): void {
    const isText = !this.pasting && (!data.startsWith("\x1b") || data === "\x1b")
    if (isText && this.stickyMods) return this.sticky(data)
    if (isText && this.face.modes.eventsWanted) this.events.onKeys(textEvents(data))
    else this.send(data)
  }

  /** The on-screen Ctrl or Alt and a typed character. */
  private sticky(text: string): void {
    const mods = this.stickyMods
    this.useSticky()
    if (this.face.modes.eventsWanted) {
      this.events.onKeys(textEvents(text).map((event) => ({ ...event, key: event.key || text, text: "", mods })))
      return
    }
    const code = text.toUpperCase().charCodeAt(0)
    const control = mods & MODS.CTRL && code >= 0x3f && code <= 0x5f ? String.fromCharCode(code & 0x1f) : text
    this.send(mods & MODS.ALT ? `\x1b${control}` : control)
  }

  private useSticky(): void {
    if (!this.stickyMods) return
    this.stickyMods = 0
    this.events.onStickyUsed()
  }

  private paste(event: ClipboardEvent): void {
    event.preventDefault()
    event.stopPropagation()
    const text = event.clipboardData?.getData("text/plain")
    if (text) this.pasteText(text)
  }

  private send(text: string): void {
    if (text) this.events.onInput(this.encoder.encode(text))
  }
}

function isModifier(key: string): boolean {
  return key === "Shift" || key === "Control" || key === "Alt" || key === "Meta"
}
