import { effect, type ReadonlySignal, untracked } from "@preact/signals"
import { type DaemonMessage, PROTOCOL, type SetSetting, type SpawnSession, type StoreView } from "./generated/protocol"
import { Link, RequestError } from "./link/link"
import { login } from "./link/login"
import * as list from "./state/sessions"
import * as settings from "./state/settings"
import * as ui from "./state/ui"
import { Pool } from "./terminal/pool"
import { reportedTheme } from "./terminal/theme"

/** The parts that live as long as the page, and what a person can do with them. */

const link = new Link({
  hello: () => ({
    type: "hello",
    protocol: PROTOCOL,
    build: __BUILD__,
    client: "page",
    theme: reportedTheme(settings.scheme.value),
  }),
  onState(state) {
    ui.link.value = state
    if (state !== "open") pool.linkLost()
  },
  onMessage: receive,
  onFrame: (frame) => pool.frame(frame),
})

export const pool = new Pool(
  link,
  {
    onOpen: (url) => {
      ui.dialog.value = { kind: "link", url }
    },
    onHover: (url) => {
      ui.hoveredLink.value = url
    },
    onStickyUsed() {
      for (const tell of stickyListeners) tell()
    },
    onFailed: (error) => failed(error),
    onOutput: (id) => list.sawOutput(id, Date.now()),
  },
  settings.fontSize.value,
  settings.scheme.value,
)

const stickyListeners = new Set<() => void>()

/** Tells when Ctrl or Alt of the on-screen keys was used up; the result stops it. */
export function onStickyUsed(listener: () => void): () => void {
  stickyListeners.add(listener)
  return () => stickyListeners.delete(listener)
}

let daemonId = ""

function receive(message: DaemonMessage): void {
  switch (message.type) {
    case "hello":
      if (message.page_build && message.page_build !== __BUILD__ && reloadFor(message.page_build)) return
      // Session ids mean something only together with the daemon they came from.
      if (daemonId && daemonId !== message.daemon_id) pool.keepOnly(new Set())
      daemonId = message.daemon_id
      ui.version.value = message.version
      ui.conditions.value = message.conditions
      if (message.store) storeChanged(message.store, message.settings ?? {})
      list.recovering.value = message.recovering
      if (!message.recovering) sessionsReady(message.sessions)
      void learnHome()
      return
    case "sessions_ready":
      list.recovering.value = false
      return sessionsReady(message.sessions)
    case "session_changed":
      list.upsert(message.session)
      return pool.sessionChanged(message.session)
    case "session_removed":
      list.remove(message.session)
      return pool.drop(message.session)
    case "conditions_changed":
      ui.conditions.value = message.conditions
      return
    case "store_changed":
      return storeChanged(message.store, message.settings)
    case "attach_result":
      // One that was asked for goes to who asked.
      if (message.id === 0) pool.restarted(message)
      return
    case "pty_bell":
      return list.ring(message.session)
    case "pty_clipboard":
      return void copy(message.text, "Copied by the program")
    case "error":
      if (message.id === 0) failed(new RequestError(message.code, message.message, message.remedy))
      return
  }
}

/** Settings that the database cannot tell are no settings: the browser's copy stays. */
function storeChanged(store: StoreView, known: Record<string, string>): void {
  ui.store.value = store
  if (store.state === "ok" || store.state === "ephemeral") settings.adopt(known)
}

let toldUnsaved = false

async function saveSetting(key: SetSetting["key"], value: string): Promise<boolean> {
  try {
    await link.request("set_setting", { key, value })
    toldUnsaved = false
    return true
  } catch (error) {
    if (!(error instanceof RequestError)) throw error
    // Told once: the banner says the rest for as long as it lasts.
    if (error.code !== "link_lost" && !toldUnsaved) {
      toldUnsaved = true
      ui.toast("Settings are kept in this browser only", error.message, true)
    }
    return false
  }
}

function sessionsReady(sessions: Parameters<typeof list.replaceAll>[0]): void {
  list.replaceAll(sessions)
  pool.keepOnly(new Set(sessions.map((session) => session.id)))
  for (const session of sessions) pool.sessionChanged(session)
  showSelected()
  pool.attachAll()
}

/** Reloads once for each build: a daemon that serves another page than it announces must not make a loop. */
function reloadFor(build: string): boolean {
  if (sessionStorage.getItem("attn.reloaded") === build) return false
  sessionStorage.setItem("attn.reloaded", build)
  location.reload()
  return true
}

