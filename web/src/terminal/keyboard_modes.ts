import type { IDisposable, Terminal } from "@xterm/xterm"

type Params = (number | number[])[]

export const REPORT_EVENT_TYPES = 2
export const REPORT_ALL_KEYS = 8

// As in libghostty: a full stack forgets its oldest entry.
const STACK_DEPTH = 8
const MODIFY_OTHER_KEYS = 4

/** Follows what the program asked of the keyboard: the kitty stack of each screen, and modifyOtherKeys. */
export class KeyboardModes {
  private stacks: Record<"normal" | "alternate", number[]> = { normal: [0], alternate: [0] }
  private modifyOtherKeys = 0
  private readonly hooks: IDisposable[]

  constructor(private readonly terminal: Terminal) {
    const { parser } = terminal
    const csi = (prefix: string, final: string, act: (params: Params) => void) =>
      parser.registerCsiHandler({ prefix, final }, (params) => {
        act(params)
        return true
      })
    this.hooks = [
      csi(">", "u", (params) => this.push(number(params, 0, 0))),
      csi("<", "u", (params) => this.pop(number(params, 0, 1))),
      csi("=", "u", (params) => this.set(number(params, 0, 0), number(params, 1, 1))),
      csi(">", "m", (params) => this.modify(params)),
      parser.registerEscHandler({ final: "c" }, () => this.reset()),
    ]
  }

  /** The kitty flags of the screen that is shown. */
  get flags(): number {
    return this.stack.at(-1) ?? 0
  }

  /** Whether keys go to the worker as events, which it encodes, instead of as xterm.js's bytes. */
  get eventsWanted(): boolean {
    return this.flags !== 0 || this.modifyOtherKeys !== 0
  }

  dispose(): void {
    for (const hook of this.hooks) hook.dispose()
  }

  private get stack(): number[] {
    return this.stacks[this.terminal.buffer.active.type]
  }

  private push(flags: number): void {
    this.stack.push(flags)
    if (this.stack.length > STACK_DEPTH) this.stack.shift()
  }

  private pop(count: number): void {
    this.stack.splice(Math.max(0, this.stack.length - Math.max(1, count)))
    if (this.stack.length === 0) this.stack.push(0)
  }

  /** Mode 1 replaces the flags, 2 adds to them, 3 takes away. */
  private set(flags: number, mode: number): void {
    const current = this.flags
    const next = mode === 3 ? current & ~flags : mode === 2 ? current | flags : flags
    this.stack[this.stack.length - 1] = next
  }

  private modify(params: Params): void {
    const resource = number(params, 0, 0)
    if (resource === MODIFY_OTHER_KEYS) this.modifyOtherKeys = number(params, 1, 0)
    else if (resource === 0 && params.length <= 1) this.modifyOtherKeys = 0 // CSI > m: all of them off
  }

  private reset(): boolean {
    this.stacks = { normal: [0], alternate: [0] }
    this.modifyOtherKeys = 0
    return false
  }
}

function number(params: Params, index: number, fallback: number): number {
  const value = params[index]
  return typeof value === "number" && value >= 0 ? value : fallback
}
