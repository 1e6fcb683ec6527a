import type { IDisposable, Terminal } from "@xterm/xterm"

type Params = (number | number[])[]

// CSI t reports (window state, position, size, title); the rest of CSI t are commands and pass.
const WINDOW_REPORTS = new Set([11, 13, 14, 15, 16, 18, 19, 20, 21])
const CSI_QUERIES = [
  { final: "c" }, // DA1
  { prefix: ">", final: "c" }, // DA2
  { prefix: "=", final: "c" }, // DA3
  { final: "n" }, // DSR, CPR
  { prefix: "?", final: "n" }, // DECXCPR, colour scheme
  { intermediates: "$", final: "p" }, // DECRQM, ANSI modes
  { prefix: "?", intermediates: "$", final: "p" }, // DECRQM, DEC modes
  { prefix: ">", final: "q" }, // XTVERSION
  { prefix: "?", final: "u" }, // kitty keyboard
  { final: "x" }, // DECREQTPARM
]
const DCS_QUERIES = [
  { intermediates: "$", final: "q" }, // DECRQSS
  { intermediates: "+", final: "q" }, // XTGETTCAP
]
const COLOUR_OSCS = [4, 10, 11, 12]
const CLIPBOARD_OSC = 52
const FOCUS_REPORTING = 1004

/**
 * Keeps a terminal from answering: the worker alone answers queries (it is there without a page, and there may be
 * several pages), and a mode that is switched on by a replayed screen is no event. Returns the state of that guard.
 */
export class AnswerGuard {
  private quiet = false
  private readonly hooks: IDisposable[]

  constructor({ parser }: Terminal) {
    const swallow = () => true
    this.hooks = [
      ...CSI_QUERIES.map((id) => parser.registerCsiHandler(id, swallow)),
      ...DCS_QUERIES.map((id) => parser.registerDcsHandler(id, swallow)),
      parser.registerEscHandler({ final: "Z" }, swallow), // DECID
      parser.registerCsiHandler({ final: "t" }, (params) => WINDOW_REPORTS.has(first(params))),
      parser.registerOscHandler(CLIPBOARD_OSC, swallow), // the daemon decides: pty_clipboard
      ...COLOUR_OSCS.map((id) => parser.registerOscHandler(id, (data) => this.colour(data))),
      parser.registerCsiHandler({ prefix: "?", final: "h" }, (params) => this.modeSet(params)),
    ]
  }

  /** True while what the terminal says is an answer of its own and not a person's doing. */
  get muted(): boolean {
    return this.quiet
  }

  dispose(): void {
    for (const hook of this.hooks) hook.dispose()
  }

  /** OSC 4/10/11/12: a pure query is swallowed; with settings beside it xterm.js sets, and its answers are dropped. */
  private colour(data: string): boolean {
    const specs = data.split(";")
    if (!specs.includes("?")) return false
    const settings = specs.filter((spec) => spec !== "?" && !/^\d*$/.test(spec))
    if (settings.length === 0) return true
    this.mute()
    return false
  }

  /** xterm.js reports focus as soon as a program (or a snapshot) asks for reports. */
  private modeSet(params: Params): boolean {
    if (params.includes(FOCUS_REPORTING)) this.mute()
    return false
  }

  /** Sequences are parsed without a break for events, so no key can fall between here and the microtask. */
  private mute(): void {
    this.quiet = true
    queueMicrotask(() => {
      this.quiet = false
    })
  }
}

function first(params: Params): number {
  const value = params[0]
  return typeof value === "number" ? value : -1
}
