import "@xterm/xterm/css/xterm.css"
import "./styles/tokens.css"
import "./styles/page.css"
import "./styles/parts.css"
import "./styles/dialogs.css"
import { render } from "preact"
import { automation } from "./automation"
import { start } from "./hub"
import { login } from "./link/login"
import * as ui from "./state/ui"
import { watchPixels } from "./terminal/graphics"
import { App } from "./views/app"
import { installShortcuts } from "./views/shortcuts"

window.attn = automation
watchPixels()
ui.loginProblem.value = await login()
installShortcuts()
const root = document.getElementById("app")
if (root) render(<App />, root)
start()
