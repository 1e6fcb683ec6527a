import { signal } from "@preact/signals"
import { type AttachResult, OUTPUT, type SessionView } from "../generated/protocol"
import type { Frame } from "../link/frames"
import { type Link, RequestError } from "../link/link"
import { isEnded } from "../state/sessions"
import { Attachment } from "./attachment"
import type { Size } from "./face"
import { InputQueue } from "./input"
import { newlineOf } from "./keys"
import { Scene } from "./scene"
import { Screen, type ScreenEvents } from "./screen"
import { type Scheme, terminalThemes } from "./theme"

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
  /** When the screen was taken. */
  takenAtMs: number
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
  readonly state = signal<LiveState>({
    painted: false,
    fidelity: null,
    source: null,
    takenAtMs: 0,
    problem: null,
    letterbox: null,
  })
  readonly screen: Screen
  /** The stream that the daemon gives for what is shown. */
  attachment = new Attachment()
  /** A second one on its way, which brings the scrollback; the first goes on until it has painted. */
  private incoming: Attachment | null = null
  private readonly scene: Scene
  private readonly input: InputQueue
  private size: Size
  private room: Size | null = null
  private reported = ""
  private shown = false
  private takesInput: boolean
  private disposed = false
  private historyTimer = 0
  private resizeTimer = 0
  private letterboxTimer = 0
  /** When a person last typed here or took the size; null before the first attach. */
  private usedAt: number | null = null

  constructor(
    readonly id: string,
    session: SessionView,
    private readonly link: Link,
    /** Where frames of each handle go, for all terminals of the page. */
    private readonly routes: Map<number, LiveTerminal>,
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
        onInput: (bytes) => this.typed({ bytes }),
        onKeys: (keys) => this.typed({ keys }),
      },
      fontSize,
      terminalThemes[scheme],
      newlineOf(session.agent),
      this.size,
    )
    this.scene = new Scene(this.screen, this.attachment, {
      onApplied: (source, offset, painted) => this.applied(source, offset, painted),
      onPainted: (source) => this.replace(source),
    })
  }

  private typed(input: Parameters<InputQueue["push"]>[0]): void {
    if (!this.takesInput) return
    this.usedAt = performance.now()
    this.input.push(input)
  }

  get handle(): number {
    return this.attachment.handle
  }

  /** Asks for the stream, from where this terminal stopped if it showed something before. */
  async attach(): Promise<void> {
    if (this.input.attaching || this.handle || this.disposed) return
    this.input.attaching = true
    try {
      await this.request(this.attachment)
    } catch (error) {
      // What passes by itself is tried again when the link or the daemon is ready.
      const passing = error instanceof RequestError && ["link_lost", "daemon_recovering"].includes(error.code)
      if (error instanceof RequestError && !passing) this.update({ problem: error })
    } finally {
      this.input.attaching = false
    }
  }

  /** An attach_result comes back before the frames of its payload do. */
  private async request(attachment: Attachment): Promise<void> {
    const { rows, cols } = this.size
    const result = await this.link.request("attach_session", {
      session: this.id,
      rows: this.room?.rows ?? null,
      cols: this.room?.cols ?? null,
      ...attachment.ask(this.takesInput && attachment === this.attachment, rows, cols),
      visible: this.visible,
      // Coming back is no use of it: another client's size may be the one that counts.
      used_ms_ago: this.usedAt === null ? null : Math.round(performance.now() - this.usedAt),
    })
    this.usedAt ??= performance.now()
    if (this.disposed || (attachment !== this.attachment && attachment !== this.incoming)) return this.detach(result)
    this.routes.set(result.handle, this)
    this.begin(result, attachment)
    if (attachment === this.attachment) this.input.opened(result.handle)
  }

  /** A second attach that brings the whole scrollback, and takes the place of the first. */
  private async fetchHistory(): Promise<void> {
    if (this.incoming || this.disposed || !this.attachment.historyDue) return
    const incoming = new Attachment()
    this.incoming = incoming
    try {
      await this.request(incoming)
    } catch (error) {
      if (!(error instanceof RequestError)) throw error
      if (this.incoming === incoming) this.incoming = null
      // Otherwise it stays due for the next frame or attach.
      if (error.retryable) this.historyTimer = window.setTimeout(() => void this.fetchHistory(), HISTORY_RETRY_MS)
    }
  }

  /** The second stream has painted. */
  private replace(source: Attachment): void {
    if (source !== this.incoming) return
    this.detach(this.attachment)
    this.attachment = source
    this.incoming = null
    this.reported = ""
    this.input.opened(source.handle)
    this.reportSize()
  }

  /** An attach_result that nobody asked for: the daemon starts a stream anew. */
  restarted(result: AttachResult): void {
    const attachment = [this.attachment, this.incoming].find((each) => each?.handle === result.handle)
    if (attachment) this.begin(result, attachment)
  }

  /** The payload of this follows in frames. */
  private begin(result: AttachResult, attachment: Attachment): void {
    attachment.begin(result)
    if (attachment === this.attachment) this.reported = ""
    this.size = { rows: result.screen_rows, cols: result.screen_cols }
    const { fidelity, source, taken_at_ms: takenAtMs } = result
    this.update({ fidelity, source, takenAtMs, problem: null })
    this.layout()
  }

  frame(frame: Frame): void {
    const attachment = this.incoming?.handle === frame.handle ? this.incoming : this.attachment
    const step = attachment.handle === frame.handle ? attachment.frame(frame) : null
    if (step?.do === "reattach") this.reattach(attachment)
    else if (step) this.scene.push(step, attachment)
    if (frame.kind === OUTPUT) this.events.onOutput(this.id)
  }

  /** The link went down; what is shown stays. */
  lost(): void {
    this.forget()
    this.attachment.end()
    this.input.closed()
    this.reported = ""
  }

  /** The session's own facts changed. */
  sessionChanged(session: SessionView): void {
    this.takesInput = !isEnded(session)
    if (!this.takesInput) this.input.drop()
    if (session.rows === this.size.rows && session.cols === this.size.cols) return
    // What is shown keeps its size until the screen of the new one comes.
    this.size = { rows: session.rows, cols: session.cols }
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
    this.scene.visibility(this.shown, !this.visible)
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
    if (same(room, this.wanted)) this.letterbox()
    else this.letterboxTimer = window.setTimeout(() => this.letterbox(), LETTERBOX_DELAY_MS)
  }

  /** Makes this page the one that decides the size. */
  takeSize(): void {
    // Without the line that offers it there is room for more.
    this.update({ letterbox: null })
    requestAnimationFrame(() => {
      this.layout()
      if (!this.handle || !this.room) return
      this.usedAt = performance.now()
      this.link.say({ type: "pty_resize", handle: this.handle, ...this.room, visible: true, take: true })
    })
  }

  dispose(): void {
    this.disposed = true
    for (const timer of [this.historyTimer, this.resizeTimer, this.letterboxTimer]) clearTimeout(timer)
    this.forget()
    this.detach(this.attachment)
    this.scene.dispose()
    this.screen.dispose()
  }

  /** Gives up the second stream. */
  private forget(): void {
    const incoming = this.incoming
    this.incoming = null
    if (!incoming) return
    this.scene.drop(incoming)
    this.detach(incoming)
    incoming.end()
  }

  /** Ends an attach; one that the daemon does not know any more is over already. */
  private detach({ handle }: { handle: number }): void {
    if (!handle) return
    this.routes.delete(handle)
    this.link.request("detach_session", { handle }).catch(() => undefined)
  }

  private get visible(): boolean {
    return this.shown && document.visibilityState === "visible"
  }

  /** The size to show: the session's, and once nothing can change it any more, that of what is on the screen. */
  private get wanted(): Size {
    const { rows, cols } = this.screen.terminal
    return this.takesInput || !this.state.value.painted ? this.size : { rows, cols }
  }

  private letterbox(): void {
    const { room, wanted } = this
    this.screen.useFont(this.fontSize, wanted, room)
    const differs = room !== null && !same(room, wanted)
    this.screen.element.classList.toggle("letterboxed", differs)
    this.update({ letterbox: differs ? room : null })
  }

  private reportSize(): void {
    if (!this.handle || !this.room || !this.takesInput) return
    const report = { ...this.room, visible: this.visible }
    const key = JSON.stringify(report)
    if (key === this.reported) return
    this.reported = key
    this.link.say({ type: "pty_resize", handle: this.handle, ...report })
  }

  private applied(source: Attachment, offset: number, painted: boolean): void {
    if (source.handle) this.link.say({ type: "pty_ack", handle: source.handle, offset })
    if (painted && !this.state.value.painted) this.update({ painted: true })
    if (painted) void this.fetchHistory()
  }

  private reattach(attachment: Attachment): void {
    this.forget()
    if (attachment !== this.attachment) return void this.fetchHistory()
    this.detach(attachment)
    attachment.end()
    this.input.handle = 0
    void this.attach()
  }

  private update(change: Partial<LiveState>): void {
    this.state.value = { ...this.state.value, ...change }
  }
}

function same(one: Size, other: Size): boolean {
  return one.rows === other.rows && one.cols === other.cols
}
