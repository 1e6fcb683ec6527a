import { signal } from "@preact/signals"
import { type AttachResult, OUTPUT, type SessionView } from "../generated/protocol"
import type { Frame } from "../link/frames"
import { type Link, RequestError } from "../link/link"
import { isEnded } from "../state/sessions"
import { Attachment } from "./attachment"
import { InputQueue } from "./input"
import { newlineOf } from "./keys"
import { Screen, type ScreenEvents, type Size } from "./screen"
import { type Scheme, terminalThemes } from "./theme"
import { Writer } from "./writer"

// Sizes that come while a window is dragged: the last one after this pause. The daemon waits for quiet once more.
const RESIZE_PAUSE_MS = 60
// How long the session may have another size than this page before that counts as somebody else's decision.
const LETTERBOX_DELAY_MS = 600
// How long after the daemon had no time for the scrollback it is asked again.
const HISTORY_RETRY_MS = 2000

export interface LiveState {
  /** Whether a screen was ever drawn; before that there is nothing to show. */
  painted: boolean
  fidelity: AttachResult["fidelity"] | null
  source: AttachResult["source"] | null
  /** Why the last attach failed. */
  problem: RequestError | null
  /** What this page has room for, when the session has another size because another client decides. */
  letterbox: Size | null
}

export interface LiveEvents extends Pick<ScreenEvents, "onOpen" | "onHover" | "onStickyUsed"> {
  onOutput(session: string): void
  onFailed(error: RequestError): void
}

/** The terminal of one session, kept alive while others are shown: attach, resume, draw, acknowledge, type, resize. */
export class LiveTerminal {
  readonly state = signal<LiveState>({ painted: false, fidelity: null, source: null, problem: null, letterbox: null })
  readonly screen: Screen
  readonly attachment = new Attachment()
  private readonly writer: Writer
  private readonly input: InputQueue
  private size: Size
  private room: Size | null = null
  private reported = ""
  private shown = false
  private takesInput: boolean
  private fetching = false
  private disposed = false
  private historyTimer = 0
  private resizeTimer = 0
  private letterboxTimer = 0

  constructor(
    readonly id: string,
    session: SessionView,
    private readonly link: Link,
    private readonly events: LiveEvents,
    private fontSize: number,
    scheme: Scheme,
  ) {
    this.size = { rows: session.rows, cols: session.cols }
    this.takesInput = !isEnded(session)
    this.input = new InputQueue(link, events.onFailed)
    this.screen = new Screen(
      {
        ...events,
        onInput: (bytes) => this.takesInput && this.input.push({ bytes }),
        onKeys: (keys) => this.takesInput && this.input.push({ keys }),
      },
      fontSize,
      terminalThemes[scheme],
      newlineOf(session.agent),
    )
    this.screen.terminal.resize(session.cols, session.rows)
    this.writer = new Writer(this.screen.terminal, (offset, painted) => this.applied(offset, painted))
    this.writer.hidden = true
  }

  get handle(): number {
    return this.attachment.handle
  }

  /** Asks for the stream, from where this terminal stopped if it showed something before. */
  async attach(): Promise<void> {
    if (this.input.attaching || this.handle || this.disposed) return
    this.input.attaching = true
    try {
      await this.request()
      this.update({ problem: null })
    } catch (error) {
      // What passes by itself is tried again when the link or the daemon is ready.
      const passing = error instanceof RequestError && ["link_lost", "daemon_recovering"].includes(error.code)
      if (error instanceof RequestError && !passing) this.update({ problem: error })
    } finally {
      this.input.attaching = false
    }
  }

  private request(): Promise<AttachResult> {
    return this.link.request("attach_session", {
      session: this.id,
      rows: this.room?.rows ?? null,
      cols: this.room?.cols ?? null,
      ...this.attachment.ask(this.takesInput),
      visible: this.visible,
    })
  }

  /** A second attach that brings the whole scrollback, and takes the place of the first. */
  private async fetchHistory(): Promise<void> {
    if (this.fetching || this.disposed || !this.attachment.historyDue) return
    this.fetching = true
    try {
      await this.request()
    } catch (error) {
      if (!(error instanceof RequestError)) throw error
      // Otherwise it stays due for the next frame or attach.
      if (error.retryable) this.historyTimer = window.setTimeout(() => void this.fetchHistory(), HISTORY_RETRY_MS)
    } finally {
      this.fetching = false
    }
  }

