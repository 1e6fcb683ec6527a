import { FONT_FAMILY, LINE_HEIGHT, type Size } from "./face"
import { webglIsBetter } from "./graphics"

// The width of xterm.js's scroll bar.
const SCROLL_BAR_PX = 14

/** The size that a terminal in this element would have, before there is one to ask: xterm.js's own arithmetic. */
export function estimateRoom(parent: HTMLElement, fontSize: number): Size | null {
  const context = document.createElement("canvas").getContext("2d")
  if (!context || parent.clientWidth === 0) return null
  context.font = `${fontSize}px ${FONT_FAMILY}`
  const { width, fontBoundingBoxAscent, fontBoundingBoxDescent } = context.measureText("W")
  const ratio = window.devicePixelRatio
  const cellWidth = webglIsBetter() ? Math.floor(width * ratio) : width * ratio
  const cellHeight = Math.floor(Math.ceil((fontBoundingBoxAscent + fontBoundingBoxDescent) * ratio) * LINE_HEIGHT)
  return {
    rows: Math.max(2, Math.floor((parent.clientHeight * ratio) / cellHeight)),
    cols: Math.max(2, Math.floor(((parent.clientWidth - SCROLL_BAR_PX) * ratio) / cellWidth)),
  }
}
