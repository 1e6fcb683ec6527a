import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { useEffect } from "preact/hooks"
import * as hub from "../hub"
import { MODS } from "../terminal/keys"

const KEYS: [name: string, shown: string, spoken: string][] = [
  ["Escape", "Esc", "Escape"],
  ["Tab", "Tab", "Tab"],
  ["Control", "Ctrl", "Control for the next key"],
  ["Alt", "Alt", "Alt for the next key"],
  ["ArrowLeft", "←", "Left"],
  ["ArrowDown", "↓", "Down"],
  ["ArrowUp", "↑", "Up"],
  ["ArrowRight", "→", "Right"],
]
const STICKY: Record<string, number> = { Control: MODS.CTRL, Alt: MODS.ALT }

/** Keys that on-screen keyboards lack. Pressing one must not close the keyboard, so none of them takes the focus. */
export function KeyRow(): JSX.Element {
  const held = useSignal(0)
  useEffect(
    () =>
      hub.onStickyUsed(() => {
        held.value = 0
      }),
    [],
  )
  const press = (name: string) => {
    const screen = hub.pool.current?.screen
    if (!screen) return
    const mod = STICKY[name]
    if (mod === undefined) return screen.pressNamed(name)
    held.value ^= mod
    screen.stickyMods = held.value
  }
  return (
    <div class="key-row" role="toolbar" aria-label="Keys">
      {KEYS.map(([name, shown, spoken]) => (
        <button
          key={name}
          type="button"
          tabIndex={-1}
          aria-label={spoken}
          aria-pressed={name in STICKY ? (held.value & (STICKY[name] ?? 0)) !== 0 : undefined}
          onPointerDown={(event) => event.preventDefault()}
          onClick={() => press(name)}
        >
          {shown}
        </button>
      ))}
    </div>
  )
}
