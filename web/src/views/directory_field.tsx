import { type Signal, useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { useEffect, useRef } from "preact/hooks"
import * as hub from "../hub"
import { RequestError } from "../link/link"
import { shortPath } from "./format"
import { Icon } from "./icons"

// As many as fit below the field; typing on narrows them.
const SHOWN = 8

/** A directory, completed by the daemon as it is typed; empty or untouched it offers the recent ones. */
export function DirectoryField({ value }: { value: Signal<string> }): JSX.Element {
  const open = useSignal(false)
  const offers = useSignal<string[]>([])
  const at = useSignal(-1)
  const touched = useSignal(false)
  const asked = useRef(0)

  const ask = async () => {
    const turn = ++asked.current
    try {
      const { matches, recent } = await hub.completePath(touched.value ? value.value : "")
      if (turn !== asked.current) return
      const found = touched.value && value.value ? matches : recent
      offers.value = found.filter((path) => path !== value.value).slice(0, SHOWN)
      at.value = -1
    } catch (error) {
      if (!(error instanceof RequestError)) throw error
      offers.value = []
    }
  }
  useEffect(() => void ask(), [value.value, touched.value])

  const take = (path: string) => {
    touched.value = true
    value.value = path
    open.value = true
  }
  const onKeyDown = (event: KeyboardEvent) => {
    const list = offers.value
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const step = event.key === "ArrowDown" ? 1 : -1
      open.value = true
      at.value = list.length ? (at.value + step + list.length + (at.value < 0 && step < 0 ? 1 : 0)) % list.length : -1
    } else if (event.key === "Tab" && !event.shiftKey && touched.value && open.value && list.length > 0) {
      take(slashed(list[Math.max(0, at.value)] ?? value.value))
    } else if (event.key === "Enter" && open.value && at.value >= 0) {
      take(list[at.value] ?? value.value)
      open.value = false
    } else if (event.key === "Escape" && open.value && list.length > 0) {
      open.value = false
    } else return
    event.preventDefault()
    event.stopPropagation()
  }
  const showing = open.value && offers.value.length > 0
  return (
    <div class="field directory">
      <label for="directory">Directory</label>
      <input
        id="directory"
        type="text"
        class="mono"
        role="combobox"
        aria-expanded={showing}
        aria-controls="directory-offers"
        aria-activedescendant={showing && at.value >= 0 ? `offer-${at.value}` : undefined}
        autocomplete="off"
        spellcheck={false}
        value={value.value}
        autofocus
        onFocus={(event) => event.currentTarget.select()}
        onClick={() => {
          open.value = true
        }}
        onInput={(event) => {
          touched.value = true
          value.value = event.currentTarget.value
          open.value = true
        }}
        onBlur={() => {
          open.value = false
        }}
        onKeyDown={onKeyDown}
      />
      {showing && (
        <div id="directory-offers" class="offers" role="listbox" aria-label="Directories">
          {!touched.value && <div class="offers-head">Recent</div>}
          {offers.value.map((path, index) => (
            <div
              key={path}
              id={`offer-${index}`}
              class="offer"
              role="option"
              tabIndex={-1}
              aria-selected={index === at.value}
              onPointerDown={(event) => {
                event.preventDefault()
                take(slashed(path))
              }}
            >
              <Icon name="folder" />
              {shortPath(path)}
            </div>
          ))}
        </div>
      )}
    </div>
  )
}

/** With a slash at its end a directory completes to what is inside. */
function slashed(path: string): string {
  return path.endsWith("/") ? path : `${path}/`
}
