import { Terminal } from "@xterm/xterm"
import { describe, expect, it } from "vitest"
import { anchorAt, keepView, rowOf } from "./anchor"

async function terminal(text: string, cols = 20, scrollback = 1000): Promise<Terminal> {
  const made = new Terminal({ allowProposedApi: true, rows: 5, cols, scrollback })
  await written(made, text)
  return made
}
const written = (to: Terminal, text: string) => new Promise<void>((done) => to.write(text, done))
const numbered = (from: number, to: number, text = "line") =>
  Array.from({ length: to - from + 1 }, (_, i) => `${text} ${from + i}\r\n`).join("")
const top = (shown: Terminal) => shown.buffer.active.getLine(shown.buffer.active.viewportY)?.translateToString(true)

/** The text at the row that the place of `row` in `before` has in `after`. */
function moved(before: Terminal, row: number, after: Terminal): string | undefined {
  const found = rowOf(after.buffer.active, anchorAt(before.buffer.active, row, before.cols), after.cols)
  return after.buffer.active.getLine(found)?.translateToString(true)
}

describe("a place in the scrollback", () => {
  it("is the same in a buffer that has history above and output below", async () => {
    const before = await terminal(numbered(500, 540))
    const after = await terminal(numbered(1, 700))
    expect(moved(before, 3, after)).toBe("line 503")
  })

  it("is the same where lines wrap in other places", async () => {
    const long = (n: number) => numbered(n, n + 40, "a line of more than thirty characters, number")
    const before = await terminal(long(100), 30)
    const after = await terminal(long(90), 100)
    const row = rowOf(after.buffer.active, anchorAt(before.buffer.active, 6, 30), 100)
    const line = before.buffer.active.getLine(6)?.translateToString(true) ?? "?"
    expect(after.buffer.active.getLine(row)?.translateToString(true)).toContain(line.trimEnd())
  })

  it("is as far from the end as it was among lines that are all alike", async () => {
    const same = "y\r\n".repeat(300)
    const [before, after] = [await terminal(same), await terminal(numbered(1, 50) + same)]
    const end = (shown: Terminal) => shown.buffer.active.length
    const row = rowOf(after.buffer.active, anchorAt(before.buffer.active, 100, 20), 20)
    expect(end(after) - row).toBe(end(before) - 100)
  })

  it("is the oldest line once its own lines are gone, and not one that looks like the first of them", async () => {
    const before = await terminal(`}\r\n${numbered(1, 60)}`)
    const after = await terminal(`${numbered(900, 1000)}}\r\n${numbered(2000, 2100)}`)
    expect(rowOf(after.buffer.active, anchorAt(before.buffer.active, 0, 20), 20)).toBe(0)
  })

  it("is the oldest line while the first of its lines are gone", async () => {
    const [before, after] = [await terminal(numbered(1, 60)), await terminal(numbered(4, 60))]
    expect(moved(before, 1, after)).toBe("line 4")
  })
})

describe("keepView", () => {
  it("looks at the same lines after a new painting, and follows the output at the bottom", async () => {
    const shown = await terminal(numbered(1, 60))
    shown.scrollToLine(10)
    const again = keepView(shown)
    await written(shown, `\x1bc${numbered(-20, 90)}`)
    again()
    expect(top(shown)).toBe("line 11")
    shown.scrollToBottom()
    const stay = keepView(shown)
    await written(shown, `\x1bc${numbered(1, 30)}`)
    stay()
    expect(shown.buffer.active.viewportY).toBe(shown.buffer.active.baseY)
  })
})
