import type { IUnicodeVersionProvider } from "@xterm/xterm"
import { decodeRuns, SELECTOR_RUNS, WIDTH_RUNS } from "../generated/widths"

const CODE_POINTS = 0x110000

/** One byte per code point: a look-up for each character of the stream has to be quick. */
function expand(runs: [start: number, value: number][]): Uint8Array {
  const table = new Uint8Array(CODE_POINTS)
  runs.forEach(([start, value], i) => {
    table.fill(value, start, runs[i + 1]?.[0] ?? CODE_POINTS)
  })
  return table
}

const widths = expand(decodeRuns(WIDTH_RUNS))
const selectable = expand(decodeRuns(SELECTOR_RUNS))

/** Whether the worker keeps a variation selector behind this code point; behind others it drops it. */
export function keepsSelector(codepoint: number): boolean {
  return selectable[codepoint] === 1
}

export function widthOf(codepoint: number): 0 | 1 | 2 {
  return (widths[codepoint] ?? 1) as 0 | 1 | 2
}

/** libghostty's widths, so that the grid in the page is the grid in the worker. */
export const widthProvider: IUnicodeVersionProvider = {
  version: "ghostty",
  wcwidth: widthOf,
  /** Packed as xterm.js's own versions do: width in bits 1 and 2, bit 0 = joins the character before it. */
  charProperties(codepoint, preceding) {
    const width = widthOf(codepoint)
    const before = (preceding >> 1) & 3
    const joins = width === 0 && preceding !== 0 && before !== 0
    return ((joins ? Math.max(width, before) : width) << 1) | (joins ? 1 : 0)
  },
}
