// Renderers that compute pictures on the CPU; there xterm.js's DOM renderer is two to five times as fast as its WebGL
// one (measured: 28 against 5 to 12 frames a second under load).
const SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render/i

let exactPixels = true
let hardware: boolean | null = null

/**
 * Whether to draw with WebGL. `attn.renderer` in the local storage ("webgl" or "dom") decides instead of the machine.
 */
export function webglIsBetter(): boolean {
  const forced = localStorage.getItem("attn.renderer")
  if (forced) return forced === "webgl"
  hardware ??= hasHardware()
  return exactPixels && hardware
}

function hasHardware(): boolean {
  const context = document.createElement("canvas").getContext("webgl2")
  if (!context) return false
  const names = context.getExtension("WEBGL_debug_renderer_info")
  const renderer = String(context.getParameter(names ? names.UNMASKED_RENDERER_WEBGL : context.RENDERER))
  context.getExtension("WEBGL_lose_context")?.loseContext() // browsers allow few contexts
  return !SOFTWARE.test(renderer)
}

/**
 * Notices emulated screens (the device mode of developer tools), where a CSS pixel is not `devicePixelRatio` device
 * pixels: the WebGL addon would size its canvas by the real ones and draw at another scale.
 */
export function watchPixels(): void {
  const observer = new ResizeObserver(([entry]) => {
    const device = entry?.devicePixelContentBoxSize?.[0]?.inlineSize
    if (entry && device) exactPixels = Math.abs(device / entry.contentRect.width / window.devicePixelRatio - 1) < 0.02
  })
  try {
    observer.observe(document.documentElement, { box: "device-pixel-content-box" })
  } catch (error) {
    if (!(error instanceof TypeError)) throw error // a browser without this measure
  }
}
