let exact = true

/**
 * Whether a CSS pixel is `devicePixelRatio` device pixels. It is not in emulated screens (the device mode of developer
 * tools), where the WebGL addon would size its canvas by the real ones and draw at another scale.
 */
export function pixelsAreExact(): boolean {
  return exact
}

/** Measures once the page is laid out; browsers without the measure have nothing to disagree about. */
export function watchPixels(): void {
  const observer = new ResizeObserver(([entry]) => {
    const device = entry?.devicePixelContentBoxSize?.[0]?.inlineSize
    if (entry && device) exact = Math.abs(device / entry.contentRect.width / window.devicePixelRatio - 1) < 0.02
  })
  try {
    observer.observe(document.documentElement, { box: "device-pixel-content-box" })
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
  }
}
