"""What tests ask of a page from the inside: every frame that it draws, every cell of a terminal, its sockets."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Page

# Runs before the page does. Looks at what each frame shows when everything has drawn into it, just before it is
# seen: that is when a ResizeObserver speaks.
FRAMES = """
window.frames_seen = []
const look = () => {
  const faces = [...document.querySelectorAll(".screen:not([hidden]) .face:not(.behind)")]
  if (!faces[0]) return
  const rows = [...faces[0].querySelectorAll(".xterm-rows > div")].map((row) => row.textContent.trimEnd())
  const seen = JSON.stringify({ rows, faces: faces.length })
  if (window.frames_seen.at(-1) !== seen) window.frames_seen.push(seen)
}
const stirred = document.createElement("div")
stirred.style.cssText = "position: fixed; height: 1px; visibility: hidden"
const stir = () => {
  requestAnimationFrame(stir)
  if (!stirred.isConnected) document.body?.append(stirred)
  stirred.style.width = stirred.style.width === "1px" ? "2px" : "1px"
}
new ResizeObserver(look).observe(stirred)
requestAnimationFrame(stir)
"""

# Runs before the page does: its sockets can be closed, and kept from opening.
SOCKETS = """
window.sockets = []
window.WebSocket = class extends WebSocket {
  constructor(address) {
    super(address)
    window.sockets.push(this)
    if (window.offline) this.close()
  }
}
const fetched = window.fetch
window.fetch = (...what) => (window.offline ? Promise.reject(new TypeError("offline")) : fetched(...what))
window.unplug = (offline) => {
  window.offline = offline
  for (const socket of window.sockets) socket.close()
}
window.plug = () => {
  window.offline = false
  window.dispatchEvent(new Event("online"))
}
"""

# Holds back a page's second attach, the one for the scrollback, until `window.release()`.
HOLD_SECOND_ATTACH = """
let attaches = 0
const send = WebSocket.prototype.send
WebSocket.prototype.send = function (message) {
  if (typeof message !== "string" || JSON.parse(message).type !== "attach_session" || ++attaches !== 2)
    return send.call(this, message)
  window.release = () => send.call(this, message)
}
"""

_CELLS = """id => {
  const terminal = window.attn.terminal(id), buffer = terminal.buffer.active, rows = []
  const colour = (is_default, is_rgb, value) =>
    is_default ? null : is_rgb ? "#" + value.toString(16).padStart(6, "0") : value
  const style = (cell) => {
    const found = {
      bold: cell.isBold(), italic: cell.isItalic(), faint: cell.isDim(), blink: cell.isBlink(),
      inverse: cell.isInverse(), invisible: cell.isInvisible(), strike: cell.isStrikethrough(),
      overline: cell.isOverline(), underline: cell.isUnderline(),
    }
    const set = Object.entries(found).filter(([, value]) => value).map(([name]) => [name, true])
    const foreground = colour(cell.isFgDefault(), cell.isFgRGB(), cell.getFgColor())
    const background = colour(cell.isBgDefault(), cell.isBgRGB(), cell.getBgColor())
    if (foreground !== null) set.push(["foreground", foreground])
    if (background !== null) set.push(["background", background])
    return Object.fromEntries(set)
  }
  for (let y = 0; y < terminal.rows; y++) {
    const line = buffer.getLine(buffer.baseY + y), cells = []
    for (let x = 0; x < terminal.cols; x++) {
      const cell = line.getCell(x)
      if (cell.getWidth() > 0) cells.push([cell.getChars() || " ", cell.getWidth(), style(cell)])
    }
    rows.push(cells)
  }
  return rows
}"""

# The modes that xterm.js tells, and those it keeps for itself.
_STATE = """id => {
  const terminal = window.attn.terminal(id), buffer = terminal.buffer.active, core = terminal._core
  const { isCursorHidden, decPrivateModes } = core.coreService
  return {
    modes: terminal.modes,
    private: { ...decPrivateModes },
    hidden: Boolean(isCursorHidden),
    mouse: [core.coreMouseService.activeProtocol, core.coreMouseService.activeEncoding],
    keyboard: window.attn.keyboard(id),
    cursor: [buffer.cursorY, buffer.cursorX],
    screen: buffer.type,
    size: [terminal.rows, terminal.cols],
    margins: [core.buffer.scrollTop, core.buffer.scrollBottom],
    history: buffer.type === "normal" ? buffer.baseY : null,
  }
}"""

_VIEW = """id => {
  const buffer = window.attn.terminal(id).buffer.active
  return { row: buffer.viewportY, base: buffer.baseY, top: buffer.getLine(buffer.viewportY).translateToString(true) }
}"""

Run = tuple[str, int, dict[str, Any]]


@dataclass(frozen=True)
class View:
    """Where a person looks: the first visible row, how many rows are above the screen, and that row's text."""

    row: int
    base: int
    top: str


def view(page: Page, session: str) -> View:
    """What is looked at now."""
    return View(**page.evaluate(_VIEW, session))


def cells(page: Page, session: str) -> list[list[Run]]:
    """Every cell of the screen, neighbours of one style joined; blanks without a style at a row's end left out."""
    return [_runs(row) for row in page.evaluate(_CELLS, session)]


def state(page: Page, session: str) -> dict[str, Any]:
    """Cursor, modes and everything else that is no cell."""
    return dict(page.evaluate(_STATE, session))


def worker_cells(data: bytes) -> list[list[Run]]:
    """The same of a screen in the format `cells`, as far as xterm.js tells: no link, no kind of underline."""
    rows = []
    for line in json.loads(data)["lines"]:
        row = []
        for run in line["runs"]:
            style = {key: value for key, value in run.items() if key not in ("text", "cols", "link", "underline_color")}
            if "underline" in style:
                style["underline"] = True
            row.append((run["text"], run["cols"], style))
        rows.append(_runs(row))
    return rows


def _runs(cells: list[Any]) -> list[Run]:
    runs: list[Run] = []
    for text, cols, style in cells:
        if runs and runs[-1][2] == style:
            runs[-1] = (runs[-1][0] + text, runs[-1][1] + cols, style)
        else:
            runs.append((text, cols, style))
    if runs and not runs[-1][2]:
        text = runs[-1][0].rstrip(" ")
        cut = len(runs[-1][0]) - len(text)
        runs[-1] = (text, runs[-1][1] - cut, {})
        if not text:
            runs.pop()
    return runs


def frames(page: Page) -> list[list[str]]:
    """The rows of every different frame that was drawn since the last call; never of two faces at once."""
    seen = [json.loads(each) for each in page.evaluate("window.frames_seen.splice(0)")]
    assert all(each["faces"] == 1 for each in seen), "one face is shown at a time"
    return [each["rows"] for each in seen]
