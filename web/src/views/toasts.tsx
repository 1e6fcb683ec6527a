import type { JSX } from "preact"
import { toasts } from "../state/ui"

export function Toasts(): JSX.Element {
  return (
    <div class="toasts" role="status">
      {toasts.value.map(({ id, text, detail, error }) => (
        <div key={id} class={error ? "toast error" : "toast"}>
          {text}
          {detail && <span class="quiet">{detail}</span>}
        </div>
      ))}
    </div>
  )
}
