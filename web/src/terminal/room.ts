import type { Size } from "./screen"

// Of xterm.js: the width of its scroll bar, and the font of screen.ts.
const SCROLL_BAR_PX = 14

/** The size that a terminal in this element would have, before there is one to ask: xterm.js's own arithmetic. */
export function estimateRoom(
  parent: HTMLElement,
  font: { size: number; family: string; lineHeight: number },
): Size | null {
  const context = document.createElement("canvas").getContext("2d")
  if (!context || parent.clientWidth === 0) return null
  context.font = `${font.size}px ${font.family}`
  const measured = context.measureText("W")
  const ratio = window.devicePixelRatio
  const width = Math.floor(measured.width * ratio)
  const glyph = Math.ceil((measured.fontBoundingBoxAscent + measured.fontBoundingBoxDescent) * ratio)
  const height = Math.floor(glyph * font.lineHeight)
  return {
    rows: Math.max(2, Math.floor((parent.clientHeight * ratio) / height)),
    cols: Math.max(2, Math.floor(((parent.clientWidth - SCROLL_BAR_PX) * ratio) / width)),
  }
}
