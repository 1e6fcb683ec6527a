import type { JSX } from "preact"
import { copy } from "../hub"
import { closeDialog, DialogFrame } from "./dialog"

/** A program wrote this address: it is opened only when a person has read it. */
export function LinkDialog({ url }: { url: string }): JSX.Element {
  const isFile = url.startsWith("file:")
  return (
    <DialogFrame title={isFile ? "Link to a file" : "Open this link?"}>
      <p class="address">
        <code>{url}</code>
      </p>
      {isFile && <p class="quiet">Browsers do not open files from a page: copy the path and open it where you like.</p>}
      <footer class="dialog-foot">
        <button type="button" class="button" onClick={closeDialog}>
          Cancel
        </button>
        <button
          type="button"
          class={isFile ? "button primary" : "button"}
          onClick={() => {
            void copy(isFile ? decodeURIComponent(new URL(url).pathname) : url)
            closeDialog()
          }}
        >
          {isFile ? "Copy path" : "Copy"}
        </button>
        {!isFile && (
          <button
            type="button"
            class="button primary"
            autofocus
            onClick={() => {
              window.open(url, "_blank", "noopener,noreferrer")
              closeDialog()
            }}
          >
            Open
          </button>
        )}
      </footer>
    </DialogFrame>
  )
}
