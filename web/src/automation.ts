import type { Terminal } from "@xterm/xterm"
import { pool } from "./hub"
import type { LinkState } from "./link/link"
import * as ui from "./state/ui"

/** `window.attn`: a stable way in for tests and scripts of the page. */
export interface Automation {
  /** The xterm.js terminal of a session; undefined while this page keeps none. */
  terminal(id: string): Terminal | undefined
  /** What its program asked of the keyboard: the kitty flags, and whether keys go to it as events. */
  keyboard(id: string): { flags: number; events: boolean } | undefined
  readonly connection: LinkState
  readonly build: string
  /** Offset up to which the terminal of a session has everything. */
  offset(id: string): number | null
}

export const automation: Automation = {
  terminal: (id) => pool.get(id)?.screen.terminal,
  keyboard(id) {
    const modes = pool.get(id)?.screen.face.modes
    return modes && { flags: modes.flags, events: modes.eventsWanted }
  },
  offset: (id) => pool.get(id)?.attachment.received ?? null,
  build: __BUILD__,
  get connection() {
    return ui.link.value
  },
}
