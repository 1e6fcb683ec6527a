import type { Terminal } from "@xterm/xterm"
import { keepView } from "./anchor"
import { join, type Step } from "./attachment"
import { Characters } from "./characters"

type Sink = Pick<Terminal, "write" | "resize" | "rows" | "cols" | "buffer" | "scrollToLine">
type Job = Exclude<Step, { do: "reattach" }>

// Measured (docs in ARCHITECTURE.md, "The page"): one write of a snapshot up to 128 KiB blocks for less than 20 ms;
// a longer one is parsed in parts behind synchronised output so that keys stay quick and no part is ever drawn.
export const ONE_WRITE_BYTES = 128 << 10
const CHUNK_BYTES = 64 << 10
// A terminal that is not in the page yet parses four times as fast: no scroll bar follows its lines. It has to be in it
// for the end of a snapshot, where the colours stand that a program set: xterm.js keeps none without an element.
const END_BYTES = 16 << 10
// A terminal that nobody sees takes this much per turn; the daemon drops what it cannot keep and sends a fresh frame.
const HIDDEN_BYTES = 64 << 10
const HIDDEN_PAUSE_MS = 60

const RIS = encode("\x1bc")
const SYNC_BEGIN = encode("\x1bc\x1b[?2026h")
const SYNC_END = encode("\x1b[?2026l")
const ESC = 0x1b
const BRACKET = 0x5b

/** Feeds one xterm.js Terminal: one write in flight, what arrives meanwhile is joined, progress told in the callback. */
export class Writer {
  private jobs: Job[] = []
  private busy = false
  private readonly characters = new Characters()
  private timer = 0
  private disposed = false
  /** Nobody looks: bytes are taken up a few at a time. */
  hidden = false

  constructor(
    private readonly terminal: Sink,
    private readonly onApplied: (offset: number, painted: boolean) => void,
    /** Called before the end of what is painted: the terminal has to be in the page for that. */
    private readonly onEnding: () => void = () => undefined,
  ) {}

  push(job: Job): void {
    // A frame replaces whatever was waiting to be drawn.
    if (job.do === "paint") this.jobs = []
    this.jobs.push(job)
    this.pump()
  }

  /** Shown again: take up what waits without the pause. */
  wake(): void {
    clearTimeout(this.timer)
    this.timer = 0
    this.pump()
  }

  /** Nothing is told or written any more. */
  dispose(): void {
    clearTimeout(this.timer)
    this.jobs = []
    this.busy = this.disposed = true
  }

  private pump(): void {
    if (this.busy || this.timer) return
    const job = this.jobs[0]
    if (!job) return
    if (job.do === "append") return this.write(this.takeAppends())
    this.jobs.shift()
    this.busy = true
    if (job.do === "paint") return this.paint(job)
    this.fitTo(job.rows, job.cols)
    this.done(job.end, false)
  }

  private takeAppends(): { data: Uint8Array; end: number } {
    const parts: Uint8Array[] = []
    let bytes = 0
    let end = 0
    for (let job = this.jobs[0]; job?.do === "append"; job = this.jobs[0]) {
      if (this.hidden && bytes >= HIDDEN_BYTES) break
      parts.push(job.data)
      bytes += job.data.length
      end = job.end
      this.jobs.shift()
    }
    return { data: join(parts), end }
  }

  private write({ data, end }: { data: Uint8Array; end: number }): void {
    this.busy = true
    this.inChunks(data, () => this.done(end, false))
  }

  private paint(job: Extract<Job, { do: "paint" }>): void {
    this.characters.forget()
    const lookAgain = keepView(this.terminal)
    this.fitTo(job.rows, job.cols)
    const done = () => {
      lookAgain()
      this.done(job.end, true)
    }
    if (job.data.length > ONE_WRITE_BYTES) return this.paintInChunks(synchronised(job.data), done)
    this.onEnding()
    this.feed(join([RIS, job.data]), done)
  }

  private paintInChunks(data: Uint8Array, done: () => void): void {
    this.inChunks(data.subarray(0, -END_BYTES), () => {
      if (this.disposed) return
      this.onEnding()
      this.feed(data.subarray(-END_BYTES), done)
    })
  }

  private inChunks(data: Uint8Array, done: () => void): void {
    const last = Math.max(0, Math.ceil(data.length / CHUNK_BYTES) - 1)
    for (let i = 0; i <= last; i++) {
      const chunk = data.subarray(i * CHUNK_BYTES, (i + 1) * CHUNK_BYTES)
      this.feed(chunk, i === last ? done : undefined)
    }
  }

  private feed(data: Uint8Array, done?: () => void): void {
    this.terminal.write(this.characters.next(data), done)
  }

  private done(end: number, painted: boolean): void {
    if (this.disposed) return
    this.busy = false
    this.onApplied(end, painted)
    if (this.hidden && this.jobs.length > 0) this.timer = window.setTimeout(() => this.wake(), HIDDEN_PAUSE_MS)
    else this.pump()
  }

  private fitTo(rows: number, cols: number): void {
    if (this.terminal.rows !== rows || this.terminal.cols !== cols) this.terminal.resize(cols, rows)
  }
}

/**
 * A snapshot between RIS + synchronised output and its end. The end goes before the last CSI instead of behind the
 * data, which may stop inside a sequence that the live bytes will finish.
 */
export function synchronised(data: Uint8Array): Uint8Array {
  let cut = data.length - 1
  while (cut > 0 && !(data[cut - 1] === ESC && data[cut] === BRACKET)) cut--
  if (cut <= 0) return join([RIS, data])
  return join([SYNC_BEGIN, data.subarray(0, cut - 1), SYNC_END, data.subarray(cut - 1)])
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}
