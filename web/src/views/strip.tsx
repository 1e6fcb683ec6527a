import type { JSX } from "preact"
import type { SessionView } from "../generated/protocol"
import * as hub from "../hub"
import * as list from "../state/sessions"
import * as ui from "../state/ui"
import type { LiveTerminal } from "../terminal/live"
import { ago, goesOn, stateText } from "./format"
import { endSelected, keysOf } from "./shortcuts"

interface Remark {
  tone: "quiet" | "warn" | "bad"
  text: string
  actions?: { label: string; keys?: string; run(): void }[]
}

const BUTTON = { plain: "button small", tip: "button small tip up end" }

/** The lines below a terminal that say what is not as usual with it. */
export function Strip({ session }: { session: SessionView }): JSX.Element | null {
  // The pool makes the terminal after the selection changes, in an effect of its own.
  const live = list.selectedId.value === session.id ? hub.pool.get(session.id) : undefined
  const remarks = [...sessionRemarks(session), ...(live ? screenRemarks(session, live) : [])]
  if (remarks.length === 0) return null
  return (
    <div class="strip" role="status">
      {remarks.map(({ tone, text, actions = [] }, place) => (
        // By its place: a text that counts seconds would make its buttons anew
        <p key={place} class={tone}>
          <span>{text}</span>
          {actions.map(({ label, keys, run }) => (
            <button key={label} type="button" class={BUTTON[keys ? "tip" : "plain"]} data-tip={keys} onClick={run}>
              {label}
            </button>
          ))}
        </p>
      ))}
    </div>
  )
}

/** Said above the terminal: taking room from it would resize the program, twice for each loss of the link. */
export function LinkNotice(): JSX.Element | null {
  if (ui.link.value === "open" || !list.listed.value) return null
  return (
    <p class="link-notice" role="status">
      Reconnecting to attn. Your programs keep running; what you type is sent when it is back.
    </p>
  )
}

function sessionRemarks(session: SessionView): Remark[] {
  if (session.state === "running" || session.state === "starting") return []
  const when = session.exit ? ` · ${ago(session.exit.at_ms, ui.now.value)} ago`.replace("now ago", "just now") : ""
  if (!list.isEnded(session)) return [{ tone: "warn", text: `${stateText(session)}.` }]
  const resume = { label: goesOn(session) ? "Resume" : "Start again", run: () => void hub.resume(session.id) }
  const remove = { label: "Remove", keys: keysOf("end"), run: endSelected }
  const actions = session.recoverable ? [resume, remove] : [remove]
  return [{ tone: session.state === "exited" ? "quiet" : "warn", text: `${stateText(session)}${when}`, actions }]
}

function screenRemarks(session: SessionView, live: LiveTerminal): Remark[] {
  const { problem, fidelity, source, takenAtMs, letterbox, painted } = live.state.value
  const remarks: Remark[] = []
  if (problem) remarks.push({ tone: "bad", text: [problem.message, problem.remedy].filter(Boolean).join(" ") })
  // What an ended program left is its last screen; where an end was never seen, there may have been more.
  if (source === "persisted" && fidelity !== "none" && session.state !== "exited") {
    const kept = new Date(takenAtMs).toLocaleString()
    remarks.push({
      tone: "quiet",
      text: `The screen as it was kept at ${kept}; what was written after that is not in it.`,
    })
  }
  if (fidelity === "tail") {
    remarks.push({ tone: "quiet", text: "The last output, not the exact screen: no emulator keeps this session." })
  }
  if (fidelity === "none" && !painted && list.isEnded(session))
    remarks.push({ tone: "quiet", text: "No screen was kept." })
  if (letterbox && !list.isEnded(session)) {
    remarks.push({
      tone: "quiet",
      text: `Shown at ${session.rows}×${session.cols}, as another client uses it; here is room for ${letterbox.rows}×${letterbox.cols}.`,
      actions: [{ label: "Take size", keys: keysOf("take"), run: () => live.takeSize() }],
    })
  }
  return remarks
}
