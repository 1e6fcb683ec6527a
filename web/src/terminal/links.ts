import type { ILinkHandler } from "@xterm/xterm"

const OPENABLE = new Set(["http:", "https:", "file:"])
// Plain text that counts as an address; what stands in quotes or brackets ends before them.
export const ADDRESS =
  /\b(?:https?|file):\/\/[^\s"'`<>{}|\\^\u200e\u200f\u202a-\u202e\u2066-\u2069]*[^\s"'`<>{}|\\^()[\].,:;!?\u200e\u200f\u202a-\u202e\u2066-\u2069]/

/** What a link may do: only http, https and file, and only after a person said so. */
export interface LinkEvents {
  onOpen(url: string): void
  onHover(url: string | null): void
}

/** The address if it is one that may be opened, else null. */
export function openable(text: string): string | null {
  try {
    const url = new URL(text)
    return OPENABLE.has(url.protocol) ? url.href : null
  } catch {
    return null
  }
}

/** A click alone belongs to the program and to selecting; a finger has no Ctrl. */
function isMeant(event: MouseEvent): boolean {
  return event.ctrlKey || event.metaKey || matchMedia("(pointer: coarse)").matches
}

export function activate(event: MouseEvent, text: string, events: LinkEvents): void {
  const url = openable(text)
  if (url && isMeant(event)) events.onOpen(url)
}

/** For OSC 8 links, whose text need not be their address. */
export function linkHandler(events: LinkEvents): ILinkHandler {
  return {
    activate: (event, text) => activate(event, text, events),
    hover: (_event, text) => events.onHover(openable(text)),
    leave: () => events.onHover(null),
    allowNonHttpProtocols: true,
  }
}
