import type { KeyEvent } from "../generated/protocol"
import { packInput } from "../link/frames"
import { type Link, RequestError } from "../link/link"

export type Input = { bytes: Uint8Array } | { keys: KeyEvent[] }

// A worker holds 1 MiB that its program did not read yet. What is longer than a piece (a large paste) goes in pieces,
// each when the terminal took the one before; what is typed meanwhile stays behind it.
const PIECE_BYTES = 64 << 10
const WAITING_MAX_BYTES = 32 << 20
const WAITING_MAX_INPUTS = 4096
// While nobody takes it: what a person types before noticing, and a short command. A program that waits for a minute
// may ask something else by now.
export const AWAY_MAX_INPUTS = 256
export const AWAY_MAX_BYTES = 4096
export const AWAY_MAX_MS = 60_000

/**
 * What a person types into one session, in order. Without a link a little of it waits; whatever was sent is never sent
 * again, as nobody knows whether it arrived.
 */
export class InputQueue {
  /** Of the attach that input goes to; 0 = none. */
  handle = 0
  /** An attach is on its way: what is typed now is meant for it. */
  attaching = false
  private waiting: Input[] = []
  private waitingBytes = 0
  private awayAt: number | null = null
  private busy = false

  constructor(
    private readonly link: Pick<Link, "say" | "sendFrame" | "input">,
    private readonly onFailed: (error: RequestError) => void,
    private readonly now: () => number = Date.now,
  ) {}

  push(input: Input): void {
    if (!this.busy && this.handle) return this.deliver(input)
    if (!this.busy && !this.attaching) return this.keep(input)
    if (!this.fits(input, WAITING_MAX_INPUTS, WAITING_MAX_BYTES)) {
      return this.onFailed(new RequestError("input_full", "The program does not read its input; nothing was typed."))
    }
    this.add(input)
  }

  /** An attach succeeded. */
  opened(handle: number): void {
    if (this.awayAt !== null && this.now() - this.awayAt > AWAY_MAX_MS) {
      this.drop()
      const detail = "It waited for more than a minute; the program may ask something else by now."
      this.onFailed(new RequestError("input_stale", "What you typed while attn was away was not sent.", detail))
    }
    this.handle = handle
    this.awayAt = null
    this.flush()
  }

  /** The link is gone: what was not sent yet waits for the next one. */
  closed(): void {
    this.handle = 0
  }

  /** Nothing reads it any more. */
  drop(): void {
    this.waiting = []
    this.waitingBytes = 0
    this.awayAt = null
  }

  private keep(input: Input): void {
    if (isReport(input)) return
    if (!this.fits(input, AWAY_MAX_INPUTS, AWAY_MAX_BYTES)) {
      return this.onFailed(
        new RequestError("input_full", "attn is away, and more than this it does not keep for later."),
      )
    }
    this.awayAt ??= this.now()
    this.add(input)
  }

  private fits(input: Input, inputs: number, bytes: number): boolean {
    return this.waiting.length < inputs && this.waitingBytes + sizeOf(input) <= bytes
  }

  private add(input: Input): void {
    this.waiting.push(input)
    this.waitingBytes += sizeOf(input)
  }

  private flush(): void {
    while (!this.busy && this.handle) {
      const input = this.waiting.shift()
      if (!input) return
      this.waitingBytes -= sizeOf(input)
      this.deliver(input)
    }
  }

  private deliver(input: Input): void {
    if ("keys" in input) this.link.say({ type: "pty_keys", handle: this.handle, events: input.keys })
    else if (input.bytes.length <= PIECE_BYTES) this.link.sendFrame(packInput(this.handle, input.bytes))
    else void this.inPieces(input.bytes)
  }

  private async inPieces(bytes: Uint8Array): Promise<void> {
    this.busy = true
    try {
      for (let start = 0; start < bytes.length; start += PIECE_BYTES) {
        await this.link.input(this.handle, bytes.subarray(start, start + PIECE_BYTES))
      }
    } catch (error) {
      if (!(error instanceof RequestError)) throw error
      // What was typed behind a paste that broke off would land in the middle of it.
      this.drop()
      this.onFailed(error)
    } finally {
      this.busy = false
      this.flush()
    }
  }
}

function sizeOf(input: Input): number {
  return "bytes" in input ? input.bytes.length : 0
}

/** Mouse and focus are of the moment: a click that comes a minute later hits something else. */
function isReport(input: Input): boolean {
  if (!("bytes" in input)) return false
  const text = new TextDecoder("latin1").decode(input.bytes)
  return text.startsWith("\x1b[<") || text.startsWith("\x1b[M") || text === "\x1b[I" || text === "\x1b[O"
}
