import { describe, expect, it } from "vitest"
import { type AttachResult, OUTPUT, SNAPSHOT, SNAPSHOT_END } from "../generated/protocol"
import { Attachment } from "./attachment"
import { synchronised } from "./writer"

const bytes = (text: string) => new TextEncoder().encode(text)
const text = (data: Uint8Array) => new TextDecoder().decode(data)

function result(payload: AttachResult["payload"], offset: number, changes: Partial<AttachResult> = {}): AttachResult {
  const cursor = { row: 0, col: 0, visible: true }
  const facts = { type: "attach_result", id: 1, handle: 7, session: "s", screen_rows: 40, screen_cols: 120 } as const
  const rest = { alternate_screen: false, format: "vt1", fidelity: "screen", source: "live", taken_at_ms: 0 } as const
  return { ...facts, ...rest, cursor, payload, offset, running: true, ...changes }
}
/** An attach with its whole payload, asked for as the page does. */
function attach(attachment: Attachment, announced: AttachResult, quick = true) {
  const wish = attachment.ask(quick, 40, 120)
  attachment.begin(announced)
  return { wish, step: attachment.frame(frame(SNAPSHOT_END, announced.offset, "screen")) }
}
const frame = (kind: number, offset: number, data: string) => ({ kind, handle: 7, offset, data: bytes(data) })

describe("Attachment", () => {
  it("paints a snapshot that came in parts and goes on from its offset", () => {
    const attachment = new Attachment()
    attachment.begin(result("snapshot", 100))
    expect(attachment.frame(frame(SNAPSHOT, 0, "abc"))).toBeNull()
    const step = attachment.frame(frame(SNAPSHOT_END, 100, "def"))
    expect(step).toMatchObject({ do: "paint", end: 100, rows: 40, cols: 120 })
    expect(step?.do === "paint" && text(step.data)).toBe("abcdef")
    expect(attachment.frame(frame(OUTPUT, 100, "xy"))).toMatchObject({ do: "append", end: 102 })
  })

  it("ignores what it has and asks again for what it misses", () => {
    const attachment = new Attachment()
    attachment.begin(result("snapshot", 10))
    attachment.frame(frame(SNAPSHOT_END, 10, ""))
    expect(attachment.frame(frame(OUTPUT, 4, "abc"))).toBeNull()
    const step = attachment.frame(frame(OUTPUT, 8, "abcd"))
    expect(step?.do === "append" && text(step.data)).toBe("cd")
    expect(attachment.frame(frame(OUTPUT, 20, "z"))).toEqual({ do: "reattach" })
  })

  it("continues with a delta after the link was lost", () => {
    const attachment = new Attachment()
    attachment.begin(result("snapshot", 10))
    attachment.frame(frame(SNAPSHOT_END, 10, ""))
    attachment.end()
    expect(attachment.received).toBe(10)
    attachment.begin(result("delta", 15))
    const step = attachment.frame(frame(SNAPSHOT_END, 15, "abcde"))
    expect(step?.do === "append" && text(step.data)).toBe("abcde")
    attachment.end()
    attachment.begin(result("delta", 15))
    expect(attachment.frame(frame(SNAPSHOT_END, 15, "")), "answered though it is empty").toMatchObject({
      do: "skip",
      end: 15,
    })
  })

  it("clears nothing when there is no snapshot", () => {
    const attachment = new Attachment()
    attachment.begin(result("none", 33))
    expect(attachment.frame(frame(SNAPSHOT_END, 33, ""))).toMatchObject({ do: "skip", end: 33 })
  })

  it("forgets an unfinished payload with the link", () => {
    const attachment = new Attachment()
    attachment.begin(result("snapshot", 10))
    attachment.frame(frame(SNAPSHOT, 0, "abc"))
    attachment.end()
    expect(attachment.received).toBeNull()
    expect(attachment.frame(frame(SNAPSHOT_END, 10, "def"))).toBeNull()
  })
})

describe("the history", () => {
  it("comes with a second attach after the frame, and then a reconnect goes on from the offset", () => {
    const attachment = new Attachment()
    expect(attach(attachment, result("snapshot", 10)).wish).toEqual({ since: null, history: 0 })
    expect(attachment.historyDue).toBe(true)
    expect(attach(attachment, result("snapshot", 12, { handle: 8 })).wish).toEqual({ since: null, history: null })
    expect(attachment.historyDue).toBe(false)
    attachment.end()
    expect(attachment.ask(true, 40, 120)).toEqual({ since: 12, history: null })
  })

  it("stays due while it is refused, announced or cut off, until it arrived", () => {
    const attachment = new Attachment()
    attach(attachment, result("snapshot", 10))
    attachment.ask(true, 40, 120)
    expect(attachment.historyDue, "refused").toBe(true)
    attachment.begin(result("snapshot", 20, { handle: 8 }))
    attachment.frame({ ...frame(SNAPSHOT, 20, "half of it"), handle: 8 })
    attachment.end()
    expect(attachment.ask(true, 40, 120), "cut off").toEqual({ since: null, history: null })
  })

  it("is asked for at once where there is no haste", () => {
    expect(new Attachment().ask(false, 40, 120)).toEqual({ since: null, history: null })
  })

  it("is missing after a resize until the second frame of that size", () => {
    const attachment = new Attachment()
    attach(attachment, result("snapshot", 10), false)
    const resized = { id: 0, screen_rows: 30 }
    attach(attachment, result("snapshot", 20, resized), false)
    expect(attachment.ask(true, 30, 120)).toEqual({ since: null, history: null })
    attach(attachment, result("snapshot", 30, resized), false)
    expect(attachment.ask(true, 30, 120)).toEqual({ since: 30, history: null })
    expect(attachment.ask(true, 31, 120), "resized while away").toEqual({ since: null, history: null })
  })
})

describe("what an ended program left behind", () => {
  const kept = (offset: number, changes: Partial<AttachResult> = {}) =>
    result("snapshot", offset, { source: "persisted", running: false, ...changes })

  it("does not replace what already shows that offset", () => {
    const attachment = new Attachment()
    attach(attachment, result("snapshot", 10), false)
    attachment.end()
    expect(attach(attachment, kept(10)).step).toMatchObject({ do: "skip", end: 10 })
  })

  it("replaces another offset, another size, and a bare frame", () => {
    const attachment = new Attachment()
    attach(attachment, result("snapshot", 10), false)
    expect(attach(attachment, kept(12)).step).toMatchObject({ do: "paint", end: 12 })
    expect(attach(attachment, kept(12, { screen_cols: 80 })).step).toMatchObject({ do: "paint", cols: 80 })
    const bare = new Attachment()
    attach(bare, result("snapshot", 10))
    expect(attach(bare, kept(10)).step).toMatchObject({ do: "paint" })
  })
})

describe("synchronised", () => {
  it("ends before the last CSI, so that an unfinished sequence stays the last thing", () => {
    const framed = text(synchronised(bytes("screen\x1b[?25l\x1b]2;unfin")))
    expect(framed).toBe("\x1bc\x1b[?2026hscreen\x1b[?2026l\x1b[?25l\x1b]2;unfin")
  })

  it("does without synchronised output where there is no CSI", () => {
    expect(text(synchronised(bytes("plain")))).toBe("\x1bcplain")
  })
})
