"""What the stub of the models says: scripted answers, chosen by a word in the user's last text.

An answer is a list of steps. `HOLD` stops the stream until the test lets it go on, so that a test can do something to
attn exactly in the middle of an answer, without racing a clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Say:
    """Text, streamed a few characters at a time."""

    text: str


@dataclass(frozen=True)
class Run:
    """A call of the agent's shell tool, which asks its user first."""

    command: str


@dataclass(frozen=True)
class Hold:
    """The stream waits here for the test."""


Step = Say | Run | Hold


@dataclass(frozen=True)
class Prompt:
    """The part of a request that chooses the answer: the last text of the user and the tool results since."""

    text: str
    results: tuple[str, ...]


GREETING: Final = "Hello from the stub. 你好 👋"
STEADY_FIRST: Final = "alpha-part-one"
STEADY_LAST: Final = "omega-part-three"
COMMAND: Final = "printf 'approved-%s\\n' run > approved.txt"
APPROVED: Final = "The command ran."


def _lines(name: str, count: int) -> str:
    return "".join(f"- {name} line {n} of {count}, 第{n}行\n" for n in range(1, count + 1))


def steps(prompt: Prompt) -> list[Step]:
    """The answer to a prompt of the conversation itself."""
    if "steadily" in prompt.text:
        first = Say(f"{STEADY_FIRST}\n\n{_lines('first', 6)}\n")
        return [first, Hold(), Say(f"{_lines('second', 6)}\n"), Say(f"{STEADY_LAST}\n")]
    if "approval" in prompt.text:
        return [Say(APPROVED)] if prompt.results else [Say("I will run a command."), Run(COMMAND)]
    return [Say(GREETING if "greet" in prompt.text else f"You said: {prompt.text}")]
