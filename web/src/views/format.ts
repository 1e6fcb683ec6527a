import type { SessionView } from "../generated/protocol"
import { home } from "../state/ui"

const UNITS: [number, string][] = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "m"],
  [1000, "s"],
]

/** Time since then in one unit, as a list has room for. */
export function ago(then: number | null, now: number): string {
  if (then === null) return ""
  const passed = now - then
  for (const [unit, name] of UNITS) if (passed >= unit) return `${Math.floor(passed / unit)}${name}`
  return "now"
}

/** A directory with "~" for the home. */
export function shortPath(path: string): string {
  const base = home.value
  if (!base) return path
  return path === base || path.startsWith(`${base}/`) ? `~${path.slice(base.length)}` : path
}

const SIGNALS: Record<number, string> = { 1: "HUP", 2: "INT", 6: "ABRT", 9: "KILL", 11: "SEGV", 15: "TERM" }

/** Whether starting its program again goes on with something: an agent has a conversation, other programs begin anew. */
export function goesOn({ agent }: SessionView): boolean {
  return agent !== "program" && agent !== "shell"
}

/** What the state of a session means, in words. */
export function stateText(session: SessionView): string {
  switch (session.state) {
    case "exited":
      return exitText(session)
    case "recoverable":
      return goesOn(session)
        ? "Its program is gone; the conversation can be resumed"
        : "Its program is gone; it can be started again"
    case "lost":
      return "Lost: nobody knows how its program ended"
    case "unreachable":
      return "Its worker does not answer; attn keeps trying"
    case "starting":
      return "Starting"
    case "running":
      return "Running"
  }
}

function exitText({ exit }: SessionView): string {
  if (exit?.signal != null) return `Ended by signal ${SIGNALS[exit.signal] ?? exit.signal}`
  if (exit?.code != null) return exit.code === 0 ? "Ended" : `Ended with status ${exit.code}`
  return "Ended"
}

/** Colour and shape of the state dot. */
export function dotKind(session: SessionView): string {
  if (session.state !== "exited") return session.state
  const failed = session.exit?.signal != null || (session.exit?.code ?? 0) !== 0
  return failed ? "failed" : "exited"
}

/** The agent, or for any other program its name. */
export function agentText(session: SessionView): string {
  if (session.agent !== "program") return session.agent
  return session.argv[0]?.split("/").at(-1) ?? session.agent
}
