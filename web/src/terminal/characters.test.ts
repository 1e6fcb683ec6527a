import { Terminal } from "@xterm/xterm"
import { describe, expect, it } from "vitest"
import { Characters } from "./characters"

const TEXT = "a — “b” … • 漢 👍\u200d✓ é"
const encode = (text: string) => new TextEncoder().encode(text)

function shown(parts: (Uint8Array | string)[]): Promise<string> {
  const terminal = new Terminal({ cols: 40, rows: 2, allowProposedApi: true })
  for (const part of parts.slice(0, -1)) terminal.write(part)
  return new Promise((done) => {
    terminal.write(parts.at(-1) ?? "", () => {
      done(terminal.buffer.active.getLine(0)?.translateToString(true) ?? "")
      terminal.dispose()
    })
  })
}

describe("Characters", () => {
  it("shows the same text wherever the stream is split", async () => {
    const bytes = encode(TEXT)
    for (let cut = 0; cut <= bytes.length; cut++) {
      const characters = new Characters()
      const parts = [characters.next(bytes.subarray(0, cut)), characters.next(bytes.subarray(cut))]
      expect(await shown(parts)).toBe(TEXT)
    }
  })

  it("stands for what the terminal gets wrong by itself", async () => {
    const bullet = encode("•")
    expect(await shown([bullet.subarray(0, 2), bullet.subarray(2)])).not.toBe("•")
  })

  it("drops variation selectors where the worker does, also when they come later", () => {
    const characters = new Characters()
    expect(characters.next(encode("1\ufe0f\u20e3 ❤\ufe0f ❤\u0301\ufe0f ☝\ufe0f a\ufe0e ❤"))).toBe(
      "1\u20e3 ❤\ufe0f ❤\u0301\ufe0f ☝ a ❤",
    )
    expect(characters.next(encode("\ufe0f 2"))).toBe("\ufe0f 2")
    expect(characters.next(encode("\ufe0f"))).toBe("")
  })

  it("obeys no control that came as a character", () => {
    expect(new Characters().next(encode("a\x9b31mb"))).toBe("a31mb")
  })

  it("shows broken bytes as the worker does, and forgets what was begun", () => {
    const characters = new Characters()
    expect(characters.next(Uint8Array.of(0xff, 0x28, 0xe2, 0x80))).toBe("\ufffd(")
    characters.forget()
    expect(characters.next(encode("\ufeffb"))).toBe("\ufeffb")
  })
})