/** Where the database of a default home stands, or at least below whose home a database stands. */
const HOMES = [/^(.+)\/\.attn\/attn\.db$/, /^(\/home\/[^/]+|\/Users\/[^/]+|\/root)\//]

/** The home directory, for "~" in paths. */
async function learnHome(): Promise<void> {
  if (ui.home.value) return
  try {
    const status = await link.request("get_status", {})
    ui.home.value = HOMES.map((home) => home.exec(status.store.path)?.[1]).find(Boolean) ?? null
  } catch (error) {
    if (!(error instanceof RequestError)) throw error
  }
}

export function connect(): void {
  link.connect()
}

/** Shows the chosen session, as soon as there is a place for it and a list that has it, whichever comes last. */
export function showSelected(): void {
  // What is hidden loses the keyboard a moment later: who typed into one terminal goes on in the next.
  const typing = pool.current?.screen.element.contains(document.activeElement)
  pool.show(list.selected.value)
  // Nothing else has the keyboard, as after a reload; on a phone that would open its keyboard.
  const idle = document.activeElement === document.body && matchMedia("(pointer: fine)").matches
  if (typing || idle) focusTerminal()
}

export function start(): void {
  settings.saveWith(saveSetting)
  link.connect()
  window.addEventListener("hashchange", () => void addressChanged())
  follow(settings.scheme, (scheme) => {
    pool.setTheme(scheme)
    link.say({ type: "set_theme", theme: reportedTheme(scheme) })
  })
  follow(settings.fontSize, (size) => pool.setFont(size))
  follow(list.selected, (session) => {
    document.title = session ? `${session.label} · attn` : "attn"
    showSelected()
  })
  document.addEventListener("visibilitychange", () => {
    pool.visibilityChanged()
    if (!document.hidden) link.connect()
  })
  window.addEventListener("online", () => link.connect())
}

/** Calls `act` with the value now and whenever it changes; what `act` reads does not matter. */
function follow<T>(value: ReadonlySignal<T>, act: (value: T) => void): void {
  effect(() => {
    const current = value.value
    untracked(() => act(current))
  })
}

/** A login address, or one that names a session, was put into a page that is open. */
async function addressChanged(): Promise<void> {
  ui.loginProblem.value = await login()
  link.connect()
  const named = list.selectionInAddress()
  if (named) list.selectNamed(named)
}

export function failed(error: unknown): void {
  if (error instanceof RequestError) ui.toast(error.message, error.remedy, true)
  else throw error
}

export function focusTerminal(): void {
  pool.current?.screen.terminal.focus()
}

export function choose(id: string, focus = true): void {
  list.select(id)
  ui.drawerOpen.value = false
  if (focus) focusTerminal()
}

export async function spawn(fields: Omit<SpawnSession, "type" | "id" | "rows" | "cols">): Promise<void> {
  const room = pool.room()
  const { session } = await link.request("spawn_session", { ...fields, ...(room ?? {}) })
  list.upsert(session)
  choose(session.id)
}

export async function rename(id: string, label: string): Promise<void> {
  ui.renaming.value = null
  const name = label.trim()
  if (name && name !== list.session(id)?.label) {
    await link.request("rename_session", { session: id, label: name }).catch(failed)
  }
}

export function kill(id: string): Promise<unknown> {
  return link.request("kill_session", { session: id }).catch(failed)
}

/** Starts an ended program again; what its first start had and this one lacks is named, since values are never kept. */
export async function resume(id: string): Promise<void> {
  try {
    const { missing } = await link.request("resume_session", { session: id })
    if (missing.length > 0) ui.toast(`It runs without ${missing.join(", ")}`, "attn reload SESSION --env NAME=value")
    focusTerminal()
  } catch (error) {
    failed(error)
  }
}

export function remove(id: string, force: boolean): Promise<unknown> {
  return link.request("remove_session", { session: id, force }).catch(failed)
}

export const agents = () => link.request("get_agents", {})
export const completePath = (prefix: string) => link.request("complete_path", { prefix })

export async function copy(text: string, done = "Copied"): Promise<void> {
  try {
    await navigator.clipboard.writeText(text)
    ui.toast(done)
  } catch {
    ui.toast("The browser did not allow copying", "", true)
  }
}

export function copySelection(): void {
  const text = pool.current?.screen.terminal.getSelection()
  if (text) void copy(text)
}
