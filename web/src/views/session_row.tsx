import type { JSX } from "preact"
import { useEffect, useRef } from "preact/hooks"
import type { SessionView } from "../generated/protocol"
import * as hub from "../hub"
import * as list from "../state/sessions"
import * as ui from "../state/ui"
import { agentText, ago, dotKind, shortPath, stateText } from "./format"

export function SessionRow({ session }: { session: SessionView }): JSX.Element {
  const current = list.selectedId.value === session.id
  if (ui.renaming.value === session.id) {
    return (
      <li>
        <div class="row renaming" aria-current={current}>
          <StateDot session={session} />
          <RenameField session={session} />
        </div>
      </li>
    )
  }
  return (
    <li>
      <button
        type="button"
        class={list.isEnded(session) ? "row ended" : "row"}
        data-session={session.id}
        aria-current={current}
        tabIndex={current ? 0 : -1}
        onClick={() => hub.choose(session.id)}
        onDblClick={() => {
          ui.renaming.value = session.id
        }}
      >
        <StateDot session={session} />
        <span class="row-label">
          {session.label}
          {list.rung.value.has(session.id) && <i class="rung" role="img" aria-label="rang the bell" />}
        </span>
        <LastOutput session={session} />
        <span class="row-agent">{agentText(session)}</span>
        <span class="row-path" title={session.cwd}>
          <bdi>{shortPath(session.cwd)}</bdi>
        </span>
      </button>
    </li>
  )
}

export function StateDot({ session }: { session: SessionView }): JSX.Element {
  const text = stateText(session)
  return <span class={`dot ${dotKind(session)}`} role="img" aria-label={text} title={text} />
}

function LastOutput({ session }: { session: SessionView }): JSX.Element {
  const then = session.last_output_at_ms
  return (
    <time class="row-time" title={then ? `Last output ${new Date(then).toLocaleString()}` : "No output yet"}>
      {ago(then, ui.now.value)}
    </time>
  )
}

/** The label as a field: Enter or leaving it renames, Escape does not. */
export function RenameField({ session }: { session: SessionView }): JSX.Element {
  const ref = useRef<HTMLInputElement>(null)
  useEffect(() => ref.current?.select(), [])
  const finish = (label: string) => {
    if (ui.renaming.value !== session.id) return
    void hub.rename(session.id, label)
    hub.focusTerminal()
  }
  return (
    <input
      ref={ref}
      class="rename"
      aria-label="Name of the session"
      value={session.label}
      maxLength={200}
      spellcheck={false}
      onBlur={(event) => finish(event.currentTarget.value)}
      onKeyDown={(event) => {
        event.stopPropagation()
        if (event.key === "Enter") finish(event.currentTarget.value)
        if (event.key === "Escape") finish(session.label)
      }}
    />
  )
}
