import type { AttachResult, SessionView } from "../generated/protocol"
import type { Frame } from "../link/frames"
import type { Link } from "../link/link"
import type { Size } from "./face"
import { type LiveEvents, LiveTerminal } from "./live"
import { estimateRoom } from "./room"

import { type Scheme, terminalThemes } from "./theme"

// Terminals kept alive for quick switching. Each may hold 10,000 lines (15 MB) and a WebGL context, of which browsers
// allow 16 for all pages of a site.
const LIVE_TERMINALS = 8

/** The live terminals of this page, the one shown last at the end; the one not shown for longest makes room. */
export class Pool {
  private parent: HTMLElement | null = null
  private readonly live = new Map<string, LiveTerminal>()
  private readonly routes = new Map<number, LiveTerminal>()
  private shown: LiveTerminal | null = null

  constructor(
    private readonly link: Link,
    private readonly events: LiveEvents,
    private fontSize: number,
    private scheme: Scheme,
  ) {}

  get(id: string): LiveTerminal | undefined {
    return this.live.get(id)
  }

  get current(): LiveTerminal | null {
    return this.shown
  }

  /** Where terminals are drawn from now on: null while the page has no place for them, as while it is logged out. */
  drawIn(parent: HTMLElement | null): void {
    this.show(null)
    this.parent = parent
  }

  /** Shows the terminal of a session, made now if there is none yet; null shows none. */
  show(session: SessionView | null): LiveTerminal | null {
    if (session && this.shown?.id === session.id) return this.shown
    const room = this.room()
    this.shown?.hide()
    this.shown = null
    if (!session || !this.parent) return null
    const live = this.live.get(session.id) ?? this.create(session)
    this.live.delete(session.id)
    this.live.set(session.id, live)
    this.shown = live
    live.show(this.parent, room)
    this.evict()
    return live
  }

  /** The size a session would have that is started now. */
  room(): Size | null {
    if (this.shown) return this.shown.screen.proposedSize()
    return this.parent && estimateRoom(this.parent, this.fontSize)
  }

  /** A fresh start of a stream; one that is not known was replaced meanwhile. */
  restarted(result: AttachResult): void {
    this.routes.get(result.handle)?.restarted(result)
  }

  frame(frame: Frame): void {
    this.routes.get(frame.handle)?.frame(frame)
  }

  /** The link is up and the daemon has its sessions: everything that is alive here goes on where it stopped. */
  attachAll(): void {
    this.shown?.attach()
    for (const live of this.live.values()) if (live !== this.shown) void live.attach()
  }

  linkLost(): void {
    for (const live of this.live.values()) live.lost()
    this.routes.clear()
  }

  sessionChanged(session: SessionView): void {
    const live = this.live.get(session.id)
    if (!live) return
    live.sessionChanged(session)
    if (!live.handle && session.state === "running") void live.attach()
  }

  /** Keeps the terminals of these sessions only. */
  keepOnly(ids: Set<string>): void {
    for (const id of [...this.live.keys()]) if (!ids.has(id)) this.drop(id)
  }

  drop(id: string): void {
    const live = this.live.get(id)
    if (!live) return
    if (this.shown === live) this.shown = null
    this.live.delete(id)
    live.dispose()
  }

  setTheme(scheme: Scheme): void {
    this.scheme = scheme
    for (const live of this.live.values()) live.screen.theme = terminalThemes[scheme]
  }

  setFont(fontSize: number): void {
    this.fontSize = fontSize
    for (const live of this.live.values()) live.setFont(fontSize)
  }

  visibilityChanged(): void {
    for (const live of this.live.values()) live.visibilityChanged()
  }

  private create(session: SessionView): LiveTerminal {
    const live = new LiveTerminal(session.id, session, this.link, this.routes, this.events, this.fontSize, this.scheme)
    this.live.set(session.id, live)
    return live
  }

  private evict(): void {
    for (const id of this.live.keys()) {
      if (this.live.size <= LIVE_TERMINALS) return
      if (id !== this.shown?.id) this.drop(id)
    }
  }
}
