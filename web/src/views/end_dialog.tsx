import type { JSX } from "preact"
import { useLayoutEffect } from "preact/hooks"
import * as hub from "../hub"
import * as list from "../state/sessions"
import { closeDialog, DialogFrame } from "./dialog"

/** Ends a running program, or takes an ended one off the list; both only after asking. */
export function EndDialog({ id }: { id: string }): JSX.Element | null {
  const session = list.session(id)
  useLayoutEffect(() => {
    if (!session) closeDialog()
  }, [session])
  if (!session) return null
  const ended = list.isEnded(session)
  const act = (run: () => Promise<unknown>) => {
    closeDialog()
    void run()
  }
  return (
    <DialogFrame title={ended ? `Remove “${session.label}”?` : `End “${session.label}”?`}>
      <p>
        {ended
          ? "It leaves the list, and its last screen is erased."
          : "Its program is asked to end, then made to. Its last screen stays in the list until you remove it."}
      </p>
      <footer class="dialog-foot">
        <button type="button" class="button" onClick={closeDialog}>
          Cancel
        </button>
        {!ended && (
          <button type="button" class="button" onClick={() => act(() => hub.remove(id, true))}>
            End and remove
          </button>
        )}
        <button
          type="button"
          class="button danger"
          autofocus
          onClick={() => act(() => (ended ? hub.remove(id, false) : hub.kill(id)))}
        >
          {ended ? "Remove" : "End program"}
        </button>
      </footer>
    </DialogFrame>
  )
}
