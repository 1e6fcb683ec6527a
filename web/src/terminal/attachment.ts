import { type AttachResult, OUTPUT, SNAPSHOT, SNAPSHOT_END } from "../generated/protocol"
import type { Frame } from "../link/frames"

/** What a frame means for the screen; `end` is the offset that the screen shows once it is applied. */
export type Step =
  | { do: "paint"; data: Uint8Array; end: number; rows: number; cols: number }
  | { do: "append"; data: Uint8Array; end: number }
  | { do: "skip"; end: number }
  | { do: "reattach" }

/** The receiving half of an attach: which bytes continue what is shown, which repeat it, which are missing. No I/O. */
export class Attachment {
  /** 0 = not attached. */
  handle = 0
  /** Everything below is shown or queued; null = nothing ever was. */
  received: number | null = null
  private announced: AttachResult | null = null
  private parts: Uint8Array[] = []

  begin(result: AttachResult): void {
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
    if (result.payload === "delta") return this.append(result.offset - data.length, data)
    this.received = result.offset
    if (result.payload === "none") return { do: "skip", end: result.offset }
    return { do: "paint", data, end: result.offset, rows: result.screen_rows, cols: result.screen_cols }
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
