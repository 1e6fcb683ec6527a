import type { ITheme } from "@xterm/xterm"
import type { Theme } from "../generated/protocol"

export type Scheme = Theme["scheme"]

const dark: ITheme = {
  foreground: "#d6dae0",
  background: "#0e1114",
  cursor: "#e6b450",
  cursorAccent: "#0e1114",
  selectionBackground: "#34506f99",
  selectionInactiveBackground: "#2b394899",
  scrollbarSliderBackground: "#ffffff1c",
  scrollbarSliderHoverBackground: "#ffffff33",
  scrollbarSliderActiveBackground: "#ffffff44",
  black: "#1b2026",
  red: "#f0716b",
  green: "#7fc675",
  yellow: "#e3b45c",
  blue: "#6ea8f0",
  magenta: "#c792ea",
  cyan: "#5fc5cc",
  white: "#c3c9d1",
  brightBlack: "#67717d",
  brightRed: "#ff8f88",
  brightGreen: "#9ddb93",
  brightYellow: "#f4cd7e",
  brightBlue: "#93c1ff",
  brightMagenta: "#ddb3f7",
  brightCyan: "#86dde3",
  brightWhite: "#f3f5f7",
}

const light: ITheme = {
  foreground: "#24292f",
  background: "#fdfdfc",
  cursor: "#9a6700",
  cursorAccent: "#fdfdfc",
  selectionBackground: "#9cc3ee80",
  selectionInactiveBackground: "#c6d3e080",
  scrollbarSliderBackground: "#0000001f",
  scrollbarSliderHoverBackground: "#00000038",
  scrollbarSliderActiveBackground: "#0000004a",
  black: "#24292f",
  red: "#c4302b",
  green: "#1f7a33",
  yellow: "#8a5f00",
  blue: "#0a5dc2",
  magenta: "#8339b8",
  cyan: "#0f7280",
  white: "#6a737d",
  brightBlack: "#57606a",
  brightRed: "#a5211d",
  brightGreen: "#176229",
  brightYellow: "#6f4c00",
  brightBlue: "#074a9e",
  brightMagenta: "#6a2b98",
  brightCyan: "#0b5a66",
  brightWhite: "#454c54",
}

export const terminalThemes: Record<Scheme, ITheme> = { dark, light }

// The palette's first colours, in the order of their numbers.
const NAMES = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"] as const
const BRIGHT = [
  "brightBlack",
  "brightRed",
  "brightGreen",
  "brightYellow",
  "brightBlue",
  "brightMagenta",
  "brightCyan",
  "brightWhite",
] as const

/** The colours as the daemon wants them, for programs that ask for the terminal's. */
export function reportedTheme(scheme: Scheme): Theme {
  const theme = terminalThemes[scheme]
  return {
    foreground: theme.foreground ?? "",
    background: theme.background ?? "",
    cursor: theme.cursor ?? "",
    scheme,
    palette: [...NAMES, ...BRIGHT].map((name) => theme[name] ?? ""),
  }
}

/** Colours of found text; the addon wants full hexadecimal colours. */
export const searchColours = {
  dark: { match: "#4b3d17", active: "#9a6d00", border: "#e6b450" },
  light: { match: "#fbe7b0", active: "#f2c14e", border: "#9a6700" },
} as const
