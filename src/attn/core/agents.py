"""The agents attn knows, as rows of a table: how each is found, launched, named, resumed and installed.

A new agent is a new row. Facts as measured on codex 0.169, claude 2.1.197, copilot 1.0.102, gemini 0.61 and
opencode 1.18; they move, so nothing here is needed for a program to run: `attn new -- PROGRAM` runs anything.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from attn.core.session import automatic_label
from attn.errors import AttnError

Which = Callable[[str], str | None]
"""A binary's name -> its absolute path, or None: `shutil.which` over the login shell's PATH."""

PROGRAM: Final = "program"
"""The agent name of a session that runs a program which is no row of the table."""

_UUID: Final = r"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"


@dataclass(frozen=True)
class Place:
    """Files that an agent keeps: `pattern` below the folder that `variable` names, else below `folder` of the home."""

    variable: str
    folder: str
    pattern: str

    def path(self, env: Mapping[str, str], **values: str) -> str:
        """The absolute pattern, for glob(3), in the environment of the agent."""
        root = env.get(self.variable) or posixpath.join(env.get("HOME", "/"), self.folder)
        return posixpath.join(root, self.pattern.format(**values))


@dataclass(frozen=True)
class Agent:
    """One row. `{id}` in a tuple stands for the conversation id, which is the agent's own and never attn's."""

    name: str
    title: str
    binaries: tuple[str, ...]
    install: str
    """What to type when the binary is missing."""
    always: tuple[str, ...] = ()
    """Arguments of every start."""
    choose: tuple[str, ...] = ()
    """Arguments that give a new conversation the id that we choose; empty when the agent has no such option."""
    resume: tuple[str, ...] = ()
    """Arguments that go on with a known conversation; empty when it cannot be done."""
    resume_unknown: tuple[str, ...] = ()
    """Arguments that go on without a known id: the agent's own picker, or its latest conversation in the directory."""
    exit_text: str = ""
    """A pattern for what the agent prints at its end, with the conversation id as its group."""
    transcripts: Place | None = None
    """Where a conversation with `{id}` stands once it has a first prompt; None: not known, so it counts as there."""
    status: Place | None = None
    """A JSON file that the running agent with `{pid}` keeps, with its conversation as `sessionId`."""
    open_file: str = ""
    """A pattern for the name of a file that the running agent holds open, with the conversation id as its group."""
    selects: frozenset[str] = frozenset()
    """The person's own arguments that already say which conversation it is."""
    batch: frozenset[str] = frozenset({"-h", "--help", "--version"})
    """Arguments with which there is no conversation to come back to."""
    flags: frozenset[str] = frozenset()
    """Options without a value; needed to tell a value from a prompt when a start is repeated as a resume."""
    commands: frozenset[str] = frozenset()
    """First words that are a subcommand: such a start is passed through as it is and has no conversation."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


@dataclass(frozen=True)
class Launch:
    """What to execute, absolute path first, and the conversation it will be (None: unknown, or there is none)."""

    argv: list[str]
    conversation: str | None
    resumable: bool


_CODEX: Final = Agent(
    name="codex",
    title="Codex",
    binaries=("codex",),
    install="npm install -g @openai/codex",
    # Without it codex moves its work into a background server that outlives the session, is shared with codexes
    # outside of attn, and has their environment: "kill" would not end the agent. Each session is its own island.
    always=("--no-daemon",),
    resume=("resume", "{id}"),
    resume_unknown=("resume",),
    exit_text=rf"codex resume {_UUID}",
    transcripts=Place("CODEX_HOME", ".codex", "sessions/*/*/*/rollout-*-{id}.jsonl"),
    open_file=rf"/rollout-[^/]*-{_UUID}\.jsonl$",
    selects=_words("resume"),
    batch=_words("-h --help -V --version"),
    flags=_words(
        "--oss --approve-for-me --dangerously-bypass-approvals-and-sandbox --yolo --full-auto "
        "--dangerously-bypass-hook-trust --worktree --search --no-alt-screen --no-daemon --strict-config"
    ),
    commands=_words(
        "agents exec e review login logout mcp plugin app-server remote-control completion update doctor "
        "sandbox debug apply a queue archive delete unarchive fork cloud exec-server features help"
    ),
)

_CLAUDE: Final = Agent(
    name="claude",
    title="Claude Code",
    binaries=("claude",),
    install="npm install -g @anthropic-ai/claude-code",
    choose=("--session-id", "{id}"),
    resume=("--resume", "{id}"),
    resume_unknown=("--resume",),
    exit_text=rf"claude --resume {_UUID}",
    transcripts=Place("CLAUDE_CONFIG_DIR", ".claude", "projects/*/{id}.jsonl"),
    status=Place("CLAUDE_CONFIG_DIR", ".claude", "sessions/{pid}.json"),
    selects=_words("-r --resume -c --continue --session-id --from-pr"),
    batch=_words("-p --print --bg --background -h --help -v --version"),
    flags=_words(
        "--dangerously-skip-permissions --allow-dangerously-skip-permissions --verbose --ide --bare --brief "
        "--chrome --no-chrome --strict-mcp-config --disable-slash-commands --safe-mode --ax-screen-reader "
        "--exclude-dynamic-system-prompt-sections"
    ),
    commands=_words(
        "agents auth auto-mode attach config doctor gateway install mcp plugin plugins project setup-token "
        "update upgrade"
    ),
)

_COPILOT: Final = Agent(
    name="copilot",
    title="GitHub Copilot",
    binaries=("copilot",),
    install="npm install -g @github/copilot",
    choose=("--session-id", "{id}"),
    resume=("--resume={id}",),
    resume_unknown=("--resume",),
    selects=_words("--resume --continue --session-id"),
    batch=_words("-p --prompt -h --help -v --version"),
    flags=_words("--yolo --allow-all --allow-all-tools --allow-all-paths --banner --no-color"),
    commands=_words("help init login logout mcp plugin update version"),
)

_GEMINI: Final = Agent(
    name="gemini",
    title="Gemini CLI",
    binaries=("gemini",),
    install="npm install -g @google/gemini-cli",
    resume=("--resume", "{id}"),
    resume_unknown=("--resume", "latest"),
    selects=_words("-r --resume --session-id"),
    batch=_words("-p --prompt -h --help -v --version"),
    flags=_words("-y --yolo -s --sandbox -d --debug --screen-reader --skip-trust"),
    commands=_words("mcp extensions extension skills skill hooks hook"),
)

_OPENCODE: Final = Agent(
    name="opencode",
    title="opencode",
    binaries=("opencode",),
    install="npm install -g opencode-ai",
    resume=("--session", "{id}"),
    resume_unknown=("--continue",),
    selects=_words("-s --session -c --continue"),
    batch=_words("-h --help -v --version"),
    flags=_words("--print-logs --fork"),
    commands=_words(
        "acp agent attach auth completion db debug export github import mcp models pr providers run serve "
        "session stats uninstall upgrade web"
    ),
)

_SHELL: Final = Agent(
    name="shell",
    title="Shell",
    binaries=("bash", "sh"),
    install="apt install bash",
    # A login shell; on a terminal it is interactive by itself.
    always=("-l",),
)

AGENTS: Final[dict[str, Agent]] = {row.name: row for row in (_CODEX, _CLAUDE, _COPILOT, _GEMINI, _OPENCODE, _SHELL)}


def agent(name: str) -> Agent:
    """The row of that name. Raises AttnError `unknown_agent`, naming those that exist."""
    row = AGENTS.get(name)
    if row is None:
        raise AttnError(
            "unknown_agent",
            f"there is no agent {automatic_label(name)[:40]!r}",
            f"choose one of {', '.join(AGENTS)}, or run any program: attn new -- PROGRAM",
        )
    return row


def locate(row: Agent, which: Which, shell: str = "") -> str | None:
    """The absolute path of an agent's binary, None when it is not installed.

    shell: the person's own ($SHELL of the login environment), which is what the shell row means if it exists.
    """
    names = (shell, *row.binaries) if row is _SHELL and shell else row.binaries
    return next((path for path in map(which, names) if path), None)


def find(row: Agent, which: Which, shell: str = "") -> str:
    """As `locate`, but raises AttnError `agent_missing` with the command that installs it."""
    path = locate(row, which, shell)
    if path is None:
        raise AttnError(
            "agent_missing",
            f"{row.title} is not installed: no {row.binaries[0]!r} on the PATH of your login shell",
            f"{row.install}, then attn daemon restart if its directory is new on your PATH",
        )
    return path


def launch(row: Agent, binary: str, args: Sequence[str], conversation: str | None = None) -> Launch:
    """How to start an agent anew.

    binary: from `find`; args: the person's, passed on as they are; conversation: a fresh UUID (text), used where the
    agent lets us choose the id of its conversation and the person's arguments do not choose themselves.
    """
    words = [arg.partition("=")[0] for arg in args]
    if words and words[0] in row.commands:
        return Launch([binary, *args], None, resumable=False)
    argv = [binary, *row.always]
    if not row.batch.isdisjoint(words):
        return Launch([*argv, *args], None, resumable=False)
    if not row.selects.isdisjoint(words):
        return Launch([*argv, *args], _named(args), resumable=bool(row.resume))
    chosen = conversation if row.choose else None
    return Launch([*argv, *_filled(row.choose, chosen), *args], chosen, resumable=bool(row.resume))


def resume(row: Agent, binary: str, args: Sequence[str], conversation: str | None) -> Launch | None:
    """How to go on with a conversation after its program ended, with the same options but not the first prompt again.

    conversation: the agent's id of it, None when it was never learned (then the agent's own picker opens). Returns
    None when the agent has no way to resume.
    """
    words = _filled(row.resume, conversation) or row.resume_unknown
    if not words:
        return None
    argv = [binary, *words, *row.always, *options_only(row, args)]
    return Launch(argv, conversation, resumable=True)


def options_only(row: Agent, args: Sequence[str]) -> list[str]:
    """The options in `args`, with their values, without prompts and without what selects a conversation."""
    kept: list[str] = []
    value_expected = selecting = False
    for arg in args:
        if arg == "--":
            break
        if arg.startswith("-") and arg != "-":
            selecting = arg.partition("=")[0] in row.selects
            value_expected = "=" not in arg and arg not in row.flags
            if not selecting:
                kept.append(arg)
        elif value_expected:
            value_expected = False
            if not selecting:
                kept.append(arg)
    return kept


def conversation_in(row: Agent, text: str) -> str | None:
    """The id of the conversation, from what an agent printed when it ended; the last one named wins."""
    if not row.exit_text:
        return None
    found = re.findall(row.exit_text, text)
    return found[-1] if found else None


def conversation_open(row: Agent, path: str) -> str | None:
    """The id of the conversation that an agent which holds the file at `path` open is in."""
    found = re.search(row.open_file, path) if row.open_file else None
    return found[1] if found else None


def conversation_told(data: bytes) -> str | None:
    """The id of the conversation in a `status` file of an agent; None when it is being written or says none."""
    try:
        value = json.loads(data)
    except ValueError:
        return None
    told = value.get("sessionId") if isinstance(value, dict) else None
    return told if isinstance(told, str) and re.fullmatch(_UUID, told) else None


def recognise(argv: Sequence[str]) -> str:
    """The name of the agent that a typed command line runs, by the name of its binary, else PROGRAM."""
    base = posixpath.basename(argv[0]) if argv else ""
    return next((row.name for row in AGENTS.values() if base in row.binaries and row is not _SHELL), PROGRAM)


def label_for(name: str, cwd: str, taken: Collection[str] = ()) -> str:
    """The label of a session that nobody named: what runs and where, `codex-myproject`, unlike those in `taken`.

    name: an agent's, or the path of a program.
    """
    place = posixpath.basename(cwd.rstrip("/"))
    return automatic_label("-".join(part for part in (posixpath.basename(name), place) if part), taken)


def _filled(words: Sequence[str], conversation: str | None) -> list[str]:
    return [word.replace("{id}", conversation) for word in words] if conversation else []


def _named(args: Sequence[str]) -> str | None:
    """The conversation that the person's own arguments name, if they name it by its id."""
    found = re.findall(_UUID, " ".join(args))
    return found[0] if len(found) == 1 else None
