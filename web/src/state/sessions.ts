import { batch, computed, signal } from "@preact/signals"
import type { SessionView } from "../generated/protocol"

const byId = signal<ReadonlyMap<string, SessionView>>(new Map())
/** A session that an address named before the daemon told of it. */
let awaited: string | null = null
export const selectedId = signal<string | null>(selectionInAddress())
/** Sessions that rang the bell since they were looked at. */
export const rung = signal<ReadonlySet<string>>(new Set())
/** The daemon is still finding its sessions. */
export const recovering = signal(false)
/** Whether any list ever arrived. */
export const listed = signal(false)

export const sessions = computed(() =>
  [...byId.value.values()].sort((a, b) => a.order - b.order || a.created_at_ms - b.created_at_ms),
)
export const selected = computed(() => (selectedId.value ? (byId.value.get(selectedId.value) ?? null) : null))

/** Whether nothing runs in it any more. */
export function isEnded(view: SessionView): boolean {
  return view.state === "exited" || view.state === "lost" || view.state === "recoverable"
}

export function session(id: string): SessionView | undefined {
  return byId.value.get(id)
}

export function replaceAll(views: SessionView[]): void {
  batch(() => {
    byId.value = new Map(views.map((view) => [view.id, view]))
    listed.value = true
    if (awaited && byId.value.has(awaited)) select(awaited)
    else if (!selected.value) select(sessions.value[0]?.id ?? null)
  })
}

export function upsert(view: SessionView): void {
  byId.value = new Map(byId.value).set(view.id, view)
  if (!selected.value || view.id === awaited) select(view.id)
}

/** Takes a session off the list; its neighbour is selected in its place, with no moment without any in between. */
export function remove(id: string): void {
  batch(() => {
    const at = sessions.value.findIndex((view) => view.id === id)
    const next = new Map(byId.value)
    next.delete(id)
    byId.value = next
    if (selectedId.value === id) select(sessions.value[Math.min(at, sessions.value.length - 1)]?.id ?? null)
  })
}

/** Output arrived here just now; the daemon's own word on it comes less often. */
export function sawOutput(id: string, now: number): void {
  const view = byId.value.get(id)
  if (view && now - (view.last_output_at_ms ?? 0) > 1000) upsert({ ...view, last_output_at_ms: now })
}

export function ring(id: string): void {
  if (id !== selectedId.value || document.hidden) rung.value = new Set(rung.value).add(id)
}

/** Selects the session that an address names, now or as soon as there is one. */
export function selectNamed(id: string): void {
  if (session(id)) select(id)
  else awaited = id
}

export function select(id: string | null): void {
  awaited = null
  selectedId.value = id
  if (id) {
    const still = new Set(rung.value)
    if (still.delete(id)) rung.value = still
  }
  const address = id ? `#session=${id}` : location.pathname + location.search
  history.replaceState(null, "", address)
}

/** The session `step` places further in the list, around its ends. */
export function neighbour(step: number): string | null {
  const list = sessions.value
  const at = list.findIndex((view) => view.id === selectedId.value)
  return list[(at + step + list.length) % list.length]?.id ?? null
}

export function selectionInAddress(): string | null {
  return /^#session=([a-z0-9]+)$/.exec(location.hash)?.[1] ?? null
}
