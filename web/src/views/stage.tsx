import type { JSX } from "preact"
import { useLayoutEffect, useRef } from "preact/hooks"
import type { SessionView } from "../generated/protocol"
import * as hub from "../hub"
import * as list from "../state/sessions"
import * as ui from "../state/ui"
import { Command } from "./command"
import { Find } from "./find"
import { agentText, shortPath } from "./format"
import { Icon, IconButton } from "./icons"
import { KeyRow } from "./key_row"
import { StateDot } from "./session_row"
import { endSelected, keysOf, renameSelected, toggleFind } from "./shortcuts"
import { LinkNotice, Strip } from "./strip"

/** The chosen session: its header, its terminal, and what is to be said about it. */
export function Stage(): JSX.Element {
  const session = list.selected.value
  return (
    <section class="stage" aria-label={session ? session.label : "No session"}>
      {session ? <Head session={session} /> : <EmptyHead />}
      <div class="well">
        <Screens />
        <LinkNotice />
        {ui.findOpen.value && session && <Find key={session.id} />}
        {!session && <Empty />}
        {ui.hoveredLink.value && <div class="hovered-link">{ui.hoveredLink.value}</div>}
      </div>
      {session && <Strip session={session} />}
      {session && <KeyRow />}
    </section>
  )
}

/** The element that the pool draws terminals into; Preact never touches its children. */
function Screens(): JSX.Element {
  const ref = useRef<HTMLDivElement>(null)
  // Before the page connects: what is typed from then on has a terminal to go to.
  useLayoutEffect(() => {
    hub.pool.drawIn(ref.current)
    hub.showSelected()
    const observer = new ResizeObserver(() => hub.pool.current?.layout())
    if (ref.current) observer.observe(ref.current)
    return () => {
      observer.disconnect()
      hub.pool.drawIn(null)
    }
  }, [])
  return <div class="screens" ref={ref} />
}

function MenuButton(): JSX.Element {
  return (
    <IconButton
      icon="menu"
      label="Sessions"
      keys={keysOf("list")}
      class="menu-button"
      onClick={() => {
        ui.drawerOpen.value = true
      }}
    />
  )
}

function Head({ session }: { session: SessionView }): JSX.Element {
  const ended = list.isEnded(session)
  return (
    <header class="head">
      <MenuButton />
      <StateDot session={session} />
      <h1 class="head-label" title={session.label}>
        {session.label}
      </h1>
      <span class="head-facts">
        {agentText(session)} <i /> <bdi title={session.cwd}>{shortPath(session.cwd)}</bdi>
        {session.title && session.title !== session.label && (
          <>
            {" "}
            <i /> <em title={session.title}>{session.title}</em>
          </>
        )}
      </span>
      <span class="spring" />
      <span class="head-size" title="Rows × columns">
        {session.rows}×{session.cols}
      </span>
      <IconButton icon="search" label="Find" keys={keysOf("find")} onClick={toggleFind} pressed={ui.findOpen.value} />
      <IconButton icon="pencil" label="Rename" keys={keysOf("rename")} onClick={renameHere} />
      <IconButton
        icon={ended ? "trash" : "stop"}
        label={ended ? "Remove" : "End"}
        keys={keysOf("end")}
        class="end"
        onClick={endSelected}
      />
    </header>
  )
}

/** At phone width the row that is renamed stands in the drawer. */
function renameHere(): void {
  ui.drawerOpen.value = true
  renameSelected()
}

function EmptyHead(): JSX.Element {
  return (
    <header class="head empty-head">
      <MenuButton />
      <span class="spring" />
    </header>
  )
}

function Empty(): JSX.Element {
  if (!list.listed.value) return <div class="empty quiet">{list.recovering.value ? "Finding your sessions…" : ""}</div>
  return (
    <div class="empty">
      <div class="empty-inner">
        <h2>Start something</h2>
        <p>A session is a program in a terminal that outlives this page, and attn itself.</p>
        <button
          type="button"
          class="button primary"
          onClick={() => {
            ui.dialog.value = { kind: "new" }
          }}
        >
          <Icon name="plus" />
          New session
          <kbd>{keysOf("new")}</kbd>
        </button>
        <p class="quiet">Or from a terminal of this machine:</p>
        <Command text="attn new --agent codex" />
        <Command text="attn new --agent claude --attach" />
        <Command text="attn new --label build -- make -j8" />
      </div>
    </div>
  )
}
