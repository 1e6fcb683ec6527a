import type { JSX } from "preact"

/** The name, drawn: a prompt and the light that says somebody needs you. */
export function Mark(): JSX.Element {
  return (
    <span class="mark">
      <svg viewBox="0 0 20 16" aria-hidden="true">
        <path d="M3 3.5L8 8l-5 4.5" />
        <circle cx="15" cy="11.4" r="2.4" />
      </svg>
      attn
    </span>
  )
}
