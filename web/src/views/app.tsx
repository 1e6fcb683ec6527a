import type { JSX } from "preact"
import { useEffect } from "preact/hooks"
import * as ui from "../state/ui"
import { Banner } from "./banner"
import { EndDialog } from "./end_dialog"
import { LinkDialog } from "./link_dialog"
import { LoggedOut } from "./logged_out"
import { NewSession } from "./new_session"
import { ShortcutSheet } from "./shortcuts"
import { Sidebar } from "./sidebar"
import { Stage } from "./stage"
import { Toasts } from "./toasts"

export function App(): JSX.Element {
  useEffect(followViewport, [])
  if (ui.link.value === "unauthorized") return <LoggedOut />
  return (
    <div class={ui.drawerOpen.value ? "page drawer-open" : "page"}>
      <Sidebar />
      <button
        type="button"
        class="shade"
        tabIndex={-1}
        aria-label="Close the list"
        onClick={() => {
          ui.drawerOpen.value = false
        }}
      />
      <main class="main">
        <Banner />
        <Stage />
      </main>
      <CurrentDialog />
      <Toasts />
    </div>
  )
}

function CurrentDialog(): JSX.Element | null {
  const dialog = ui.dialog.value
  switch (dialog?.kind) {
    case "new":
      return <NewSession />
    case "end":
      return <EndDialog id={dialog.session} />
    case "link":
      return <LinkDialog url={dialog.url} />
    case "shortcuts":
      return <ShortcutSheet />
    default:
      return null
  }
}

/** Keeps the page above an on-screen keyboard where the browser only shrinks the visual viewport. */
function followViewport(): () => void {
  const viewport = window.visualViewport
  if (!viewport) return () => undefined
  const follow = () => document.documentElement.style.setProperty("--height", `${viewport.height}px`)
  follow()
  viewport.addEventListener("resize", follow)
  return () => viewport.removeEventListener("resize", follow)
}
