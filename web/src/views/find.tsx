import { useSignal } from "@preact/signals"
import type { ISearchOptions } from "@xterm/addon-search"
import type { JSX } from "preact"
import { useLayoutEffect, useRef } from "preact/hooks"
import * as hub from "../hub"
import { scheme } from "../state/settings"
import { searchColours } from "../terminal/theme"
import { IconButton } from "./icons"
import { closeFind } from "./shortcuts"

/** Find in the scrollback of the chosen terminal. */
export function Find(): JSX.Element {
  const field = useRef<HTMLInputElement>(null)
  const text = useSignal("")
  const exactCase = useSignal(false)
  const regex = useSignal(false)
  const count = useSignal<{ index: number; total: number } | null>(null)
  const invalid = useSignal(false)
  const screen = hub.pool.current?.screen

  // With the field: what is typed into it at once has its count.
  useLayoutEffect(() => {
    field.current?.focus()
    const listen = () =>
      screen?.face.search.onDidChangeResults(({ resultIndex, resultCount }) => {
        count.value = { index: resultIndex, total: resultCount }
      })
    let told = listen()
    // A fresh picture of the session has none of the marks yet; the match that was found is selected in it.
    const again = () => {
      told = listen()
      look(true, true)
    }
    screen?.onChanged.add(again)
    return () => {
      screen?.onChanged.delete(again)
      told?.dispose()
      screen?.face.search.clearDecorations()
    }
  }, [screen])

  // Typing looks for the newest match; the addon's backward search cuts lines, which "$" would match, so a regular
  // expression starts from the oldest.
  const look = (backwards: boolean, incremental: boolean) => {
    invalid.value = false
    if (!text.value) {
      screen?.face.search.clearDecorations()
      count.value = null
      return
    }
    try {
      screen?.find(
        text.value,
        backwards && !(regex.value && incremental),
        options(exactCase.value, regex.value, incremental),
      )
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error
      invalid.value = true
    }
  }
  const toggle = (option: typeof exactCase) => {
    option.value = !option.value
    screen?.face.search.clearDecorations() // the addon keeps the old matches while the text is the same
    look(true, true)
  }
  return (
    <search class="find">
      <input
        ref={field}
        type="text"
        placeholder="Find"
        aria-label="Find in the scrollback"
        spellcheck={false}
        value={text.value}
        onInput={(event) => {
          text.value = event.currentTarget.value
          look(true, true)
        }}
        onKeyDown={(event) => {
          if (event.key === "Enter") look(!event.shiftKey, false)
          else if (event.key === "Escape") closeFind()
          else return
          event.preventDefault()
        }}
      />
      <span class="find-count" role="status">
        {invalid.value ? "invalid" : found(text.value, count.value)}
      </span>
      <OptionButton label="Match case" shown="Aa" on={exactCase.value} onClick={() => toggle(exactCase)} />
      <OptionButton label="Regular expression" shown=".*" on={regex.value} onClick={() => toggle(regex)} />
      <IconButton icon="up" label="Previous" keys="Enter" onClick={() => look(true, false)} />
      <IconButton icon="down" label="Next" keys="Shift+Enter" onClick={() => look(false, false)} />
      <IconButton icon="close" label="Close" keys="Esc" class="end" onClick={closeFind} />
    </search>
  )
}

function found(text: string, count: { index: number; total: number } | null): string {
  if (!text || !count) return ""
  if (count.total === 0) return "none"
  return count.index < 0 ? `${count.total}` : `${count.index + 1}/${count.total}`
}

function options(caseSensitive: boolean, regex: boolean, incremental: boolean): ISearchOptions {
  const colours = searchColours[scheme.value]
  return {
    caseSensitive,
    regex,
    incremental,
    decorations: {
      matchBackground: colours.match,
      matchOverviewRuler: colours.border,
      activeMatchBackground: colours.active,
      activeMatchBorder: colours.border,
      activeMatchColorOverviewRuler: colours.border,
    },
  }
}

interface OptionButtonProps {
  label: string
  shown: string
  on: boolean
  onClick(): void
}

function OptionButton({ label, shown, on, onClick }: OptionButtonProps): JSX.Element {
  return (
    <button
      type="button"
      class="icon-button tip option"
      aria-label={label}
      aria-pressed={on}
      data-tip={label}
      onClick={onClick}
    >
      {shown}
    </button>
  )
}
