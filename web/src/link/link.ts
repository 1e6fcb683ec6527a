import type * as api from "../generated/protocol"
import { type Frame, packInput, unpackFrame } from "./frames"

export type LinkState = "connecting" | "open" | "closed" | "unauthorized"

/** The reply that belongs to each request. */
interface Replies {
  spawn_session: api.SpawnResult
  attach_session: api.AttachResult
  detach_session: api.Ok
  kill_session: api.Ok
  resume_session: api.ResumeResult
  remove_session: api.Ok
  rename_session: api.Ok
  complete_path: api.PathsResult
  get_status: api.StatusResult
  get_agents: api.AgentsResult
  set_setting: api.Ok
}
type RequestType = keyof Replies
type RequestFields<T extends RequestType> = Omit<Extract<api.ClientMessage, { type: T }>, "type" | "id">
type Notice = api.PtyKeys | api.PtyAck | api.PtyResize | api.SetTheme

/** A request that failed: the daemon's `error` message, or `link_lost` when the connection went first. */
export class RequestError extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly remedy = "",
    readonly retryable = false,
  ) {
    super(message)
  }
}

export interface LinkEvents {
  hello(): api.ClientHello
  onState(state: LinkState): void
  onMessage(message: api.DaemonMessage): void
  onFrame(frame: Frame): void
}

const FIRST_DELAY_MS = 250
const LONGEST_DELAY_MS = 5000

interface Pending {
  resolve(reply: never): void
  reject(error: RequestError): void
}

/** The WebSocket to the daemon: reconnects for ever, pairs replies with requests, hands on everything else. */
export class Link {
  state: LinkState = "connecting"
  private socket: WebSocket | null = null
  private pending = new Map<number, Pending>()
  private nextId = 1
  private failures = 0
  private refusals = 0
  private timer = 0

  constructor(private readonly events: LinkEvents) {}

  /** Connects now instead of at the end of the current delay. */
  connect(): void {
    if (this.socket) return
    clearTimeout(this.timer)
    if (this.state !== "unauthorized") this.become("connecting")
    const scheme = location.protocol === "https:" ? "wss" : "ws"
    const socket = new WebSocket(`${scheme}://${location.host}/ws`)
    socket.binaryType = "arraybuffer"
    socket.onopen = () => socket.send(JSON.stringify(this.events.hello()))
    socket.onmessage = (event) => this.receive(event.data)
    socket.onclose = () => void this.lost(socket)
    this.socket = socket
  }

  /** Sends a request; the promise fails with a RequestError. */
  request<T extends RequestType>(type: T, fields: RequestFields<T>): Promise<Replies[T]> {
    return this.ask((id) => JSON.stringify({ type, id, ...fields }))
  }

  /** Bytes for a program, at most MAX_MESSAGE_BYTES with the header; done when the terminal took them. */
  input(handle: number, data: Uint8Array): Promise<api.Ok> {
    return this.ask((id) => packInput(handle, data, id))
  }

  /** Says something that has no answer; lost when the link is down, as whoever says it starts over on reconnect. */
  say(message: Notice): void {
    if (this.state === "open") this.socket?.send(JSON.stringify(message))
  }

  /** A frame that wants no answer. */
  sendFrame(frame: ArrayBuffer): void {
    if (this.state === "open") this.socket?.send(frame)
  }

  private ask<T>(message: (id: number) => string | ArrayBuffer): Promise<T> {
    if (this.state !== "open") return Promise.reject(new RequestError("link_lost", "Not connected to attn.", "", true))
    const id = this.nextId++
    return new Promise<T>((resolve, reject) => {
      this.pending.set(id, { resolve: resolve as Pending["resolve"], reject })
      this.socket?.send(message(id))
    })
  }

  private receive(data: string | ArrayBuffer): void {
    if (typeof data !== "string") return this.events.onFrame(unpackFrame(data))
    const message = JSON.parse(data) as api.DaemonMessage
    if (message.type === "hello") {
      this.failures = 0
      this.refusals = 0
      this.become("open")
    }
    this.events.onMessage(message)
    if ("id" in message) this.settle(message)
  }

  private settle(reply: Extract<api.DaemonMessage, { id: number }>): void {
    const waiting = this.pending.get(reply.id)
    if (!waiting) return
    this.pending.delete(reply.id)
    if (reply.type !== "error") waiting.resolve(reply as never)
    else waiting.reject(new RequestError(reply.code, reply.message, reply.remedy, reply.retryable))
  }

  private async lost(socket: WebSocket): Promise<void> {
    if (this.socket !== socket) return
    const wasOpen = this.state === "open"
    if (this.state !== "unauthorized") this.become("closed")
    for (const waiting of this.pending.values()) {
      waiting.reject(new RequestError("link_lost", "The connection to attn was lost.", "", true))
    }
    this.pending.clear()
    // A page is not told why an upgrade failed. Refused twice by a daemon that answers plain requests: no cookie.
    this.refusals = !wasOpen && (await daemonAnswers()) ? this.refusals + 1 : 0
    if (this.refusals >= 2) this.become("unauthorized")
    else if (this.state === "unauthorized") this.become("closed")
    this.socket = null
    const delay = this.refusals === 1 ? 0 : Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.failures++)
    this.timer = window.setTimeout(() => this.connect(), delay)
  }

  private become(state: LinkState): void {
    if (this.state === state) return
    this.state = state
    this.events.onState(state)
  }
}

async function daemonAnswers(): Promise<boolean> {
  try {
    await fetch("/health", { cache: "no-store" })
    return true
  } catch {
    return false // nobody listens: the daemon is away, which is no question of rights
  }
}
