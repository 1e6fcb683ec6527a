import type { JSX } from "preact"
import * as ui from "../state/ui"
import { Command } from "./command"
import { Mark } from "./mark"

export function LoggedOut(): JSX.Element {
  return (
    <main class="alone">
      <div class="card" role="alert">
        <Mark />
        <h1>Not logged in</h1>
        <p>
          {ui.loginProblem.value ?? "This browser has no login for this attn."} For a fresh login address, run in a
          terminal of this machine:
        </p>
        <Command text="attn open" />
        <p class="quiet">The page goes on by itself once this browser is logged in. Your programs keep running.</p>
      </div>
    </main>
  )
}
