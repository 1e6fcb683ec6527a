"""Who may speak HTTP to the daemon. Pure: header values and times in, decisions out.

Loopback is no boundary: every web page and every program on this machine can reach the port. The rules and the
attacks they answer are the known ones against local servers (DNS rebinding, cross-site WebSocket, CSRF).
"""

from __future__ import annotations

import hashlib
import hmac
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

NONCE_LIFETIME_MS: Final = 60_000
# Logins that nobody used yet; the oldest is forgotten beyond it.
NONCES_MAX: Final = 16
LOGIN_FAILURES_PER_MINUTE: Final = 5
COOKIE_LIFETIME_S: Final = 30 * 24 * 3600


@dataclass(frozen=True)
class Refusal:
    """An HTTP status and the constant sentence that goes with it."""

    status: int
    code: str
    message: str


WRONG_HOST: Final = Refusal(421, "wrong_host", "this Host is not served here")
WRONG_ORIGIN: Final = Refusal(403, "wrong_origin", "requests from this origin are refused")
CROSS_SITE: Final = Refusal(403, "cross_site", "requests from another site are refused")
UNAUTHORIZED: Final = Refusal(401, "unauthorized", "log in first: run `attn open`")
WRONG_TYPE: Final = Refusal(415, "wrong_content_type", "send application/json and the header X-Attn: 1")
TOO_MANY_LOGINS: Final = Refusal(429, "too_many_logins", "too many failed logins, wait a minute")


def allowed_hosts(port: int) -> frozenset[str]:
    """The exact values of Host that reach this daemon."""
    return frozenset({f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}"})


def check_host(values: Sequence[str], port: int) -> Refusal | None:
    """`values`: every Host header of the request; exactly one allowed one passes (DNS rebinding)."""
    if len(values) == 1 and values[0].lower() in allowed_hosts(port):
        return None
    return WRONG_HOST


def check_origin(origins: Sequence[str], port: int, *, required: bool) -> Refusal | None:
    """`origins`: every Origin header. Scheme, host and port must be ours exactly: same-site is not same-origin."""
    if not origins:
        return WRONG_ORIGIN if required else None
    if len(origins) == 1 and origins[0] in {f"http://{host}" for host in allowed_hosts(port)}:
        return None
    return WRONG_ORIGIN


def check_fetch_site(headers: Mapping[str, str], method: str) -> Refusal | None:
    """A browser says where a request comes from; another site may only navigate to a page (Fetch Metadata)."""
    site = headers.get("Sec-Fetch-Site")
    if site in (None, "same-origin", "none"):
        return None
    navigates = headers.get("Sec-Fetch-Mode") == "navigate" and headers.get("Sec-Fetch-Dest") == "document"
    return None if method == "GET" and navigates else CROSS_SITE


def same_secret(given: str, expected: str) -> bool:
    """Constant-time comparison; an empty secret never matches. `given` may be anything, lone surrogates too."""
    return bool(expected) and hmac.compare_digest(given.encode(errors="surrogatepass"), expected.encode())


def bearer_valid(authorization: str | None, token: str) -> bool:
    """Does `Authorization: Bearer <token>` name the token of this home."""
    scheme, _, value = (authorization or "").partition(" ")
    return scheme == "Bearer" and same_secret(value, token)


def cookie_name(daemon_id: str) -> str:
    """Cookies ignore the port, so each home has a name of its own."""
    return f"attn_{daemon_id}"


def cookie_value(token: str, daemon_id: str) -> str:
    """What a logged-in page holds: it survives a restart of the daemon, and a new token ends it."""
    return hmac.new(token.encode(), f"attn cookie 1 {daemon_id}".encode(), hashlib.sha256).hexdigest()


def page_headers() -> dict[str, str]:
    """Headers of every response. xterm.js needs inline styles and nothing else does."""
    return {
        "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        "connect-src 'self'; img-src 'self' data:; font-src 'self'; manifest-src 'self'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }


@dataclass
class Logins:
    """One-time login nonces, and the count of failures that the rate limit is about."""

    nonces: dict[str, int] = field(default_factory=dict)
    failures: deque[int] = field(default_factory=lambda: deque(maxlen=LOGIN_FAILURES_PER_MINUTE))

    def offer(self, nonce: str, now_ms: int) -> None:
        """`nonce` may be used once within the next minute."""
        while len(self.nonces) >= NONCES_MAX:
            self.nonces.pop(next(iter(self.nonces)))
        self.nonces[nonce] = now_ms + NONCE_LIFETIME_MS

    def use(self, given: str, now_ms: int) -> Refusal | None:
        """None when `given` was offered, is fresh and was not used before; it is used up now."""
        if len(self.failures) == LOGIN_FAILURES_PER_MINUTE and now_ms - self.failures[0] < 60_000:
            return TOO_MANY_LOGINS
        known = next((nonce for nonce in self.nonces if same_secret(given, nonce)), None)
        if known is not None and now_ms <= self.nonces.pop(known):
            return None
        self.failures.append(now_ms)
        return UNAUTHORIZED
