import type { ComponentChildren, JSX } from "preact"
import { useLayoutEffect, useRef } from "preact/hooks"
import { focusTerminal } from "../hub"
import * as ui from "../state/ui"
import { IconButton } from "./icons"

interface DialogFrameProps {
  title: string
  wide?: boolean
  children: ComponentChildren
}

export function closeDialog(): void {
  ui.dialog.value = null
}

// What the dialog led to is in the terminal: the keyboard goes there, not back to the button.
let toTerminal = false

/** Closes the dialog after it did what it was opened for: a person types into the terminal next. */
export function leaveForTerminal(): void {
  toTerminal = true
  closeDialog()
}

/** At once: the browser would hide the dialog first and tell of it later, and a key in between would find one open. */
function onEscape(event: KeyboardEvent): void {
  if (event.key !== "Escape" || event.isComposing) return
  event.preventDefault()
  closeDialog()
}

/** A modal dialog: the browser traps focus, Escape closes it; focus goes back to where it was. */
export function DialogFrame({ title, wide, children }: DialogFrameProps): JSX.Element {
  const ref = useRef<HTMLDialogElement>(null)
  useLayoutEffect(() => {
    const before = document.activeElement as HTMLElement | null
    const dialog = ref.current
    dialog?.addEventListener("close", closeDialog)
    dialog?.showModal()
    return () => {
      // Its event comes a moment later, when the next dialog may be open.
      dialog?.removeEventListener("close", closeDialog)
      // What is behind a modal dialog takes no focus.
      dialog?.close()
      if (!toTerminal) before?.focus()
      // It may be gone, or hidden with the session it belongs to.
      if (toTerminal || document.activeElement !== before || before === document.body) {
        requestAnimationFrame(focusTerminal)
      }
      toTerminal = false
    }
  }, [])
  return (
    <dialog
      ref={ref}
      class={wide ? "dialog wide" : "dialog"}
      aria-labelledby="dialog-title"
      onKeyDown={onEscape}
      onMouseDown={(event) => event.target === ref.current && closeDialog()}
    >
      <div class="dialog-body">
        <header class="dialog-head">
          <h2 id="dialog-title">{title}</h2>
          <IconButton icon="close" label="Close" keys="Esc" onClick={closeDialog} />
        </header>
        {children}
      </div>
    </dialog>
  )
}
