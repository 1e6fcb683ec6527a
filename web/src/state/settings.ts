import { computed, effect, signal } from "@preact/signals"
import type { SetSetting } from "../generated/protocol"
import type { Scheme } from "../terminal/theme"

export type ThemeChoice = "auto" | Scheme

const THEMES: ThemeChoice[] = ["auto", "dark", "light"]
const SMALLEST_FONT = 8
const LARGEST_FONT = 28
export const USUAL_FONT = matchMedia("(max-width: 720px)").matches ? 12 : 13

const prefersLight = matchMedia("(prefers-color-scheme: light)")
const systemScheme = signal<Scheme>(prefersLight.matches ? "light" : "dark")
prefersLight.addEventListener("change", (event) => {
  systemScheme.value = event.matches ? "light" : "dark"
})

export const themeChoice = signal<ThemeChoice>(stored("theme", THEMES) ?? "auto")
export const scheme = computed<Scheme>(() => (themeChoice.value === "auto" ? systemScheme.value : themeChoice.value))
export const fontSize = signal(clampFont(Number(localStorage.getItem("attn.font")) || USUAL_FONT))
/** Of the last session that was started, for the next dialog. */
export const lastAgent = signal(localStorage.getItem("attn.agent") ?? "shell")

effect(() => {
  document.documentElement.dataset.scheme = scheme.value
})

/**
 * The daemon's database keeps the settings; this browser keeps a copy, for a start without a daemon and for what could
 * not be saved.
 */
type Key = SetSetting["key"]
const known: Partial<Record<Key, string>> = {}
const unsaved = new Set<Key>(JSON.parse(localStorage.getItem("attn.unsaved") ?? "[]"))
let save: (key: Key, value: string) => Promise<boolean> = async () => false
let starting = true

effect(() => keep("theme", themeChoice.value))
effect(() => keep("font", String(fontSize.value)))
effect(() => keep("agent", lastAgent.value))
starting = false

/** How a setting reaches the daemon; `false` when it could not be saved now. */
export function saveWith(saver: typeof save): void {
  save = saver
}

/** What the daemon has. A setting that was changed here and could not be saved then is saved now instead. */
export function adopt(settings: Record<string, string>): void {
  for (const key of ["theme", "font", "agent"] as const) {
    const value = settings[key]
    if (unsaved.has(key)) void push(key)
    else if (value !== undefined) {
      known[key] = value
      show(key, value)
    }
  }
}

function show(key: Key, value: string): void {
  if (key === "theme" && THEMES.includes(value as ThemeChoice)) themeChoice.value = value as ThemeChoice
  if (key === "font") fontSize.value = clampFont(Number(value) || USUAL_FONT)
  if (key === "agent") lastAgent.value = value
}

async function push(key: Key): Promise<void> {
  const value = localStorage.getItem(`attn.${key}`) ?? ""
  if (!(await save(key, value)) || localStorage.getItem(`attn.${key}`) !== value) return
  known[key] = value
  unsaved.delete(key)
  localStorage.setItem("attn.unsaved", JSON.stringify([...unsaved]))
}

const NEXT: Record<ThemeChoice, ThemeChoice> = { auto: "light", light: "dark", dark: "auto" }

export function cycleTheme(): void {
  themeChoice.value = NEXT[themeChoice.value]
}

/** Steps the font size; 0 goes back to the usual one. */
export function stepFont(step: -1 | 0 | 1): void {
  fontSize.value = step === 0 ? USUAL_FONT : clampFont(fontSize.value + step)
}

function clampFont(size: number): number {
  return Math.min(LARGEST_FONT, Math.max(SMALLEST_FONT, size))
}

function stored<T extends string>(name: string, allowed: T[]): T | null {
  const value = localStorage.getItem(`attn.${name}`) as T | null
  return value !== null && allowed.includes(value) ? value : null
}

function keep(key: Key, value: string): void {
  if (starting || localStorage.getItem(`attn.${key}`) === value) return
  localStorage.setItem(`attn.${key}`, value)
  if (known[key] === value) return
  unsaved.add(key)
  localStorage.setItem("attn.unsaved", JSON.stringify([...unsaved]))
  void push(key)
}
