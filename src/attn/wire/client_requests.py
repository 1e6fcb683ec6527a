"""What clients say to the daemon."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from attn.wire.client_views import KeyEvent, Message, Request, ScreenFormat, Theme


class ClientHello(Message, tag="hello"):
    """First message of a client."""

    protocol: int
    build: str
    client: str
    theme: Theme | None = None


class SpawnSession(Request, tag="spawn_session"):
    """Start a program. `argv` set: that program, else the agent with `args`. Answer: spawn_result.

    `emulator` false: no terminal emulator keeps this session's screen, clients get the end of its raw output.
    """

    agent: str = "shell"
    argv: Annotated[list[str], msgspec.Meta(min_length=1)] | None = None
    args: list[str] = []
    cwd: str | None = None
    label: str | None = None
    rows: int | None = None
    cols: int | None = None
    env: dict[str, str] = {}
    client_env: dict[str, str] = {}
    parent: str | None = None
    emulator: bool = True


class AttachSession(Request, tag="attach_session"):
    """Watch a session, as terminal bytes or as frames of cells. Answer: attach_result.

    `since` is the offset that this client already shows: inside the worker's ring exactly the missing bytes follow.
    `used_ms_ago`: a client that comes back says when its person last used the session; null = comes anew, used now.
    """

    session: str
    rows: int | None = None
    cols: int | None = None
    since: int | None = None
    history: int | None = None
    read_only: bool = False
    visible: bool = True
    used_ms_ago: Annotated[int, msgspec.Meta(ge=0)] | None = None
    as_: Literal["vt", "cells"] = msgspec.field(name="as", default="vt")


class DetachSession(Request, tag="detach_session"):
    """Stop watching. Answer: ok."""

    handle: int


class PtyKeys(Message, tag="pty_keys"):
    """Keys for a program that asked for key events. No answer."""

    handle: int
    events: list[KeyEvent]


class PtyAck(Message, tag="pty_ack"):
    """Everything up to `offset` is applied on the screen of this client. No answer."""

    handle: int
    offset: int


class PtyResize(Message, tag="pty_resize"):
    """The size this client could show, and whether it is looking; `take` = make it the size now. No answer."""

    handle: int
    rows: int
    cols: int
    visible: bool = True
    take: bool = False


class ResizeSession(Request, tag="resize_session"):
    """Pin the size of a session, or with both null let the clients decide again. Answer: ok."""

    session: str
    rows: int | None = None
    cols: int | None = None


class SendText(Request, tag="send_text"):
    """Type a text as a paste, with Enter after it if asked. Answer: send_result or error not_ready/not_confirmed."""

    session: str
    text: str
    enter: bool = False
    confirm: bool = False


class GetScreen(Request, tag="get_screen"):
    """The screen as data. `history` lines of scrollback, null = all. Answer: screen_result, then its bytes."""

    session: str
    format: ScreenFormat = "text"
    history: int | None = 0


class WaitSession(Request, tag="wait_session"):
    """Wait for an exit (`text` null) or for a text on screen or in the scrollback. Answer: wait_result or timeout."""

    session: str
    text: str | None = None
    timeout_ms: int | None = None


class KillSession(Request, tag="kill_session"):
    """End a program; the answer `ok` comes when its end is known."""

    session: str


class ResumeSession(Request, tag="resume_session"):
    """Start the program of an ended session again, with its agent's conversation. Answer: resume_result."""

    session: str
    env: dict[str, str] = {}
    client_env: dict[str, str] = {}


class ReloadSession(Request, tag="reload_session"):
    """End the program of a session and start it again as `resume_session` does. Answer: resume_result."""

    session: str
    env: dict[str, str] = {}
    client_env: dict[str, str] = {}


class RemoveSession(Request, tag="remove_session"):
    """Forget an ended session; `force` ends a running one first. Answer: ok."""

    session: str
    force: bool = False


class RenameSession(Request, tag="rename_session"):
    """Change the label. Answer: ok."""

    session: str
    label: str


class ResolveSession(Request, tag="resolve_session"):
    """An id, unique prefix or label -> the session. Answer: session_result."""

    session: str


class CompletePath(Request, tag="complete_path"):
    """Directories that begin with `prefix` (`~` allowed), and recent ones. Answer: paths_result."""

    prefix: str


class GetStatus(Request, tag="get_status"):
    """Answer: status_result."""


class MakeBackup(Request, tag="make_backup"):
    """Make a verified copy of the database, at `to` or with the others (unix socket only). Answer: backup_result."""

    to: str | None = None


class GetAgents(Request, tag="get_agents"):
    """Answer: agents_result."""


class NewLogin(Request, tag="new_login"):
    """A one-time login URL (unix socket only). Answer: login_result."""


class SetTheme(Message, tag="set_theme"):
    """The colours of this client changed. No answer."""

    theme: Theme


class SetSetting(Request, tag="set_setting"):
    """Keep a setting of the page in the database. Answer: ok, or error persistence_unavailable."""

    key: Literal["theme", "font", "agent"]
    value: Annotated[str, msgspec.Meta(max_length=200)]


class StoreRetry(Request, tag="store_retry"):
    """Try the database again, whatever was wrong (unix socket only). Answer: ok, or error with what is still wrong."""


class StopDaemon(Request, tag="stop_daemon"):
    """End the daemon, leave all programs running (unix socket only). Answer: stop_result."""


ClientMessage = (
    ClientHello
    | SpawnSession
    | AttachSession
    | DetachSession
    | PtyKeys
    | PtyAck
    | PtyResize
    | ResizeSession
    | SendText
    | GetScreen
    | WaitSession
    | KillSession
    | ResumeSession
    | ReloadSession
    | RemoveSession
    | RenameSession
    | ResolveSession
    | CompletePath
    | GetStatus
    | MakeBackup
    | GetAgents
    | NewLogin
    | SetTheme
    | SetSetting
    | StoreRetry
    | StopDaemon
)
