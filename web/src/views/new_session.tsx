import { useSignal } from "@preact/signals"
import type { JSX } from "preact"
import { useEffect } from "preact/hooks"
import type { AgentView } from "../generated/protocol"
import * as hub from "../hub"
import { RequestError } from "../link/link"
import * as list from "../state/sessions"
import { lastAgent } from "../state/settings"
import { splitArguments } from "./arguments"
import { Command } from "./command"
import { closeDialog, DialogFrame, leaveForTerminal } from "./dialog"
import { DirectoryField } from "./directory_field"
import { shortPath } from "./format"

/** Starts a session: which agent, where, called what, with which arguments. The size is that of this page. */
export function NewSession(): JSX.Element {
  const agents = useSignal<AgentView[]>([])
  const agent = useSignal(lastAgent.value)
  const directory = useSignal(shortPath(list.selected.value?.cwd ?? "~"))
  const label = useSignal("")
  const args = useSignal("")
  const problem = useSignal<RequestError | null>(null)
  const busy = useSignal(false)
  const chosen = agents.value.find((each) => each.name === agent.value)

  useEffect(() => {
    hub
      .agents()
      .then((result) => {
        agents.value = result.agents
        if (!result.agents.some((each) => each.name === agent.value)) agent.value = result.agents[0]?.name ?? "shell"
      })
      .catch((error: RequestError) => {
        problem.value = error
      })
  }, [])

  const start = async (event: Event) => {
    event.preventDefault()
    if (busy.value) return
    busy.value = true
    problem.value = null
    try {
      await hub.spawn({
        agent: agent.value,
        args: splitArguments(args.value),
        cwd: directory.value.trim().replace(/(?<=.)\/+$/, "") || null,
        label: label.value.trim() || null,
      })
      lastAgent.value = agent.value
      leaveForTerminal()
    } catch (error) {
      problem.value = error instanceof SyntaxError ? new RequestError("usage", error.message) : (error as RequestError)
    }
    busy.value = false
  }

  return (
    <DialogFrame title="New session">
      <form class="form" onSubmit={start}>
        <fieldset class="agents">
          <legend>Agent</legend>
          {agents.value.map((each) => (
            <AgentChoice
              key={each.name}
              agent={each}
              checked={each.name === agent.value}
              onChoose={() => {
                agent.value = each.name
                problem.value = null
              }}
            />
          ))}
        </fieldset>
        {chosen && !chosen.found && <Missing agent={chosen} />}
        <DirectoryField value={directory} />
        <div class="field-pair">
          <TextField
            name="Label"
            value={label.value}
            hint="named after the agent and directory"
            onInput={(text) => (label.value = text)}
          />
          <TextField
            name="Arguments"
            mono
            value={args.value}
            hint="--flag 'two words'"
            onInput={(text) => (args.value = text)}
          />
        </div>
        {problem.value && (
          <p class="problem" role="alert">
            {problem.value.message}
            {problem.value.remedy && <span class="quiet">{problem.value.remedy}</span>}
          </p>
        )}
        <footer class="dialog-foot">
          <span class="quiet spring">{chosen?.found ? shortPath(chosen.found) : ""}</span>
          <button type="button" class="button" onClick={closeDialog}>
            Cancel
          </button>
          <button type="submit" class="button primary" disabled={busy.value || (chosen !== undefined && !chosen.found)}>
            Start
          </button>
        </footer>
      </form>
    </DialogFrame>
  )
}

interface AgentChoiceProps {
  agent: AgentView
  checked: boolean
  onChoose(): void
}

function AgentChoice({ agent, checked, onChoose }: AgentChoiceProps): JSX.Element {
  return (
    <label class={agent.found ? "agent" : "agent missing"}>
      <input type="radio" name="agent" value={agent.name} checked={checked} onChange={onChoose} />
      <span class="agent-title">{agent.title}</span>
      {!agent.found && <span class="agent-missing">not found</span>}
    </label>
  )
}

function Missing({ agent }: { agent: AgentView }): JSX.Element {
  return (
    <div class="missing-hint">
      <p>{agent.title} is not installed where attn can find it. To install it:</p>
      <Command text={agent.install} />
    </div>
  )
}

interface TextFieldProps {
  name: string
  value: string
  hint: string
  mono?: boolean
  onInput(text: string): void
}

function TextField({ name, value, hint, mono, onInput }: TextFieldProps): JSX.Element {
  return (
    <label class="field">
      <span>{name}</span>
      <input
        type="text"
        name={name.toLowerCase()}
        class={mono ? "mono" : ""}
        value={value}
        placeholder={hint}
        maxLength={4096}
        spellcheck={false}
        autocomplete="off"
        onInput={(event) => onInput(event.currentTarget.value)}
      />
    </label>
  )
}