  /** An attach_result: its payload follows in frames. */
  begin(result: AttachResult): void {
    if (this.handle !== result.handle) this.release()
    this.attachment.begin(result)
    this.reported = ""
    this.size = { rows: result.screen_rows, cols: result.screen_cols }
    this.update({ fidelity: result.fidelity, source: result.source, problem: null })
    this.layout()
    this.input.opened(result.handle)
  }

  frame(frame: Frame): void {
    const step = this.attachment.frame(frame)
    if (step?.do === "reattach") this.reattach()
    else if (step) this.writer.push(step)
    if (frame.kind === OUTPUT) this.events.onOutput(this.id)
  }

  /** The link went down; what is shown stays. */
  lost(): void {
    this.attachment.end()
    this.input.closed()
    this.reported = ""
  }

  /** The session's own facts changed. */
  sessionChanged(session: SessionView): void {
    this.takesInput = !isEnded(session)
    if (session.rows === this.size.rows && session.cols === this.size.cols) return
    this.size = { rows: session.rows, cols: session.cols }
    this.writer.push({ do: "resize", ...this.size })
    this.layout()
  }

  /** Shows it; `room` is what the one before had room for, so that the attach need not wait for the first layout. */
  show(parent: HTMLElement, room: Size | null): void {
    this.shown = true
    this.room ??= room
    void this.attach()
    this.screen.element.hidden = false
    this.screen.open(parent)
    this.visibilityChanged()
    this.layout()
  }

  hide(): void {
    this.screen.element.hidden = true
    this.shown = false
    this.visibilityChanged()
  }

  /** The page was hidden or shown, or this terminal within it. */
  visibilityChanged(): void {
    this.writer.hidden = !this.visible
    if (this.visible) this.writer.wake()
    this.reportSize()
  }

  setFont(fontSize: number): void {
    this.fontSize = fontSize
    this.screen.useFont(fontSize, this.size, null)
    if (this.shown) this.layout()
  }

  /** Measures the room anew; tells the daemon after a pause, and adapts to a size that somebody else decided. */
  layout(): void {
    if (!this.shown) return
    const room = this.screen.proposedSize()
    if (!room) return
    this.room = room
    clearTimeout(this.resizeTimer)
    this.resizeTimer = window.setTimeout(() => this.reportSize(), RESIZE_PAUSE_MS)
    clearTimeout(this.letterboxTimer)
    if (room.rows === this.size.rows && room.cols === this.size.cols) this.letterbox()
    else this.letterboxTimer = window.setTimeout(() => this.letterbox(), LETTERBOX_DELAY_MS)
  }

  /** Makes this page the one that decides the size. */
  takeSize(): void {
    if (!this.handle || !this.room) return
    this.link.say({ type: "pty_resize", handle: this.handle, ...this.room, visible: true, take: true })
  }

  dispose(): void {
    this.disposed = true
    for (const timer of [this.historyTimer, this.resizeTimer, this.letterboxTimer]) clearTimeout(timer)
    this.release()
    this.writer.dispose()
    this.screen.dispose()
  }

  /** Ends the attach; one that the daemon does not know any more is over already. */
  private release(): void {
    if (this.handle) this.link.request("detach_session", { handle: this.handle }).catch(() => undefined)
  }

  private get visible(): boolean {
    return this.shown && document.visibilityState === "visible"
  }

  private letterbox(): void {
    const { room, size } = this
    this.screen.useFont(this.fontSize, size, room)
    const differs = room !== null && (room.rows !== size.rows || room.cols !== size.cols)
    this.screen.element.classList.toggle("letterboxed", differs)
    this.update({ letterbox: differs ? room : null })
  }

  private reportSize(): void {
    if (!this.handle || !this.room) return
    const report = { ...this.room, visible: this.visible }
    const key = JSON.stringify(report)
    if (key === this.reported) return
    this.reported = key
    this.link.say({ type: "pty_resize", handle: this.handle, ...report })
  }

  private applied(offset: number, painted: boolean): void {
    if (this.handle) this.link.say({ type: "pty_ack", handle: this.handle, offset })
    if (painted && !this.state.value.painted) this.update({ painted: true })
    if (painted) void this.fetchHistory()
  }

  private reattach(): void {
    this.release()
    this.attachment.end()
    this.input.handle = 0
    void this.attach()
  }

  private update(change: Partial<LiveState>): void {
    this.state.value = { ...this.state.value, ...change }
  }
}
