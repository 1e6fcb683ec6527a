import { Terminal } from "@xterm/xterm"
import { describe, expect, it } from "vitest"
import { KeyboardModes } from "./keyboard_modes"

async function after(...sequences: string[]): Promise<KeyboardModes> {
  const terminal = new Terminal({ allowProposedApi: true })
  const modes = new KeyboardModes(terminal)
  for (const sequence of sequences) await new Promise<void>((done) => terminal.write(sequence, done))
  return modes
}

describe("KeyboardModes", () => {
  it.each<[string, string[], number, boolean]>([
    ["nothing", [], 0, false],
    ["push", ["\x1b[>7u"], 7, true],
    ["push and pop", ["\x1b[>7u\x1b[<u"], 0, false],
    ["pop of more than there is", ["\x1b[>7u\x1b[>1u\x1b[<9u"], 0, false],
    ["set, add, take away", ["\x1b[=1u\x1b[=6;2u\x1b[=2;3u"], 5, true],
    ["modifyOtherKeys", ["\x1b[>4;2m"], 0, true],
    ["modifyOtherKeys off", ["\x1b[>4;2m\x1b[>4m"], 0, false],
    ["all modify resources off", ["\x1b[>4;2m\x1b[>m"], 0, false],
    ["reset", ["\x1b[>7u\x1b[>4;2m\x1bc"], 0, false],
    ["the alternate screen has a stack of its own", ["\x1b[>7u\x1b[?1049h"], 0, false],
    ["and the normal screen keeps its own", ["\x1b[>7u\x1b[?1049h\x1b[>1u\x1b[?1049l"], 7, true],
  ])("%s", async (_name, sequences, flags, wanted) => {
    const modes = await after(...sequences)
    expect([modes.flags, modes.eventsWanted]).toEqual([flags, wanted])
  })
})
