import { describe, expect, it } from "vitest"
import { BINARY_HEADER_BYTES, type Ok } from "../generated/protocol"
import { RequestError } from "../link/link"
import { AWAY_MAX_BYTES, AWAY_MAX_INPUTS, AWAY_MAX_MS, InputQueue } from "./input"

const bytes = (text: string) => ({ bytes: new TextEncoder().encode(text) })
const shift = { keys: [{ action: "press" as const, key: "A", code: "KeyA", text: "A", mods: 1 }] }

/** A queue, what it sent, what it complained of, and its clock. */
function queue() {
  const made = {
    sent: [] as string[],
    failed: [] as string[],
    at: 0,
    answer: () => Promise.resolve<Ok>({ type: "ok", id: 1 }),
    input: null as unknown as InputQueue,
  }
  const link = {
    say: (message: object) => made.sent.push(JSON.stringify(message)),
    sendFrame: (frame: ArrayBuffer) =>
      made.sent.push(new TextDecoder().decode(new Uint8Array(frame, BINARY_HEADER_BYTES))),
    input: (_handle: number, data: Uint8Array) => {
      made.sent.push(`${data.length} bytes`)
      return made.answer()
    },
  }
  const fail = (error: RequestError) => made.failed.push(error.code)
  made.input = new InputQueue(link as unknown as ConstructorParameters<typeof InputQueue>[0], fail, () => made.at)
  return made
}

describe("what is typed while the daemon is away", () => {
  it("is sent once, in order, when it is back", () => {
    const made = queue()
    made.input.opened(1)
    made.input.push(bytes("before"))
    made.input.closed()
    made.input.push(bytes("l"))
    made.input.push(shift)
    made.input.push(bytes("s\r"))
    made.input.closed()
    expect(made.sent).toEqual(["before"])
    made.input.opened(2)
    made.input.opened(3)
    expect(made.sent).toHaveLength(4)
    expect([made.sent[1], made.sent[3]]).toEqual(["l", "s\r"])
    expect(JSON.parse(made.sent[2] ?? "")).toMatchObject({ type: "pty_keys", handle: 2 })
  })

  it("is no mouse and no focus", () => {
    const made = queue()
    for (const report of ["\x1b[<0;1;1M", "\x1b[M   ", "\x1b[I", "\x1b[O"]) made.input.push(bytes(report))
    made.input.push(bytes("\x1b[Z"))
    made.input.opened(1)
    expect(made.sent).toEqual(["\x1b[Z"])
  })

  it("is bounded in number, size and age, and says what it does not keep", () => {
    const made = queue()
    made.input.push(bytes("x".repeat(AWAY_MAX_BYTES + 1)))
    for (let i = 0; i <= AWAY_MAX_INPUTS; i++) made.input.push(bytes("y"))
    expect(made.failed).toEqual(["input_full", "input_full"])
    made.at = AWAY_MAX_MS + 1
    made.input.opened(1)
    expect(made.sent).toEqual([])
    expect(made.failed.at(-1)).toBe("input_stale")
    made.input.push(bytes("z"))
    expect(made.sent).toEqual(["z"])
  })

  it("is dropped with the program", () => {
    const made = queue()
    made.input.push(bytes("x"))
    made.input.drop()
    made.input.opened(1)
    expect(made.sent).toEqual([])
  })
})

describe("a large paste", () => {
  it("goes in pieces, and what is typed meanwhile comes behind it", async () => {
    const made = queue()
    made.input.opened(1)
    made.input.push(bytes("p".repeat(100_000)))
    made.input.push(bytes("after"))
    await new Promise((done) => setTimeout(done))
    expect(made.sent).toEqual(["65536 bytes", "34464 bytes", "after"])
  })

  it("that breaks off takes with it what is behind it, and is not tried again", async () => {
    const made = queue()
    made.answer = () => Promise.reject(new RequestError("link_lost", ""))
    made.input.opened(1)
    made.input.push(bytes("p".repeat(100_000)))
    made.input.push(bytes("after"))
    made.input.closed()
    await new Promise((done) => setTimeout(done))
    made.input.opened(2)
    expect(made.sent).toEqual(["65536 bytes"])
    expect(made.failed).toEqual(["link_lost"])
  })
})
