// The page's emulator without a browser: xterm.js as web/ installs it, with the page's own width table.
// JSON lines on stdin {rows, cols, steps}; a step is ["o", base64], ["r", rows, cols] or ["state"].
// JSON lines on stdout: the list of states asked for. What a state holds: `state` below.
import { createRequire } from "node:module"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"

const web = fileURLToPath(new URL("../../web/", import.meta.url))
const require = createRequire(`${web}package.json`)
const { Terminal } = require("@xterm/xterm")
const { build } = require("vite")

const SCROLLBACK_LINES = 30_000
const RGB = 0x3000000

async function pageModule(path) {
  const built = await build({
    configFile: false,
    logLevel: "silent",
    root: web,
    build: { write: false, ssr: path, rollupOptions: { output: { format: "es" } } },
  })
  return import(`data:text/javascript;base64,${Buffer.from(built.output[0].code).toString("base64")}`)
}

const { widthProvider } = await pageModule("src/terminal/widths.ts")
const { Characters } = await pageModule("src/terminal/characters.ts")

function fresh(rows, cols) {
  const terminal = new Terminal({ rows, cols, scrollback: SCROLLBACK_LINES, allowProposedApi: true, logLevel: "off" })
  terminal.unicode.register(widthProvider)
  terminal.unicode.activeVersion = widthProvider.version
  terminal.title = ""
  terminal.onTitleChange((title) => {
    terminal.title = title
  })
  return terminal
}

const hex = (value) => `#${value.toString(16).padStart(6, "0")}`

function color(mode, value) {
  return mode === 0 ? "" : mode === RGB ? hex(value) : `${value}`
}

// "foreground/background/flags/underline": the same text in tests/terminal/page_state.py.
function style(cell, blank) {
  let flags = ""
  if (!blank) {
    if (cell.isBold()) flags += "b"
    if (cell.isItalic()) flags += "t"
    if (cell.isDim()) flags += "d"
    if (cell.isBlink()) flags += "k"
    if (cell.isInvisible()) flags += "h"
    if (cell.isProtected()) flags += "p"
  }
  if (cell.isInverse()) flags += "i"
  if (cell.isStrikethrough()) flags += "s"
  if (cell.isOverline()) flags += "o"
  // Not getUnderlineStyle(): for links it tells how they are drawn, not what the program asked for.
  const kind = cell.hasExtendedAttrs() ? (cell.extended._ext >> 26) & 7 : 0
  const under = cell.isUnderlineColorDefault() ? "" : color(cell.getUnderlineColorMode(), cell.getUnderlineColor())
  const underline = kind ? `${kind}:${under}` : ""
  const shows = !blank || underline || /[iso]/.test(flags)
  const foreground = shows ? color(cell.getFgColorMode(), cell.getFgColor()) : ""
  return `${foreground}/${color(cell.getBgColorMode(), cell.getBgColor())}/${flags}/${underline}`
}

function linkOf(core, cell) {
  const id = cell.hasExtendedAttrs() && cell.extended.urlId // a reused cell keeps its last extended attributes
  return (id && core._oscLinkService.getLinkData(id)?.uri) || ""
}

function row(core, line, cell) {
  const runs = []
  for (let col = 0; col < line.length; col++) {
    line.loadCell(col, cell)
    const width = cell.getWidth()
    const text = width === 0 ? "\u0001" : cell.getChars() || " "
    const [look, link] = [style(cell, text === " " && width === 1), linkOf(core, cell)]
    const last = runs.at(-1)
    if (last && last[1] === look && last[2] === link) last[0] += text
    else runs.push([text, look, link])
  }
  const last = runs.at(-1)
  if (last && last[1] === "///" && last[2] === "") {
    last[0] = last[0].trimEnd()
    if (last[0] === "") runs.pop()
  }
  return runs
}

function charset(set) {
  const size = Object.keys(set ?? {}).length
  return size === 0 ? "B" : size === 1 ? "A" : "0"
}

function screen(terminal, buffer, shown) {
  const core = terminal._core
  const cell = terminal.buffer.active.getNullCell()
  const lines = Array.from({ length: buffer.lines.length }, (_, index) => buffer.lines.get(index))
  return {
    rows: lines.map((line) => row(core, line, cell)),
    wrapped: lines.slice(1).map((line) => line.isWrapped), // what the top row goes on with has scrolled away
    cursor: shown ? [buffer.y, buffer.x] : null,
    margins: shown ? [buffer.scrollTop, buffer.scrollBottom] : null,
    tabs: Object.keys(buffer.tabs).map(Number).filter((col) => buffer.tabs[col] && col > 0 && col < terminal.cols - 1),
    saved: [Math.max(0, buffer.savedY - buffer.ybase), buffer.savedX, style(buffer.savedCurAttrData, false).replace(/[^/]*$/, "")],
  }
}

function state(terminal) {
  const core = terminal._core
  const { normal, alt, active } = core._bufferService.buffers
  const input = core._inputHandler
  const sets = core._charsetService
  const pen = input._curAttrData
  return {
    alternate: active === alt,
    // The hidden alternate screen of xterm.js holds nothing: it is cleared on the way back.
    screens: {
      primary: screen(terminal, normal, active === normal),
      ...(active === alt ? { alternate: screen(terminal, alt, true) } : {}),
    },
    modes: { ...core.coreService.decPrivateModes, ...core.coreService.modes, lnm: !!terminal.options.convertEol },
    mouse: `${core.coreMouseService.activeProtocol}/${core.coreMouseService.activeEncoding}`,
    pen: [style(pen, false), linkOf(core, pen)],
    charset: [sets.glevel, ...[0, 1, 2, 3].map((slot) => charset(sets._charsets[slot]))],
    cursorHidden: core.coreService.isCursorHidden,
    title: terminal.title,
    parser: input._parser.currentState,
  }
}

function play({ rows, cols, steps }) {
  const terminal = fresh(rows, cols)
  const states = []
  const characters = new Characters()
  for (const step of steps) {
    // Not write(): it waits for a timer with every piece.
    if (step[0] === "o") terminal._core.writeSync(characters.next(Buffer.from(step[1], "base64")))
    else if (step[0] === "r") terminal.resize(step[2], step[1])
    else states.push(state(terminal))
  }
  terminal.dispose()
  return states
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(play(JSON.parse(line)))}\n`)
}
