import type { JSX } from "preact"

/** 16 px line icons, drawn here so that the page loads nothing from elsewhere. */
const PATHS = {
  plus: "M8 3.5v9M3.5 8h9",
  search: "M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM10.4 10.4l3.1 3.1",
  pencil: "M3 13l.7-2.8 7-7 2.1 2.1-7 7L3 13zM9.4 4.5l2.1 2.1",
  close: "M4 4l8 8M12 4l-8 8",
  menu: "M2.5 4.5h11M2.5 8h11M2.5 11.5h11",
  up: "M4 9.8L8 5.8l4 4",
  down: "M4 6.2l4 4 4-4",
  copy: "M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z",
  sun: "M8 10.8a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6zM8 1.5v1.4M8 13.1v1.4M1.5 8h1.4M13.1 8h1.4M3.4 3.4l1 1M11.6 11.6l1 1M12.6 3.4l-1 1M4.4 11.6l-1 1",
  moon: "M13 9.6A5.5 5.5 0 0 1 6.4 3a5.5 5.5 0 1 0 6.6 6.6z",
  auto: "M8 13.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11zM8 2.5v11M10.5 3.2v9.6M12.4 4.8v6.4",
  keyboard: "M2 4.5h12v7H2zM4.5 7h.01M7 7h.01M9.5 7h.01M12 7h.01M5 9.3h6",
  warning: "M8 2.5l6 10.5H2L8 2.5zM8 6.5v3M8 11.2v.1",
  info: "M8 13.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11zM8 7.3v3.4M8 5.2v.1",
  expand: "M9.5 2.5h4v4M13.5 2.5l-4.2 4.2M6.5 13.5h-4v-4M2.5 13.5l4.2-4.2",
  stop: "M4 4h8v8H4z",
  trash: "M3 4.5h10M6.5 4.5v-1.5h3v1.5M4.5 4.5l.6 8.5h5.8l.6-8.5",
  folder: "M2 4h4.2l1.4 1.6H14V12.5H2z",
} as const

export type IconName = keyof typeof PATHS

export function Icon({ name }: { name: IconName }): JSX.Element {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  )
}

interface IconButtonProps {
  icon: IconName
  label: string
  /** Shown in the tooltip behind the label. */
  keys?: string | undefined
  onClick(): void
  pressed?: boolean
  class?: string
}

export function IconButton({ icon, label, keys, onClick, pressed, class: extra }: IconButtonProps): JSX.Element {
  return (
    <button
      type="button"
      class={`icon-button tip ${extra ?? ""}`}
      aria-label={label}
      aria-pressed={pressed}
      data-tip={keys ? `${label}  ${keys}` : label}
      onClick={onClick}
    >
      <Icon name={icon} />
    </button>
  )
}
