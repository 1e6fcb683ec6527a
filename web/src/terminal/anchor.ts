import type { IBuffer, Terminal } from "@xterm/xterm"

/** What an anchor needs of a buffer. */
export type Lines = Pick<IBuffer, "length" | "baseY" | "viewportY" | "getLine">
type Viewed = Pick<Terminal, "rows" | "cols" | "buffer" | "scrollToLine">

// So many lines tell one place in a log from another, and no more are compared.
const FINGERPRINT_LINES = 48
// Less than this in common is a coincidence: a "}" stands in many places.
const FEWEST_IN_COMMON = 3

/** A place in a buffer by what stands there: another buffer of the same session may have it at another row. */
export interface Anchor {
  /** The line of the place and those below it, unwrapped. */
  texts: string[]
  /** How far into its line the place is, in cells. */
  cell: number
  /** Rows from the place to the end of the buffer. */
  fromEnd: number
}

/** The place of `row`. */
export function anchorAt(buffer: Lines, row: number, cols: number): Anchor {
  const start = lineStart(buffer, row)
  const texts: string[] = []
  for (let at = start; at < buffer.length && texts.length < FINGERPRINT_LINES; ) {
    const line = lineAt(buffer, at)
    texts.push(line.text)
    at += line.rows
  }
  return { texts, cell: (row - start) * cols, fromEnd: buffer.length - row }
}

/** The row of a place in a buffer of `cols` columns; 0, the oldest, when its lines are not there any more. */
export function rowOf(buffer: Lines, anchor: Anchor, cols: number): number {
  const within = Math.floor(anchor.cell / cols)
  const expected = buffer.length - anchor.fromEnd
  if (standsAt(buffer, expected - within, anchor.texts)) return expected
  const lines = allLines(buffer)
  const found = bestMatch(lines, anchor.texts, expected)
  if (!found) return 0
  const line = found.index - found.skipped
  return line < 0 ? 0 : (lines.starts[line] ?? 0) + (found.skipped ? 0 : within)
}

/** Remembers which line a person who scrolled up looks at; the result goes there again. At the bottom it does nothing. */
export function keepView(terminal: Viewed): () => void {
  const buffer = terminal.buffer.active
  if (buffer.viewportY >= buffer.baseY) return () => undefined
  const anchor = anchorAt(buffer, buffer.viewportY, terminal.cols)
  return () => {
    const { active } = terminal.buffer
    terminal.scrollToLine(Math.min(active.baseY, rowOf(active, anchor, terminal.cols)))
  }
}

function lineStart(buffer: Lines, row: number): number {
  let start = Math.max(0, row)
  while (start > 0 && buffer.getLine(start)?.isWrapped) start--
  return start
}

/** A whole line that begins at `start`, soft wraps joined; blanks at its end do not count. */
function lineAt(buffer: Lines, start: number): { text: string; rows: number } {
  let text = buffer.getLine(start)?.translateToString(true) ?? ""
  let rows = 1
  for (let next = buffer.getLine(start + rows); next?.isWrapped; next = buffer.getLine(start + rows)) {
    text += next.translateToString(true)
    rows++
  }
  return { text: text.trimEnd(), rows }
}

/** Whether all the texts stand there, one below the other. */
function standsAt(buffer: Lines, start: number, texts: string[]): boolean {
  if (start < 0 || buffer.getLine(start)?.isWrapped) return false
  let at = start
  return texts.every((text) => {
    const line = lineAt(buffer, at)
    at += line.rows
    return line.text === text
  })
}

interface Index {
  starts: number[]
  texts: string[]
}

function allLines(buffer: Lines): Index {
  const index: Index = { starts: [], texts: [] }
  for (let at = 0; at < buffer.length; ) {
    const line = lineAt(buffer, at)
    index.starts.push(at)
    index.texts.push(line.text)
    at += line.rows
  }
  return index
}

interface Match {
  /** The line where the match begins. */
  index: number
  /** Lines at the beginning of what was looked for that are not there. */
  skipped: number
}

/** Where most of `wanted` stands in one piece; of equal places the one nearest to the expected row. */
function bestMatch({ starts, texts }: Index, wanted: string[], expected: number): Match | null {
  const enough = Math.min(FEWEST_IN_COMMON, wanted.filter(Boolean).length)
  let best: Match = { index: -1, skipped: -1 }
  let most = enough - 1
  let nearest = 0
  for (let skipped = 0; skipped < wanted.length; skipped++) {
    if (most >= wanted.slice(skipped).filter(Boolean).length) break
    for (let index = 0; index < texts.length; index++) {
      if (texts[index] !== wanted[skipped]) continue
      const common = inCommon(texts, index, wanted, skipped)
      const distance = Math.abs((starts[index] ?? 0) - expected)
      if (common > most || (common === most && best.skipped === skipped && distance < nearest)) {
        best = { index, skipped }
        most = common
        nearest = distance
      }
    }
  }
  return best.index < 0 ? null : best
}

/** How many lines that are not blank follow each other alike. */
function inCommon(texts: string[], index: number, wanted: string[], skipped: number): number {
  let common = 0
  for (let i = 0; skipped + i < wanted.length && texts[index + i] === wanted[skipped + i]; i++) {
    if (wanted[skipped + i]) common++
  }
  return common
}
