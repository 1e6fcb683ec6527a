import { describe, expect, it } from "vitest"
import { splitArguments } from "./arguments"

describe("splitArguments", () => {
  it.each([
    ["", []],
    ["  a  b ", ["a", "b"]],
    [`--say 'two words' "and \\"more\\"" a\\ b`, ["--say", "two words", 'and "more"', "a b"]],
    [`'' x""y`, ["", "xy"]],
    ["$HOME *", ["$HOME", "*"]],
  ])("%j", (line, expected) => {
    expect(splitArguments(line)).toEqual(expected)
  })

  it("refuses an open quote", () => {
    expect(() => splitArguments("'a")).toThrow(SyntaxError)
  })
})
