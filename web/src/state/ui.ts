import { signal } from "@preact/signals"
import type { Condition, StoreView } from "../generated/protocol"
import type { LinkState } from "../link/link"

export type Dialog =
  | { kind: "new" }
  | { kind: "end"; session: string }
  | { kind: "link"; url: string }
  | { kind: "shortcuts" }

export interface Toast {
  id: number
  text: string
  detail: string
  error: boolean
}

export const link = signal<LinkState>("connecting")
export const loginProblem = signal<string | null>(null)
export const conditions = signal<Condition[]>([])
export const store = signal<StoreView | null>(null)
export const version = signal("")
export const home = signal<string | null>(null)
export const dialog = signal<Dialog | null>(null)
export const renaming = signal<string | null>(null)
export const drawerOpen = signal(false)
export const findOpen = signal(false)
export const bannerOpen = signal(sessionStorage.getItem("attn.banner") !== "collapsed")
export const hoveredLink = signal<string | null>(null)
export const toasts = signal<Toast[]>([])
/** The time for "12 s ago", once a second while the page is seen. */
export const now = signal(Date.now())

// More than this at once nobody reads.
const TOASTS = 3
const TOAST_MS = 5000
let nextToast = 1

setInterval(() => {
  if (!document.hidden) now.value = Date.now()
}, 1000)

export function toast(text: string, detail = "", error = false): void {
  const entry = { id: nextToast++, text, detail, error }
  toasts.value = [...toasts.value, entry].slice(-TOASTS)
  setTimeout(() => {
    toasts.value = toasts.value.filter((each) => each.id !== entry.id)
  }, TOAST_MS)
}

export function toggleBanner(): void {
  bannerOpen.value = !bannerOpen.value
  sessionStorage.setItem("attn.banner", bannerOpen.value ? "open" : "collapsed")
}
