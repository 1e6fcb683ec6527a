import { keepsSelector, widthOf } from "./widths"

const SPECIAL = /[\x80-\x9f]|\ufe0e|\ufe0f/g
const CONTROLS = "\x9f"
// More marks than anybody puts between a character and its selector.
const CONTEXT_UNITS = 16

/**
 * A stream of bytes, split anywhere, as the characters that the worker's terminal sees in it.
 *
 * xterm.js 6.0.0 would decode bytes itself, but loses a character that comes in two writes when the first part has a
 * byte 0x80 behind its first one (dashes, quotes, bullets, the ellipsis), and drops broken bytes, for which the worker
 * shows U+FFFD. Where the worker drops a character so do we, or the screen would look different once it comes from a
 * snapshot: variation selectors that mean nothing to it (as in keycaps), and C1 controls, which it never obeys.
 */
export class Characters {
  private decoder = new TextDecoder("utf-8", { ignoreBOM: true })
  private context = ""

  /** `data`, and before it what was begun; an unfinished character at its end waits for the next call. */
  next(data: Uint8Array): string {
    const text = this.decoder.decode(data, { stream: true })
    const before = this.context
    this.context = (text.length < CONTEXT_UNITS ? before + text : text).slice(-CONTEXT_UNITS)
    if (text.search(SPECIAL) < 0) return text
    return text.replace(SPECIAL, (special, at) =>
      special > CONTROLS && keepsSelector(base(before + text, before.length + at)) ? special : "",
    )
  }

  /** The stream begins anew. */
  forget(): void {
    this.decoder.decode()
    this.context = ""
  }
}

/** The code point that the mark at `at` belongs to. */
function base(text: string, at: number): number {
  const before = [...text.slice(Math.max(0, at - CONTEXT_UNITS), at)]
  const found = before.findLast((char) => widthOf(char.codePointAt(0) ?? 0) > 0)
  return found?.codePointAt(0) ?? 0
}
