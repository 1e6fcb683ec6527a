import { type AttachResult, OUTPUT, SNAPSHOT, SNAPSHOT_END } from "../generated/protocol"
import type { Frame } from "../link/frames"

/**
 * What a frame means for the screen; `end` is the offset that the screen shows once it is applied. A painting that is
 * not `whole` came without its scrollback. What is skipped tells the size that the screen has.
 */
export type Step =
  | { do: "paint"; data: Uint8Array; end: number; rows: number; cols: number; whole: boolean }
  | { do: "append"; data: Uint8Array; end: number }
  | { do: "skip"; end: number; rows: number; cols: number }
  | { do: "reattach" }

/** What an attach asks for: the bytes from `since` on, or with null a screen with `history` lines (null = all) above. */
export interface Wish {
  since: number | null
  history: 0 | null
}

/** The receiving half of an attach: which bytes continue what is shown, which repeat it, which are missing. No I/O. */
export class Attachment {
  /** 0 = not attached. */
  handle = 0
  /** Everything below is shown or queued; null = nothing ever was. */
  received: number | null = null
  private announced: AttachResult | null = null
  private parts: Uint8Array[] = []
  /** What is shown has its scrollback above it. */
  private whole = false
  private asked: Wish["history"] = null
  /** The attach was asked for without a history, so that only another one brings it. */
  private frameOnly = false
  private painted: Pick<AttachResult, "screen_rows" | "screen_cols"> | null = null

  /**
   * What to ask for now. With `quick` what shows nothing yet gets its frame, which is small, before the history. A
   * screen of another size than the session's cannot go on from its offset: its lines would break where no line ends.
   */
  ask(quick: boolean, rows: number, cols: number): Wish {
    this.asked = quick && this.received === null ? 0 : null
    const fits = this.whole && this.sizeIs(rows, cols)
    return { since: fits ? this.received : null, history: this.asked }
  }

  /** Whether another attach has to bring the history; so until it is there, whatever happens on the way. */
  get historyDue(): boolean {
    return this.handle !== 0 && this.frameOnly && !this.whole
  }

  begin(result: AttachResult): void {
    if (result.id !== 0) this.frameOnly = this.asked === 0
    this.handle = result.handle
    this.announced = result
    this.parts = []
  }

  /** The link is gone: an unfinished payload is worth nothing, what was shown stays. */
  end(): void {
    this.handle = 0
    this.announced = null
    this.parts = []
  }

  frame(frame: Frame): Step | null {
    switch (frame.kind) {
      case SNAPSHOT:
        this.parts.push(frame.data)
        return null
      case SNAPSHOT_END:
        this.parts.push(frame.data)
        return this.finishPayload()
      case OUTPUT:
        return this.append(frame.offset, frame.data)
      default:
        return null
    }
  }

  private finishPayload(): Step | null {
    const result = this.announced
    if (!result) return null
    const data = join(this.parts)
    this.announced = null
    this.parts = []
    const size = { rows: result.screen_rows, cols: result.screen_cols }
    const nothing: Step = { do: "skip", end: result.offset, ...size }
    // Nothing new is answered too: the daemon waits for that before it starts anew.
    if (result.payload === "delta") return this.append(result.offset - data.length, data) ?? nothing
    const keeps = result.payload === "none" || this.shows(result)
    this.received = result.offset
    if (keeps) return nothing
    // After a resize the daemon sends a bare frame at first, and once it is quiet another one of that size with history.
    this.whole = !this.frameOnly && (result.id !== 0 || this.sizeIs(result.screen_rows, result.screen_cols))
    this.painted = result
    return { do: "paint", data, end: result.offset, ...size, whole: this.whole }
  }

  /** What a program left behind when it ended may have less scrollback than what is shown; the rest is the same. */
  private shows(result: AttachResult): boolean {
    return (
      result.source === "persisted" &&
      this.whole &&
      result.offset === this.received &&
      this.sizeIs(result.screen_rows, result.screen_cols)
    )
  }

  private sizeIs(rows: number, cols: number): boolean {
    return this.painted?.screen_rows === rows && this.painted.screen_cols === cols
  }

  private append(offset: number, data: Uint8Array): Step | null {
    const known = this.received ?? offset
    if (offset > known) return { do: "reattach" }
    const end = offset + data.length
    if (end <= known) return null
    this.received = end
    return { do: "append", data: data.subarray(known - offset), end }
  }
}

export function join(parts: Uint8Array[]): Uint8Array {
  if (parts.length === 1 && parts[0]) return parts[0]
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
