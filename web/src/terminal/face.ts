import { FitAddon } from "@xterm/addon-fit"
import { SearchAddon } from "@xterm/addon-search"
import { WebLinksAddon } from "@xterm/addon-web-links"
import { WebglAddon } from "@xterm/addon-webgl"
import { type ITheme, Terminal } from "@xterm/xterm"
import { anchorAt, rowOf } from "./anchor"
import { webglIsBetter } from "./graphics"
import { KeyboardModes } from "./keyboard_modes"
import { ADDRESS, activate, type LinkEvents, linkHandler } from "./links"
import { AnswerGuard } from "./queries"
import { widthProvider } from "./widths"

const SCROLLBACK_LINES = 10_000
export const FONT_FAMILY =
  'ui-monospace, "SF Mono", "Cascadia Mono", "JetBrains Mono", Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", monospace'
// The font's own: more would tear box drawings apart where the DOM renderer draws them.
export const LINE_HEIGHT = 1

export interface Size {
  rows: number
  cols: number
}

export interface FaceEvents extends LinkEvents {
  /** What xterm.js says by itself: typed or composed text, pastes, reports of mouse and focus. */
  onData(data: string): void
  onBinary(data: string): void
  onKey(event: KeyboardEvent): boolean
  onPaste(event: ClipboardEvent): void
}

/** One xterm.js terminal with our rules: worker answers, worker encodes, libghostty's widths, links on request. */
export class Face {
  readonly element = document.createElement("div")
  readonly terminal: Terminal
  readonly search = new SearchAddon({ highlightLimit: 500 })
  readonly modes: KeyboardModes
  private readonly fit = new FitAddon()
  private readonly guard: AnswerGuard
  private webgl: WebglAddon | null = null
  private opened = false

  constructor(
    private readonly events: FaceEvents,
    size: Size,
    fontSize: number,
    theme: ITheme,
  ) {
    this.element.className = "face"
    this.terminal = new Terminal({
      allowProposedApi: true,
      ...size,
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
    this.terminal.unicode.register(widthProvider)
    this.terminal.unicode.activeVersion = widthProvider.version
    this.terminal.attachCustomKeyEventHandler((event) => events.onKey(event))
    this.terminal.onData((data) => !this.guard.muted && events.onData(data))
    this.terminal.onBinary((data) => events.onBinary(data))
  }

  /** Draws from now on; `behind` puts it under the one that is shown. */
  open(parent: HTMLElement, behind: boolean): void {
    this.element.classList.toggle("behind", behind)
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
    this.element.addEventListener("paste", (event) => this.events.onPaste(event), { capture: true })
  }

  dispose(): void {
    const canvases = this.webgl ? [...this.element.querySelectorAll("canvas")] : []
    this.modes.dispose()
    this.guard.dispose()
    this.terminal.dispose()
    canvases.forEach(loseContext)
    this.element.remove()
  }

  /** The size that the element has room for. */
  proposedSize(): Size | null {
    const size = this.fit.proposeDimensions()
    if (!size || !Number.isFinite(size.rows) || !Number.isFinite(size.cols)) return null
    return { rows: size.rows, cols: size.cols }
  }

  get atBottom(): boolean {
    const { viewportY, baseY } = this.terminal.buffer.active
    return viewportY >= baseY
  }

  /** The row to look at for the lines that `other` looks at. */
  viewOf(other: Face): number {
    const [seen, lines] = [other.terminal.buffer.active, this.terminal.buffer.active]
    if (other.atBottom || seen.type !== lines.type) return lines.baseY
    return Math.min(lines.baseY, rowOf(lines, anchorAt(seen, seen.viewportY, other.terminal.cols), this.terminal.cols))
  }

  /** Selects what is selected in `other`, if it stands here too. */
  selectAs(other: Face): void {
    const [from, to] = [other.terminal, this.terminal]
    const selected = from.getSelectionPosition()
    if (!selected || from.cols !== to.cols || from.buffer.active.type !== to.buffer.active.type) return
    const row = rowOf(to.buffer.active, anchorAt(from.buffer.active, selected.start.y, from.cols), to.cols)
    const cells = (selected.end.y - selected.start.y) * from.cols + selected.end.x - selected.start.x
    to.select(selected.start.x, row, cells)
    if (to.getSelection() !== from.getSelection()) to.clearSelection()
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
}

/** Gives a context of WebGL back at once, of which browsers allow 16; the garbage collector would take its time. */
function loseContext(canvas: HTMLCanvasElement): void {
  canvas.getContext("webgl2")?.getExtension("WEBGL_lose_context")?.loseContext()
}
