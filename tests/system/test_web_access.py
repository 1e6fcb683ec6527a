"""Who may speak HTTP: every check of the security chapter against a running daemon, by raw requests."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import re
from typing import Any

import aiohttp
import pytest

from tests.system.conftest import DaemonProcess
from tests.waiting import wait_until


class Web:
    """Requests exactly as written."""

    def __init__(self, daemon: DaemonProcess) -> None:
        self.daemon = daemon
        self.port = int(daemon.home.port.read_text())
        self.host = f"127.0.0.1:{self.port}"
        self.origin = f"http://{self.host}"
        self.token = daemon.home.token.read_text().strip()
        wait_until(lambda: self.ask("GET", "/health")[0] == 200, 20, "the web side")

    def ask(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b"", **options: Any
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            hosts = options.get("hosts", [self.host])
            for host in hosts:
                connection.putheader("Host", host)
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        except OSError:
            return 0, {}, b""
        finally:
            connection.close()

    def login(self, nonce: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        sent = {"Content-Type": "application/json", "X-Attn": "1", "Origin": self.origin, **headers}
        return self.ask("POST", "/login", sent, json.dumps({"nonce": nonce}).encode())

    def nonce(self) -> str:
        url = self.daemon.client().request("new_login")["url"]
        assert url.startswith(f"{self.origin}/#login=")
        return str(url.partition("#login=")[2])

    def upgrade(self, **headers: str) -> int:
        sent = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            **headers,
        }
        return self.ask("GET", "/ws", sent)[0]


@pytest.fixture
def web(daemon: DaemonProcess) -> Web:
    return Web(daemon)


PATHS = ("/", "/ws", "/health", "/login", "/assets/none.js", "/nothing")


def test_only_our_own_names_are_served(web: Web) -> None:
    wrong = [
        "localhost.evil.com", f"localhost.evil.com:{web.port}", "127.0.0.1.nip.io", f"127.0.0.1:{web.port + 1}",
        f"127.0.0.1.:{web.port}", f"user@127.0.0.1:{web.port}", f"2130706433:{web.port}", "127.0.0.1", "",
    ]  # fmt: skip
    found = {(path, host): web.ask("GET", path, hosts=[host])[0] for path in PATHS for host in wrong}
    assert {key: status for key, status in found.items() if status not in (421, 400)} == {}
    assert web.ask("GET", "/", hosts=[web.host, "evil.com"])[0] in (421, 400)
    assert web.ask("GET", "/", hosts=[])[0] in (421, 400)
    assert web.ask("GET", "/health", hosts=[f"localhost:{web.port}"])[0] == 200


def test_foreign_origins_get_no_socket(web: Web) -> None:
    cookie = web.login(web.nonce())[1]["Set-Cookie"].partition(";")[0]
    wrong = [
        "null", "http://localhost:5173", f"https://127.0.0.1:{web.port}", f"http://127.0.0.1:{web.port}.evil.com",
        "http://evil.com", f"http://127.0.0.1:{web.port}/", "",
    ]  # fmt: skip
    assert {origin: web.upgrade(Cookie=cookie, Origin=origin) for origin in wrong} == dict.fromkeys(wrong, 403)
    assert web.upgrade(Cookie=cookie) == 403
    assert web.upgrade(Authorization=f"Bearer {web.token}", Origin="http://evil.com") == 403
    assert web.upgrade(Cookie=cookie, Origin=web.origin, **{"Sec-Fetch-Site": "same-site"}) == 403
    assert web.upgrade(Cookie=cookie, Origin=web.origin, **{"Sec-Fetch-Site": "same-origin"}) == 101


def test_a_socket_needs_the_token_or_a_login(web: Web) -> None:
    name = f"attn_{web.daemon.client().hello_body['daemon_id']}"
    bad = [{}, {"Cookie": f"{name}="}, {"Cookie": f"{name}={web.token}"}, {"Cookie": f"other={web.token}"}]
    bad += [{"Authorization": value} for value in ("", "Bearer ", "Bearer x", f"Bearer {web.token[:-1]}", web.token)]
    assert [web.upgrade(Origin=web.origin, **headers) for headers in bad] == [401] * len(bad)
    assert web.upgrade(Authorization=f"Bearer {web.token}") == 101


def test_a_login_works_once(web: Web) -> None:
    nonce = web.nonce()
    status, headers, _ = web.login(nonce)
    assert status == 200
    cookie = headers["Set-Cookie"]
    assert re.search(r"HttpOnly", cookie) and re.search(r"SameSite=Strict", cookie) and "Path=/" in cookie
    assert web.token not in cookie
    assert web.login(nonce)[0] == 401
    assert web.upgrade(Origin=web.origin, Cookie=cookie.partition(";")[0]) == 101
    web.daemon.restart()
    again = Web(web.daemon)
    assert again.upgrade(Origin=again.origin, Cookie=cookie.partition(";")[0]) == 101


def test_guessing_is_slowed_and_forms_are_refused(web: Web) -> None:
    assert web.login("x", **{"Content-Type": "text/plain"})[0] == 415
    assert web.login("x", **{"X-Attn": "0"})[0] == 415
    assert web.login("x", Origin="http://evil.com")[0] == 403
    assert web.login("x", **{"Sec-Fetch-Site": "cross-site"})[0] == 403
    assert web.ask("GET", "/login")[0] in (404, 405)
    assert web.ask("OPTIONS", "/login", {"Origin": web.origin})[0] in (403, 404, 405)
    assert [web.login("guess")[0] for _ in range(6)] == [401] * 5 + [429]
    assert web.login(web.nonce())[0] == 429
    assert web.login("y" * 10_000)[0] in (413, 429)


def test_every_answer_carries_the_headers_and_no_token(web: Web) -> None:
    for path in PATHS:
        _, headers, body = web.ask("GET", path)
        assert headers["Content-Security-Policy"].startswith("default-src 'none'"), path
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert not any(name.lower().startswith("access-control") for name in headers)
        assert web.token.encode() not in body


async def test_the_page_speaks_the_same_protocol(web: Web) -> None:
    web.daemon.client().spawn("cat", label="seen in the page")
    headers = {"Authorization": f"Bearer {web.token}"}
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{web.origin}/ws", headers=headers) as ws:
        await ws.send_json({"type": "hello", "protocol": 1, "build": "x", "client": "page"})
        hello = await ws.receive_json(timeout=20)
        assert [each["label"] for each in hello["sessions"]] == ["seen in the page"]
        await ws.send_json({"type": "new_login", "id": 1})
        assert (await ws.receive_json(timeout=20))["code"] == "permission_denied"
        await ws.send_json({"type": "attach_session", "id": 2, "session": "seen in the page"})
        result = await ws.receive_json(timeout=20)
        assert (result["type"], result["payload"]) == ("attach_result", "snapshot")
        while (await ws.receive_bytes(timeout=20))[0] != 3:
            await asyncio.sleep(0)
        with contextlib.suppress(ConnectionError):  # it may be refused before the last byte is on its way
            await ws.send_json({"type": "x" * (1 << 20)})
        assert (await ws.receive(timeout=20)).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
