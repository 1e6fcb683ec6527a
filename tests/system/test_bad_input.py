"""Wrong requests: each gets its own error code, and nothing is left of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from attn.wire import client_api, framing
from tests.system.client import Client, Closed, Refused
from tests.system.conftest import DaemonProcess


@pytest.fixture
def client(daemon: DaemonProcess) -> Client:
    return daemon.client()


def code_of(client: Client, kind: str, **fields: Any) -> str:
    with pytest.raises(Refused) as refused:
        client.request(kind, **fields)
    assert refused.value.body["message"]
    return refused.value.code


SPAWNS: dict[str, tuple[dict[str, Any], str]] = {
    "unknown agent": ({"agent": "nonesuch"}, "unknown_agent"),
    "missing binary": ({"argv": ["no-such-program-here"]}, "agent_missing"),
    "missing agent": ({"agent": "gemini"}, "agent_missing"),
    "not executable": ({"argv": ["/etc/hostname"]}, "not_executable"),
    "no program": ({"argv": [""]}, "agent_missing"),
    "no directory": ({"argv": ["cat"], "cwd": "/no/such/place"}, "directory_missing"),
    "relative directory": ({"argv": ["cat"], "cwd": "some/where"}, "directory_missing"),
    "a file as directory": ({"argv": ["cat"], "cwd": "/etc/hostname"}, "not_a_directory"),
    "0x0": ({"argv": ["cat"], "rows": 0, "cols": 0}, "invalid_size"),
    "1x1": ({"argv": ["cat"], "rows": 1, "cols": 1}, "invalid_size"),
    "100000x100000": ({"argv": ["cat"], "rows": 100000, "cols": 100000}, "invalid_size"),
    "rows alone": ({"argv": ["cat"], "rows": 24}, "invalid_size"),
    "escape in label": ({"argv": ["cat"], "label": "a\x1b[31mb"}, "invalid_label"),
    "bidi in label": ({"argv": ["cat"], "label": "a\u202eb"}, "invalid_label"),
    "long label": ({"argv": ["cat"], "label": "x" * 10_000}, "invalid_label"),
    "environment name": ({"argv": ["cat"], "env": {"A B": "c"}}, "invalid_env"),
    "our environment": ({"argv": ["cat"], "env": {"ATTN_SESSION": "c"}}, "invalid_env"),
    "long argument": ({"argv": ["cat", "x" * 200_000]}, "usage"),
    "text for a number": ({"argv": ["cat"], "rows": "many"}, "bad_message"),
}


def test_a_refused_spawn_leaves_nothing(daemon: DaemonProcess, client: Client) -> None:
    found = {name: code_of(client, "spawn_session", **fields) for name, (fields, _) in SPAWNS.items()}
    assert found == {name: code for name, (_, code) in SPAWNS.items()}
    assert client.sessions == {}
    assert [path.name for path in daemon.home.run.iterdir() if path.name != "s"] == []


def test_what_exec_refuses_leaves_nothing(daemon: DaemonProcess, client: Client, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/no/such/interpreter\n")
    broken.chmod(0o755)
    assert code_of(client, "spawn_session", argv=[str(broken)]) in ("agent_missing", "not_executable")
    assert client.sessions == {}
    assert [path.name for path in daemon.home.run.iterdir() if path.name != "s"] == []


def test_sessions_that_are_not_meant_clearly(client: Client) -> None:
    for _ in range(2):
        client.spawn("cat", label="twin")
    assert code_of(client, "kill_session", session="nobody") == "unknown_session"
    assert code_of(client, "kill_session", session="") == "unknown_session"
    assert code_of(client, "attach_session", session="twin") == "ambiguous_session"
    assert code_of(client, "rename_session", session="twin", label="x") == "ambiguous_session"
    one = next(iter(client.sessions))
    assert client.request("resolve_session", session=one[:7])["session"]["id"] == one
    assert code_of(client, "rename_session", session=one, label="\n") == "invalid_label"
    assert code_of(client, "resize_session", session=one, rows=1, cols=1) == "invalid_size"
    assert code_of(client, "attach_session", session=one, rows=10) == "invalid_size"


def test_messages_that_are_none(client: Client) -> None:
    client.send_frame(client_api.JSON, b"{nonsense")
    assert client.event("error", code="bad_message")
    client.send_frame(client_api.JSON, json.dumps({"type": "make_coffee", "id": 41}).encode())
    with pytest.raises(Refused) as refused:
        client.result(41)
    assert refused.value.code == "unknown_message"
    client.send_frame(9, b"")
    assert client.event("error", code="unknown_message")
    client.send_frame(client_api.BINARY, b"short")
    client.until(lambda: sum(event.get("code") == "bad_message" for event in client.events) == 2)
    assert code_of(client, "hello") == "bad_message"
    assert client.request("get_status")["sessions_total"] == 0


def test_input_for_a_handle_that_is_not_ours(daemon: DaemonProcess, client: Client) -> None:
    other = daemon.client()
    stream = client.attach(client.spawn("cat")["id"])
    for handle in (stream.handle, 4_000_000_000):
        frame = client_api.pack_binary(client_api.INPUT, handle, 5, b"intrusion\r")
        other.send_frame(client_api.BINARY, frame)
        with pytest.raises(Refused) as refused:
            other.result(5)
        assert refused.value.code == "unknown_handle"
        other.send_frame(client_api.BINARY, client_api.pack_binary(client_api.INPUT, handle, 0, b"late\r"))
    assert other.request("get_status")["type"] == "status_result"
    assert not [event for event in other.events if event["type"] == "error"]
    client.type(stream, b"mine\r")
    client.until_output(stream, b"mine\r\nmine\r\n")
    assert b"intrusion" not in stream.data and b"late" not in stream.data


def test_a_watcher_does_not_type(client: Client) -> None:
    stream = client.attach(client.spawn("cat")["id"], read_only=True)
    client.type(stream, b"x\r", request_id=60)
    with pytest.raises(Refused) as refused:
        client.result(60)
    assert refused.value.code == "read_only"


def test_a_message_over_the_bound_is_named_before_the_end(client: Client) -> None:
    client.socket.sendall(framing.HEADER.pack(client_api.MAX_MESSAGE_BYTES + 1, client_api.JSON))
    with pytest.raises(Closed):
        client.until(lambda: False)
    assert client.events[-1]["code"] == "message_too_large"


def test_the_first_message_is_hello(daemon: DaemonProcess) -> None:
    for first in (b'{"type":"get_status","id":1}', b"[]", b'{"type":"hello","protocol":0,"build":"x","client":"x"}'):
        with Client(daemon.home.daemon_socket) as stranger:
            stranger.send_frame(client_api.JSON, first)
            with pytest.raises(Closed):
                stranger.until(lambda: False)
            told = stranger.events or list(stranger.replies.values())
            assert [body["type"] for body in told] == ["error"]
