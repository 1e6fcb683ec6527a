import type { ComponentChildren, JSX } from "preact"
import { useEffect, useRef } from "preact/hooks"
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

/** A modal dialog: the browser traps focus and closes it on Escape; focus goes back to where it was. */
export function DialogFrame({ title, wide, children }: DialogFrameProps): JSX.Element {
  const ref = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null
    ref.current?.showModal()
    return () => {
      before?.focus()
      // It may be gone, or hidden with the session it belongs to.
      if (document.activeElement !== before || before === document.body) focusTerminal()
    }
  }, [])
  return (
    <dialog
      ref={ref}
      class={wide ? "dialog wide" : "dialog"}
      aria-labelledby="dialog-title"
      onClose={closeDialog}
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
