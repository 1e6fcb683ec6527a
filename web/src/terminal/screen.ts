import { FitAddon } from "@xterm/addon-fit"
import { type ISearchOptions, SearchAddon } from "@xterm/addon-search"
import { WebLinksAddon } from "@xterm/addon-web-links"
import { WebglAddon } from "@xterm/addon-webgl"
import { type ITheme, Terminal } from "@xterm/xterm"
import type { KeyEvent } from "../generated/protocol"
import { webglIsBetter } from "./graphics"
import { KeyboardModes } from "./keyboard_modes"
import { KeyRouter, MODS, namedKey, namedKeyBytes, textEvents } from "./keys"
import { ADDRESS, activate, type LinkEvents, linkHandler } from "./links"
import { AnswerGuard } from "./queries"
import { widthProvider } from "./widths"

const SCROLLBACK_LINES = 10_000
export const FONT_FAMILY =
  'ui-monospace, "SF Mono", "Cascadia Mono", "JetBrains Mono", Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", monospace'
// The font's own: more would tear box drawings apart where the DOM renderer draws them.
export const LINE_HEIGHT = 1
// Smaller than this nobody reads: a session that is wider still scrolls.
const SMALLEST_FONT_PX = 6
// Control characters of a paste that could act as keys or end the paste's brackets; tab and newlines stay.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNSAFE_IN_PASTE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/g

export interface Size {
  rows: number
  cols: number
}

export interface ScreenEvents extends LinkEvents {
  /** Bytes for the program: what xterm.js made of keys, mouse and paste. */
  onInput(data: Uint8Array): void
  /** Keys for a program that asked for key events. */
  onKeys(events: KeyEvent[]): void
  /** Ctrl or Alt of the on-screen row was spent on a key. */
  onStickyUsed(): void
}

/** One xterm.js terminal with our rules: worker answers, worker encodes, libghostty's widths, links on request. */
export class Screen {
  readonly element = document.createElement("div")
  readonly terminal: Terminal
  readonly search = new SearchAddon({ highlightLimit: 500 })
  /** Modifiers of the on-screen key row for the next key. */
  stickyMods = 0
  private readonly fit = new FitAddon()
  private readonly guard: AnswerGuard
  private readonly modes: KeyboardModes
  private readonly router: KeyRouter
  private readonly encoder = new TextEncoder()
  private webgl: WebglAddon | null = null
  private opened = false
  private pasting = false

  constructor(
    private readonly events: ScreenEvents,
    private fontSize: number,
    theme: ITheme,
    newline: string | null,
  ) {
    this.element.className = "screen"
    this.terminal = new Terminal({
      allowProposedApi: true,
      cols: 120,
      rows: 40,
      scrollback: SCROLLBACK_LINES,
      fontFamily: FONT_FAMILY,
      fontSize,
      lineHeight: LINE_HEIGHT,
      theme,
      drawBoldTextInBrightColors: false,
      macOptionClickForcesSelection: true,
      linkHandler: linkHandler(events),
    })
    this.guard = new AnswerGuard(this.terminal)
    this.modes = new KeyboardModes(this.terminal)
    this.router = new KeyRouter(this.modes, newline)
    this.terminal.unicode.register(widthProvider)
    this.terminal.unicode.activeVersion = widthProvider.version
    this.terminal.attachCustomKeyEventHandler((event) => this.key(event))
    this.terminal.onData((data) => this.data(data))
    this.terminal.onBinary((data) => events.onInput(Uint8Array.from(data, (char) => char.charCodeAt(0))))
  }

  /** Puts the terminal into the page; it draws from now on. */
  open(parent: HTMLElement): void {
    if (this.element.parentElement !== parent) parent.append(this.element)
    if (this.opened) return
    this.opened = true
    this.terminal.open(this.element)
    this.terminal.loadAddon(this.fit)
    this.terminal.loadAddon(this.search)
    this.terminal.loadAddon(
      new WebLinksAddon((event, text) => activate(event, text, this.events), {
        urlRegex: ADDRESS,
        hover: (_event, text) => this.events.onHover(text),
        leave: () => this.events.onHover(null),
      }),
    )
    this.drawWithWebgl()
    this.element.addEventListener("paste", (event) => this.paste(event), { capture: true })
    this.terminal.textarea?.addEventListener("blur", () => this.router.forget())
  }

  dispose(): void {
    this.modes.dispose()
    this.guard.dispose()
    this.terminal.dispose()
    this.element.remove()
  }

  set theme(theme: ITheme) {
    this.terminal.options.theme = theme
  }

  /** The size that the element has room for at the chosen font size; null while it is not laid out. */
  proposedSize(): Size | null {
    const reduced = this.terminal.options.fontSize !== this.fontSize ? this.terminal.options.fontSize : undefined
    if (reduced !== undefined) this.terminal.options.fontSize = this.fontSize
    const size = this.fit.proposeDimensions()
    if (reduced !== undefined) this.terminal.options.fontSize = reduced
    if (!size || !Number.isFinite(size.rows) || !Number.isFinite(size.cols)) return null
    return { rows: size.rows, cols: size.cols }
  }

  /** Chooses the font size, smaller while the session is larger than the room for it. */
  useFont(fontSize: number, session: Size, room: Size | null): void {
    this.fontSize = fontSize
    const scale = room ? Math.min(1, room.rows / session.rows, room.cols / session.cols) : 1
    const fitting = scale < 1 ? Math.max(SMALLEST_FONT_PX, Math.floor(fontSize * scale * 2) / 2) : fontSize
    if (this.terminal.options.fontSize !== fitting) this.terminal.options.fontSize = fitting
  }

  find(text: string, backwards: boolean, options: ISearchOptions): void {
    if (backwards) this.search.findPrevious(text, options)
    else this.search.findNext(text, options)
  }

  /** A key of the on-screen row. */
  pressNamed(key: string): void {
    const mods = this.stickyMods
    this.useSticky()
    if (this.modes.eventsWanted) this.events.onKeys([namedKey(key, mods)])
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

  private drawWithWebgl(): void {
    if (!webglIsBetter()) return
    try {
      const webgl = new WebglAddon()
      // The DOM renderer takes over by itself once the addon is gone.
      webgl.onContextLoss(() => {
        webgl.dispose()
        this.webgl = null
      })
      this.terminal.loadAddon(webgl)
      this.webgl = webgl
    } catch (error) {
      console.info("attn: drawing without WebGL:", error)
    }
  }

  get renderer(): "webgl" | "dom" {
    return this.webgl ? "webgl" : "dom"
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
    if (this.guard.muted) return
    const isText = !this.pasting && (!data.startsWith("\x1b") || data === "\x1b")
    if (isText && this.stickyMods) return this.sticky(data)
    if (isText && this.modes.eventsWanted) this.events.onKeys(textEvents(data))
    else this.send(data)
  }

  /** The on-screen Ctrl or Alt and a typed character. */
  private sticky(text: string): void {
    const mods = this.stickyMods
    this.useSticky()
    if (this.modes.eventsWanted) {
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
