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

Intent = Literal["none", "kill", "remove", "reload"]
"""What an earlier daemon had set out to do and not finished: it wrote that down before it began."""


@dataclass(frozen=True)
class Stored:
    """What the database remembers of a session; no rows at all while there is no database."""

    id: str
    state: State
    repeatable: bool = False
    """Its program could be started again from what the row holds."""
    tended: bool = False
    """This daemon looks after it already: it has its link, probes it, or waits until its worker has left."""


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
    repeatable: bool = False
    """Its program could be started again: its spec says how, and what it names is there."""
    young: bool = False
    """Created moments ago: its worker may still be on its way to the lock."""
    runs: bool = True
    """The worker that answered says that its program runs. Then an exit file is of the run before."""
    foreign: bool = False
    """Its spec names another daemon."""
    intent: Intent = "none"


LostReason = Literal["worker_died", "reboot", "bundle_missing", "exit_unreadable"]


@dataclass(frozen=True)
class Adopt:
    """The worker lives: attach to it and call the session running. `conflict`: the row said that it had ended."""

    session_id: str
    recreate: bool
    conflict: bool = False
    then: Intent = "none"


@dataclass(frozen=True)
class Drain:
    """The program ended and its worker is about to leave: read the exit, give it 5 s, then ask it to go."""

    session_id: str
    recreate: bool
    then: Intent = "none"


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
    then: Intent = "none"


@dataclass(frozen=True)
class Complete:
    """Everything is known of it already; only what was begun with it is to be finished."""

    session_id: str
    then: Intent


@dataclass(frozen=True)
class Quarantine:
    """A bundle that is in doubt: keep its bytes, show no session, tell the person.

    in_place: a worker may hold it, or belong to another daemon: nothing of it is touched, not even its name.
    """

    session_id: str
    in_place: bool = False


Action = Adopt | Drain | Watch | Conclude | Complete | Quarantine


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
    """The state of a session once its action is done, before anything is completed; None: it keeps what it has."""
    match action:
        case Adopt():
            return "running"
        case Watch():
            return "unreachable"
        case Drain():
            return "exited"
        case Conclude(state=state):
            return state
        case Complete() | Quarantine():
            return None
        case _:
            assert_never(action)


def _without_bundle(row: Stored) -> Action | None:
    if row.state in ENDED:
        return None
    return _gone(row.id, False, "bundle_missing", row.repeatable, "none")


def _decide(row: Stored | None, bundle: Seen) -> Action | None:
    if bundle.foreign and bundle.lock_held is not False:
        return Quarantine(bundle.id, in_place=True)
    if bundle.answers == "yes" or bundle.lock_held is not False:
        return _alive(row, bundle)
    return _dead(row, bundle)


def _alive(row: Stored | None, bundle: Seen) -> Action | None:
    """Its worker lives, or may."""
    recreate, ended = row is None, row is not None and row.state in ENDED
    tended = row is not None and row.tended
    if bundle.answers == "yes" and (bundle.runs or bundle.exit != "read"):
        settled = tended and not ended and row is not None and row.state == "running"
        return None if settled else Adopt(bundle.id, recreate, conflict=ended, then=bundle.intent)
    if bundle.exit == "read":
        settled = tended and row is not None and row.state == "exited"
        return None if settled else Drain(bundle.id, recreate, then=bundle.intent)
    settled = tended and row is not None and row.state == "unreachable"
    return None if settled else Watch(bundle.id, recreate)


def _dead(row: Stored | None, bundle: Seen) -> Action | None:
    """The lock is free, so the worker is gone, or has not come yet."""
    recreate = row is None
    if bundle.exit == "read":
        known = row is not None and row.state == "exited"
        return _rest(bundle) if known else Conclude(bundle.id, recreate, "exited", None, bundle.intent)
    if row is not None and row.state in ENDED:
        return _rest(bundle)
    if bundle.young:
        watched = row is not None and row.tended and row.state == "unreachable"
        return None if watched else Watch(bundle.id, recreate)
    if row is None and not bundle.spec_readable:
        return Quarantine(bundle.id)
    reason: LostReason = "worker_died"
    if not bundle.same_boot:
        reason = "reboot"
    elif bundle.exit == "unreadable":
        reason = "exit_unreadable"
    return _gone(bundle.id, recreate, reason, bundle.repeatable or (row is not None and row.repeatable), bundle.intent)


def _rest(bundle: Seen) -> Complete | None:
    return None if bundle.intent == "none" else Complete(bundle.id, bundle.intent)


def _gone(session_id: str, recreate: bool, reason: LostReason, repeatable: bool, then: Intent) -> Conclude:
    return Conclude(session_id, recreate, "recoverable" if repeatable else "lost", reason, then)
