import type { KeyEvent } from "../generated/protocol"
import { packInput } from "../link/frames"
import { type Link, RequestError } from "../link/link"

type Input = { bytes: Uint8Array } | { keys: KeyEvent[] }

// A worker holds 1 MiB that its program did not read yet. What is longer than a piece (a large paste) goes in pieces,
// each when the terminal took the one before; what is typed meanwhile stays behind it.
const PIECE_BYTES = 64 << 10
const WAITING_MAX_BYTES = 32 << 20
const WAITING_MAX_INPUTS = 4096

/** What a person types into one session, in order. Without a link it is dropped, and the page says so. */
export class InputQueue {
  /** Of the attach that input goes to; 0 = none. */
  handle = 0
  /** An attach is on its way: what is typed now is meant for it. */
  attaching = false
  private waiting: Input[] = []
  private waitingBytes = 0
  private busy = false

  constructor(
    private readonly link: Link,
    private readonly onFailed: (error: RequestError) => void,
  ) {}

  push(input: Input): void {
    const size = "bytes" in input ? input.bytes.length : 0
    if (!this.busy && this.handle) return this.deliver(input)
    if (!this.busy && !this.attaching) return
    if (this.waitingBytes + size > WAITING_MAX_BYTES || this.waiting.length >= WAITING_MAX_INPUTS) {
      return this.onFailed(new RequestError("input_full", "The program does not read its input; nothing was typed."))
    }
    this.waiting.push(input)
    this.waitingBytes += size
  }

  /** An attach succeeded. */
  opened(handle: number): void {
    this.handle = handle
    this.flush()
  }

  /** The link or the session is gone, and with it what waited. */
  closed(): void {
    this.handle = 0
    this.waiting = []
    this.waitingBytes = 0
  }

  private flush(): void {
    while (!this.busy && this.handle) {
      const input = this.waiting.shift()
      if (!input) return
      if ("bytes" in input) this.waitingBytes -= input.bytes.length
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
      this.waiting = []
      this.waitingBytes = 0
      this.onFailed(error)
    } finally {
      this.busy = false
      this.flush()
    }
  }
}
