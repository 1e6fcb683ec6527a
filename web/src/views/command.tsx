import type { JSX } from "preact"
import { copy } from "../hub"
import { Icon } from "./icons"

/** A command to run somewhere, with a button that copies it. */
export function Command({ text }: { text: string }): JSX.Element {
  return (
    <button
      type="button"
      class="command tip"
      data-tip="Copy"
      aria-label={`Copy: ${text}`}
      onClick={() => void copy(text)}
    >
      <code>{text}</code>
      <Icon name="copy" />
    </button>
  )
}
