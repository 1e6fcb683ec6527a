"""What a starting daemon does with the sessions it remembers and the bundles it finds.

One pure decision, idempotent and independent of order. It never creates a session: at most it re-creates the row of a
session whose bundle proves that it exists. Unknown is not dead: nothing that was not proved dead is declared so, and
nothing is ever deleted here. The facts, in order of trust: the worker's answer, its lock, its exit file, the row.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, assert_never

from attn.core.session import ENDED, State


@dataclass(frozen=True)
class Stored:
    """What the database remembers of a session; no rows at all while there is no database."""

    id: str
    state: State
    resumable: bool = False
    """The agent's conversation could be resumed from what the row holds."""


@dataclass(frozen=True)
class Seen:
    """What the bundle of a session and its worker showed."""

    id: str
    lock_held: bool | None
    """Whether `worker.lock` is held; None: could not be told."""
    answers: Literal["yes", "no", "unknown"]
    """`yes`: the worker said hello as this session; `no`: nobody listens; `unknown`: a time-out, a broken link, a
    refused token or another version."""
    exit: Literal["none", "read", "unreadable"]
    """`exit.json`."""
    spec_readable: bool = True
    same_boot: bool = True
    """The worker was started since this machine was; true when not known."""
    resumable: bool = False
    young: bool = False
    """Created moments ago: its worker may still be on its way to the lock."""


LostReason = Literal["worker_died", "reboot", "bundle_missing", "exit_unreadable"]


@dataclass(frozen=True)
class Adopt:
    """The worker lives: attach to it and call the session running. `conflict`: the row said that it had ended."""

    session_id: str
    recreate: bool
    conflict: bool = False


@dataclass(frozen=True)
class Drain:
    """The program ended and its worker is about to leave: read the exit, give it 5 s, then ask it to go."""

    session_id: str
    recreate: bool


@dataclass(frozen=True)
class Watch:
    """Alive or not, nobody knows: keep everything, show it as unreachable, probe again."""

    session_id: str
    recreate: bool


@dataclass(frozen=True)
class Conclude:
    """The worker is proved gone. `reason` is None when its exit file says how the program ended."""

    session_id: str
    recreate: bool
    state: Literal["exited", "recoverable", "lost"]
    reason: LostReason | None


@dataclass(frozen=True)
class Quarantine:
    """A bundle that says nothing usable and that no worker holds: set it aside, keep its bytes, tell the person."""

    session_id: str


Action = Adopt | Drain | Watch | Conclude | Quarantine


def plan_recovery(stored: Iterable[Stored], seen: Iterable[Seen]) -> list[Action]:
    """At most one action for each session, by session id; sessions that are as they should be need none."""
    rows = {row.id: row for row in stored}
    bundles = {bundle.id: bundle for bundle in seen}
    planned: list[Action] = []
    for session_id in sorted(rows.keys() | bundles.keys()):
        bundle = bundles.get(session_id)
        row = rows.get(session_id)
        action = _without_bundle(rows[session_id]) if bundle is None else _decide(row, bundle)
        if action is not None:
            planned.append(action)
    return planned


def state_after(action: Action) -> State | None:
    """The state of a session once its action is done; None: it has no row."""
    match action:
        case Adopt():
            return "running"
        case Watch():
            return "unreachable"
        case Drain():
            return "exited"
        case Conclude(state=state):
            return state
        case Quarantine():
            return None
        case _:
            assert_never(action)


def _without_bundle(row: Stored) -> Action | None:
    if row.state in ENDED:
        return None
    return _gone(row.id, False, "bundle_missing", row.resumable)


def _decide(row: Stored | None, bundle: Seen) -> Action | None:
    recreate = row is None
    alive = bundle.answers == "yes" or bundle.lock_held
    if bundle.exit == "read" and bundle.lock_held is not False:
        return Drain(bundle.id, recreate)
    if bundle.answers == "yes":
        return Adopt(bundle.id, recreate, conflict=row is not None and row.state in ENDED)
    if alive or bundle.lock_held is None:
        return Watch(bundle.id, recreate)
    return _dead(row, bundle)


def _dead(row: Stored | None, bundle: Seen) -> Action | None:
    """The lock is free, so the worker is gone, or has not come yet."""
    recreate = row is None
    if bundle.exit == "read":
        known = row is not None and row.state == "exited"
        return None if known else Conclude(bundle.id, recreate, "exited", None)
    if row is not None and row.state in ENDED:
        return None
    if bundle.young:
        return Watch(bundle.id, recreate)
    if row is None and not bundle.spec_readable:
        return Quarantine(bundle.id)
    reason: LostReason = "worker_died"
    if not bundle.same_boot:
        reason = "reboot"
    elif bundle.exit == "unreadable":
        reason = "exit_unreadable"
    return _gone(bundle.id, recreate, reason, bundle.resumable or (row is not None and row.resumable))


def _gone(session_id: str, recreate: bool, reason: LostReason, resumable: bool) -> Conclude:
    return Conclude(session_id, recreate, "recoverable" if resumable else "lost", reason)
