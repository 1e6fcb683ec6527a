import type { JSX } from "preact"
import { useEffect } from "preact/hooks"
import * as hub from "../hub"
import * as list from "../state/sessions"
import { stepFont } from "../state/settings"
import * as ui from "../state/ui"
import { DialogFrame } from "./dialog"

const IS_MAC = /Mac|iPhone|iPad/.test(navigator.userAgent)
const CHORD = IS_MAC ? "⌃⇧" : "Ctrl+Shift+"

interface Shortcut {
  /** `KeyboardEvent.code`: the same place on every layout. */
  code: string
  shown: string
  meaning: string
  run(): void
}

function chord(code: string, shown: string, meaning: string, run: () => void): Shortcut {
  return { code, shown: CHORD + shown, meaning, run }
}

/**
 * Ctrl+Shift chords: no byte of a terminal stands for them, so programs do not miss them. Letters that browsers keep
 * for themselves (N, T, W, Q) are left out.
 */
const CHORDS = {
  new: chord("Enter", "Enter", "New session", () => open({ kind: "new" })),
  next: chord("BracketRight", "]", "Next session", () => go(1)),
  previous: chord("BracketLeft", "[", "Previous session", () => go(-1)),
  list: chord("KeyL", "L", "To the list of sessions", focusList),
  find: chord("KeyF", "F", "Find in the scrollback", openFind),
  rename: chord("KeyU", "U", "Rename the session", renameSelected),
  end: chord("KeyX", "X", "End or remove the session", endSelected),
  copy: chord("KeyC", "C", "Copy the selection", () => hub.copySelection()),
  take: chord("KeyZ", "Z", "Take the size for this window", () => hub.pool.current?.takeSize()),
  larger: chord("Equal", "+", "Larger text", () => stepFont(1)),
  smaller: chord("Minus", "−", "Smaller text", () => stepFont(-1)),
  usual: chord("Digit0", "0", "Usual text size", () => stepFont(0)),
  help: chord("Slash", "?", "This sheet", () => open({ kind: "shortcuts" })),
} satisfies Record<string, Shortcut>

const BY_CODE = new Map(Object.values(CHORDS).map((each) => [each.code, each]))

/** The keys of an action as a tooltip shows them. */
export function keysOf(name: keyof typeof CHORDS): string {
  return CHORDS[name].shown
}

const SECTIONS: { title: string; rows: [string, string][] }[] = [
  { title: "Anywhere", rows: Object.values(CHORDS).map(({ shown, meaning }) => [shown, meaning]) },
  {
    title: "In the terminal",
    rows: [
      [IS_MAC ? "⌘V" : "Ctrl+Shift+V", "Paste"],
      ["Shift+PageUp / PageDown", "Scroll"],
      [IS_MAC ? "⌥+drag" : "Shift+drag", "Select while the program uses the mouse"],
      [IS_MAC ? "⌘+click" : "Ctrl+click", "Open a link"],
      [`${CHORD}1 … 9`, "To the first … ninth session"],
    ],
  },
  {
    title: "In the list",
    rows: [
      ["↑ ↓ Home End", "Move"],
      ["Enter", "To its terminal"],
      ["F2", "Rename"],
      ["Delete", "End or remove"],
      ["?", "This sheet"],
    ],
  },
]

/** Listens before the terminal does, so that a chord never reaches the program. */
export function installShortcuts(): void {
  window.addEventListener("keydown", onKeyDown, { capture: true })
}

function onKeyDown(event: KeyboardEvent): void {
  if (isHelpKey(event)) return act(event, CHORDS.help.run)
  if (!event.ctrlKey || !event.shiftKey || event.altKey || event.metaKey) return
  const digit = /^Digit([1-9])$/.exec(event.code)?.[1]
  if (digit) return act(event, () => goTo(Number(digit) - 1))
  const shortcut = BY_CODE.get(event.code)
  // Nothing behind an open dialog; its own fields keep copy.
  if (!shortcut || ui.dialog.value || (shortcut === CHORDS.copy && !inTerminal())) return
  act(event, shortcut.run)
}

function act(event: KeyboardEvent, run: () => void): void {
  event.preventDefault()
  event.stopPropagation()
  if (!event.repeat || event.code === "BracketLeft" || event.code === "BracketRight") run()
}

/** "?" alone, where it would not be typed. */
function isHelpKey(event: KeyboardEvent): boolean {
  const target = event.target as HTMLElement
  return (
    event.key === "?" && !event.ctrlKey && !ui.dialog.value && !target.closest("input, textarea, [contenteditable]")
  )
}

function inTerminal(): boolean {
  return document.activeElement?.closest(".screen") != null
}

function open(dialog: ui.Dialog): void {
  ui.dialog.value = dialog
}

function go(step: number): void {
  const id = list.neighbour(step)
  if (id) hub.choose(id)
}

function goTo(index: number): void {
  const id = list.sessions.value[index]?.id
  if (id) hub.choose(id)
}

export function focusList(): void {
  ui.drawerOpen.value = true
  const row = document.querySelector<HTMLElement>(".row[aria-current='true'], .row")
  ;(row ?? document.querySelector<HTMLElement>(".new-button"))?.focus()
}

/** What the icon does; the keys lead to the field, as in an editor. */
export function toggleFind(): void {
  if (ui.findOpen.value) closeFind()
  else openFind()
}

export function closeFind(): void {
  ui.findOpen.value = false
  hub.focusTerminal()
}

function openFind(): void {
  if (!list.selected.value) return
  ui.findOpen.value = true
  requestAnimationFrame(() => document.querySelector<HTMLInputElement>(".find input")?.select())
}

export function renameSelected(): void {
  ui.renaming.value = list.selectedId.value
}

export function endSelected(): void {
  const session = list.selected.value
  if (session) open({ kind: "end", session: session.id })
}

export function ShortcutSheet(): JSX.Element {
  useEffect(() => document.querySelector<HTMLElement>(".sheet")?.focus(), [])
  return (
    <DialogFrame title="Keyboard" wide>
      <div class="sheet" tabIndex={-1}>
        {SECTIONS.map(({ title, rows }) => (
          <section key={title}>
            <h3>{title}</h3>
            <dl>
              {rows.map(([keys, meaning]) => (
                <div key={keys}>
                  <dt>{meaning}</dt>
                  <dd>
                    <kbd>{keys}</kbd>
                  </dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </DialogFrame>
  )
}
