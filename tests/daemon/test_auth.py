"""Decisions about HTTP requests."""

from __future__ import annotations

import pytest

from attn.daemon import auth

PORT = 4321


@pytest.mark.parametrize("host", ["127.0.0.1:4321", "localhost:4321", "LOCALHOST:4321", "[::1]:4321"])
def test_our_names_pass(host: str) -> None:
    assert auth.check_host([host], PORT) is None


@pytest.mark.parametrize(
    "hosts",
    [[], ["127.0.0.1:4321", "127.0.0.1:4321"], ["127.0.0.1"], ["127.0.0.1:4322"], ["localhost.evil.com:4321"],
     ["127.0.0.1.:4321"], ["a@127.0.0.1:4321"], ["2130706433:4321"], [""]],
)  # fmt: skip
def test_other_names_do_not(hosts: list[str]) -> None:
    assert auth.check_host(hosts, PORT) is auth.WRONG_HOST


def test_an_origin_is_ours_to_the_letter() -> None:
    assert auth.check_origin(["http://localhost:4321"], PORT, required=True) is None
    assert auth.check_origin([], PORT, required=False) is None
    assert auth.check_origin([], PORT, required=True) is auth.WRONG_ORIGIN
    for origin in (
        "null",
        "https://localhost:4321",
        "http://localhost:4321/",
        "http://localhost",
        "http://localhost:43210",
    ):
        assert auth.check_origin([origin], PORT, required=False) is auth.WRONG_ORIGIN


def test_another_site_may_only_navigate() -> None:
    navigation = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert auth.check_fetch_site({}, "POST") is None
    assert auth.check_fetch_site({"Sec-Fetch-Site": "same-origin"}, "POST") is None
    assert auth.check_fetch_site(navigation, "GET") is None
    assert auth.check_fetch_site(navigation, "POST") is auth.CROSS_SITE
    assert auth.check_fetch_site({"Sec-Fetch-Site": "same-site"}, "GET") is auth.CROSS_SITE
    assert auth.check_fetch_site({**navigation, "Sec-Fetch-Dest": "iframe"}, "GET") is auth.CROSS_SITE


def test_secrets_are_compared_whole() -> None:
    assert auth.bearer_valid("Bearer token", "token")
    for header in (None, "", "Bearer", "Bearer ", "Bearer toke", "Bearer tokens", "Basic token", "token"):
        assert not auth.bearer_valid(header, "token")
    assert not auth.same_secret("", "")
    assert not auth.same_secret("é", "token")


def test_a_cookie_belongs_to_one_token_and_one_home() -> None:
    values = {auth.cookie_value(token, home) for token in ("a", "b") for home in ("x", "y")}
    assert len(values) == 4
    assert not values & {"a", "b"}
    assert auth.cookie_name("x") != auth.cookie_name("y")


def test_a_nonce_is_good_once_and_for_a_minute() -> None:
    logins = auth.Logins()
    logins.offer("one", 0)
    logins.offer("two", 0)
    assert logins.use("one", 10) is None
    assert logins.use("one", 20) is auth.UNAUTHORIZED
    assert logins.use("two", auth.NONCE_LIFETIME_MS + 1) is auth.UNAUTHORIZED


def test_old_nonces_give_way() -> None:
    logins = auth.Logins()
    for number in range(auth.NONCES_MAX + 1):
        logins.offer(f"nonce {number}", 0)
    assert len(logins.nonces) == auth.NONCES_MAX
    assert logins.use("nonce 0", 1) is auth.UNAUTHORIZED
    assert logins.use("nonce 1", 1) is None


def test_failures_are_limited_by_the_minute() -> None:
    logins = auth.Logins()
    for at_ms in range(auth.LOGIN_FAILURES_PER_MINUTE):
        assert logins.use("guess", at_ms) is auth.UNAUTHORIZED
    logins.offer("right", 10)
    assert logins.use("right", 11) is auth.TOO_MANY_LOGINS
    assert logins.use("right", 60_001) is None


def test_the_policy_lets_the_page_speak_to_us_and_nobody_else() -> None:
    policy = auth.page_headers()["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "connect-src 'self';" in policy
    assert "unsafe-eval" not in policy and "*" not in policy
    assert [part for part in policy.split("; ") if "unsafe-inline" in part] == ["style-src 'self' 'unsafe-inline'"]


def test_a_secret_of_any_characters_is_compared() -> None:
    for given in ("\ud800", "\udcff", "ä"):
        assert not auth.same_secret(given, "secret")
        assert not auth.bearer_valid(f"Bearer {given}", "secret")
