import { beforeEach, expect, it, vi } from "vitest"
import type { SessionView } from "../generated/protocol"

vi.stubGlobal("location", { hash: "", pathname: "/", search: "" })
vi.stubGlobal("history", { replaceState: () => undefined })
const list = await import("./sessions")
const view = (id: string, order: number) => ({ id, order, created_at_ms: 0 }) as SessionView

beforeEach(() => list.replaceAll([view("one", 0), view("two", 1)]))

it("selects a session that an address named as soon as there is one", () => {
  list.selectNamed("two")
  expect(list.selectedId.value).toBe("two")
  list.selectNamed("later")
  expect(list.selectedId.value, "nothing is left for what is not there").toBe("two")
  list.upsert(view("other", 2))
  expect(list.selectedId.value).toBe("two")
  list.upsert(view("later", 3))
  expect(list.selectedId.value).toBe("later")
})

it("does not take a person away from what they chose meanwhile", () => {
  list.selectNamed("late")
  list.select("one")
  list.upsert(view("late", 3))
  expect(list.selectedId.value).toBe("one")
})

it("finds the session that an address named in a list that comes later", () => {
  list.selectNamed("three")
  list.replaceAll([view("one", 0), view("three", 1)])
  expect(list.selectedId.value).toBe("three")
})
