"""What the daemon says to clients: the answers to requests, and the events that follow `hello`."""

from __future__ import annotations

from typing import Literal

from attn.wire.client_views import (
    AgentView,
    Condition,
    Cursor,
    DaemonView,
    ExitView,
    Fidelity,
    Message,
    Payload,
    RecoveryView,
    SessionView,
    StoreView,
)


class DaemonHello(Message, tag="hello"):
    """First message of the daemon: the whole state; afterwards only changes, on the same connection."""

    protocol: int
    protocol_min: int
    version: str
    daemon_id: str
    recovering: bool
    sessions: list[SessionView]
    conditions: list[Condition]
    page_build: str = ""
    store: StoreView | None = None
    settings: dict[str, str] = {}


class SessionsReady(Message, tag="sessions_ready"):
    """Recovery ended: the whole list, once, for clients that connected meanwhile."""

    sessions: list[SessionView]


class SessionChanged(Message, tag="session_changed"):
    """A session appeared or changed: put it in place of the one with the same id."""

    session: SessionView


class SessionRemoved(Message, tag="session_removed"):
    """A session is gone from the list."""

    session: str


class SessionExited(Message, tag="session_exited"):
    """The program of a session ended; said once."""

    session: str
    exit: ExitView


class ConditionsChanged(Message, tag="conditions_changed"):
    """All conditions that hold now; empty = all is well."""

    conditions: list[Condition]


class StoreChanged(Message, tag="store_changed"):
    """The state of the database, its newest backup, or a setting changed: what they are now."""

    store: StoreView
    settings: dict[str, str]


class PtyDesync(Message, tag="pty_desync"):
    """This client fell behind and its backlog was dropped; an attach_result with `id` 0 and a new payload follow."""

    handle: int
    reason: Literal["backlog", "resized", "worker"]


class PtyBell(Message, tag="pty_bell"):
    """The program rang the bell."""

    session: str


class PtyClipboard(Message, tag="pty_clipboard"):
    """The program wrote the clipboard (OSC 52) and the user's settings allow it."""

    session: str
    text: str


class Ok(Message, tag="ok"):
    """A request was done and has nothing more to say."""

    id: int


class Error(Message, tag="error"):
    """A request failed (`id` 0: a message that had none). `retryable`: the same request may succeed later."""

    id: int
    code: str
    message: str
    remedy: str = ""
    retryable: bool = False


class SpawnResult(Message, tag="spawn_result"):
    id: int
    session: SessionView


class ResumeResult(Message, tag="resume_result"):
    """The session goes on. `missing`: variables that its first start had and this one lacks, by name."""

    id: int
    session: SessionView
    missing: list[str]


class SessionResult(Message, tag="session_result"):
    id: int
    session: SessionView


class AttachResult(Message, tag="attach_result"):
    """An attach, or with `id` 0 a fresh start of an existing one: SNAPSHOT frames follow, then OUTPUT from `offset`.

    payload: `snapshot` replaces what the client shows, `delta` continues it from the `since` of the request, `tail`
    is raw bytes in place of a screen, `none` carries nothing and clears nothing. `handle` is unique per attach.
    """

    id: int
    handle: int
    session: str
    screen_rows: int
    screen_cols: int
    cursor: Cursor
    alternate_screen: bool
    offset: int
    payload: Payload
    format: str
    fidelity: Fidelity
    source: Literal["live", "persisted"]
    taken_at_ms: int
    running: bool


class ScreenResult(Message, tag="screen_result"):
    """The screen; its bytes follow as SNAPSHOT frames with this `handle`."""

    id: int
    handle: int
    rows: int
    cols: int
    cursor: Cursor
    alternate_screen: bool
    offset: int
    fidelity: Fidelity
    source: Literal["live", "persisted"]
    taken_at_ms: int


class SendResult(Message, tag="send_result"):
    """`typed`: the PTY took all bytes; `confirmed`: and the text stands on the screen."""

    id: int
    result: Literal["typed", "confirmed"]


class WaitResult(Message, tag="wait_result"):
    id: int
    exit: ExitView | None


class PathsResult(Message, tag="paths_result"):
    id: int
    matches: list[str]
    recent: list[str]


class AgentsResult(Message, tag="agents_result"):
    id: int
    agents: list[AgentView]


class LoginResult(Message, tag="login_result"):
    id: int
    url: str


class StatusResult(Message, tag="status_result"):
    id: int
    daemon: DaemonView
    store: StoreView
    conditions: list[Condition]
    recovery: RecoveryView
    sessions_running: int
    sessions_total: int


class BackupResult(Message, tag="backup_result"):
    """A verified copy of the database. rows: how many, by table."""

    id: int
    path: str
    at_ms: int
    rows: dict[str, int]


class StopResult(Message, tag="stop_result"):
    id: int
    sessions_running: int


DaemonMessage = (
    DaemonHello
    | SessionsReady
    | SessionChanged
    | SessionRemoved
    | SessionExited
    | ConditionsChanged
    | StoreChanged
    | PtyDesync
    | PtyBell
    | PtyClipboard
    | Ok
    | Error
    | SpawnResult
    | ResumeResult
    | SessionResult
    | AttachResult
    | ScreenResult
    | SendResult
    | WaitResult
    | PathsResult
    | AgentsResult
    | LoginResult
    | StatusResult
    | BackupResult
    | StopResult
)
