import type { JSX } from "preact"
import * as hub from "../hub"
import * as list from "../state/sessions"
import { cycleTheme, stepFont, themeChoice } from "../state/settings"
import * as ui from "../state/ui"
import { ago } from "./format"
import { Icon, IconButton } from "./icons"
import { Mark } from "./mark"
import { SessionRow } from "./session_row"
import { keysOf } from "./shortcuts"

export function Sidebar(): JSX.Element {
  return (
    <nav class="sidebar" aria-label="Sessions">
      <header class="sidebar-head">
        <Mark />
        <button
          type="button"
          class="new-button tip"
          data-tip={`New session  ${keysOf("new")}`}
          onClick={() => {
            ui.dialog.value = { kind: "new" }
          }}
        >
          <Icon name="plus" />
          New
        </button>
      </header>
      <SessionList />
      <footer class="sidebar-foot">
        <LinkPill />
        <span class="spring" />
        <IconButton
          icon="keyboard"
          label="Keyboard"
          keys={keysOf("help")}
          onClick={() => show({ kind: "shortcuts" })}
        />
        <ThemeButton />
        <FontButtons />
      </footer>
    </nav>
  )
}

function show(dialog: ui.Dialog): void {
  ui.dialog.value = dialog
}

function SessionList(): JSX.Element {
  const sessions = list.sessions.value
  return (
    <ul class="rows" onKeyDown={onListKey}>
      {sessions.map((session) => (
        <SessionRow key={session.id} session={session} />
      ))}
      {sessions.length === 0 && <li class="rows-empty">{emptyText()}</li>}
    </ul>
  )
}

function emptyText(): string {
  if (list.recovering.value) return "Finding your sessions…"
  return list.listed.value ? "No sessions yet" : "Connecting…"
}

function onListKey(event: KeyboardEvent): void {
  const row = (event.target as HTMLElement).closest<HTMLElement>(".row")
  const id = row?.dataset.session
  if (!row || !id || event.ctrlKey || event.altKey || event.metaKey) return
  const rows = [...document.querySelectorAll<HTMLElement>(".rows .row")]
  const at = rows.indexOf(row)
  const targets: Record<string, number> = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }
  const target = targets[event.key]
  if (target !== undefined) {
    const next = rows[Math.max(0, Math.min(rows.length - 1, target))]
    next?.focus()
    if (next?.dataset.session) hub.choose(next.dataset.session, false)
  } else if (event.key === "Enter") hub.choose(id)
  else if (event.key === "F2") ui.renaming.value = id
  else if (event.key === "Delete" || event.key === "Backspace") show({ kind: "end", session: id })
  else if (event.key === "Escape") hub.choose(list.selectedId.value ?? id)
  else return
  event.preventDefault()
}

const LINK_TEXT = { connecting: "Connecting", open: "Connected", closed: "Reconnecting", unauthorized: "Not logged in" }

function backupText(): string {
  const store = ui.store.value
  if (!store) return ""
  if (!store.last_good_backup_ms) return "no backup yet"
  const age = ago(store.last_good_backup_ms, ui.now.value)
  return age === "now" ? "last backup just now" : `last backup ${age} ago`
}

function LinkPill(): JSX.Element {
  const state = ui.link.value
  return (
    <span
      class={`link-pill ${state} tip up`}
      role="status"
      data-tip={[`attn ${ui.version.value}`.trim(), backupText()].filter(Boolean).join(" · ")}
    >
      <i aria-hidden="true" />
      {list.recovering.value && state === "open" ? "Recovering" : LINK_TEXT[state]}
    </span>
  )
}

const THEME_ICONS = { auto: "auto", light: "sun", dark: "moon" } as const
const THEME_TEXT = { auto: "Colours: as the system", light: "Colours: light", dark: "Colours: dark" }

function ThemeButton(): JSX.Element {
  return (
    <IconButton
      icon={THEME_ICONS[themeChoice.value]}
      label={THEME_TEXT[themeChoice.value]}
      class="up"
      onClick={cycleTheme}
    />
  )
}

function FontButtons(): JSX.Element {
  return (
    <span class="font-buttons">
      <button
        type="button"
        class="icon-button tip up small-a"
        aria-label="Smaller text"
        data-tip={`Smaller text  ${keysOf("smaller")}`}
        onClick={() => stepFont(-1)}
      >
        A
      </button>
      <button
        type="button"
        class="icon-button tip up end large-a"
        aria-label="Larger text"
        data-tip={`Larger text  ${keysOf("larger")}`}
        onClick={() => stepFont(1)}
      >
        A
      </button>
    </span>
  )
}
