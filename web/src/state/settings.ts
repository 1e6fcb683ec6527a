import { computed, effect, signal } from "@preact/signals"
import type { Scheme } from "../terminal/theme"

export type ThemeChoice = "auto" | Scheme

const SMALLEST_FONT = 8
const LARGEST_FONT = 28
export const USUAL_FONT = matchMedia("(max-width: 720px)").matches ? 12 : 13

const prefersLight = matchMedia("(prefers-color-scheme: light)")
const systemScheme = signal<Scheme>(prefersLight.matches ? "light" : "dark")
prefersLight.addEventListener("change", (event) => {
  systemScheme.value = event.matches ? "light" : "dark"
})

export const themeChoice = signal<ThemeChoice>(stored("theme", ["auto", "dark", "light"]) ?? "auto")
export const scheme = computed<Scheme>(() => (themeChoice.value === "auto" ? systemScheme.value : themeChoice.value))
export const fontSize = signal(clampFont(Number(localStorage.getItem("attn.font")) || USUAL_FONT))
/** Of the last session that was started, for the next dialog. */
export const lastAgent = signal(localStorage.getItem("attn.agent") ?? "shell")

effect(() => {
  document.documentElement.dataset.scheme = scheme.value
})
effect(() => keep("theme", themeChoice.value))
effect(() => keep("font", String(fontSize.value)))
effect(() => keep("agent", lastAgent.value))

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

function keep(name: string, value: string): void {
  localStorage.setItem(`attn.${name}`, value)
}
