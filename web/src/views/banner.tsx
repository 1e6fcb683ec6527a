import type { JSX } from "preact"
import type { Condition } from "../generated/protocol"
import * as ui from "../state/ui"
import { Command } from "./command"
import { Icon } from "./icons"

const WEIGHT = { error: 2, warning: 1, info: 0 }

/** What is not well. It can be made small in this window, and goes away only when the conditions do. */
export function Banner(): JSX.Element | null {
  const conditions = [...ui.conditions.value].sort((a, b) => WEIGHT[b.severity] - WEIGHT[a.severity])
  const worst = conditions[0]
  if (!worst) return null
  const open = ui.bannerOpen.value
  const more = conditions.length - 1
  return (
    <aside class={`banner ${worst.severity}`} aria-label="Conditions">
      <button type="button" class="banner-head" aria-expanded={open} onClick={ui.toggleBanner}>
        <Icon name={worst.severity === "info" ? "info" : "warning"} />
        <strong>{worst.title}</strong>
        {more > 0 && <span class="banner-more">and {more} more</span>}
        <span class="spring" />
        <span class="banner-toggle">{open ? "Less" : "More"}</span>
        <Icon name={open ? "up" : "down"} />
      </button>
      {open &&
        conditions.map((condition) => (
          <Details key={condition.code} condition={condition} first={condition === worst} />
        ))}
    </aside>
  )
}

/** What is known of the database, word for word. */
function Facts({ condition }: { condition: Condition }): JSX.Element | null {
  const said = [condition.sqlite_name, condition.sqlite_message].filter(Boolean).join(": ")
  const backup = condition.last_good_backup
  const facts: [string, string | null | undefined][] = [
    ["Database", condition.db_path === condition.path ? null : condition.db_path],
    ["SQLite says", said],
    ["Schema change", condition.migration],
    ["Nothing saved since", condition.not_saved_since_ms ? at(condition.not_saved_since_ms) : null],
    [
      "Last good backup",
      backup && condition.last_good_backup_ms ? `${backup}, ${at(condition.last_good_backup_ms)}` : backup,
    ],
  ]
  const shown = facts.filter(([, text]) => text)
  if (shown.length === 0) return null
  return (
    <dl class="banner-facts">
      {shown.map(([name, text]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{text}</dd>
        </div>
      ))}
    </dl>
  )
}

function at(ms: number): string {
  return new Date(ms).toLocaleString()
}

function Details({ condition, first }: { condition: Condition; first: boolean }): JSX.Element {
  return (
    <div class="banner-details">
      {!first && <strong>{condition.title}</strong>}
      <p>{condition.detail}</p>
      {condition.path && (
        <p class="banner-path">
          <code>{condition.path}</code>
        </p>
      )}
      <Facts condition={condition} />
      {condition.commands.length > 0 && (
        <div class="commands">
          {condition.commands.map((command) => (
            <Command key={command} text={command} />
          ))}
        </div>
      )}
      <p class="quiet">
        <code>{condition.code}</code> since {at(condition.since_ms)}
      </p>
    </div>
  )
}
