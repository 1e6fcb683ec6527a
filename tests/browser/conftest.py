"""A real Chromium against the built page of a real daemon."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.tab import Tab
from tests.system.conftest import DaemonProcess, make_daemon

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import page as page_tool  # noqa: E402

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESK = {"width": 1200, "height": 760}
PHONE = {"width": 390, "height": 780}

OpenTab = Callable[..., Tab]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for the run; a test has contexts of its own in it."""
    if not page_tool.is_current():
        pytest.exit("the page is not built from the sources in web/: run `make page`", returncode=1)
    chromium = os.environ.get("ATTN_CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        pytest.exit("missing: chromium; install: sudo apt-get install chromium", returncode=1)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def cold() -> Iterator[DaemonProcess]:
    """A home of its own without a daemon."""
    daemon = make_daemon()
    try:
        yield daemon
    finally:
        daemon.close()


@pytest.fixture
def daemon(cold: DaemonProcess) -> DaemonProcess:
    """A running daemon."""
    return cold.start()


@pytest.fixture
def open_tab(browser: Browser) -> Iterator[OpenTab]:
    """Opens logged-in pages, each in a browser profile of its own; at the end none of them may have complained."""
    tabs: list[Tab] = []

    def open_tab(daemon: DaemonProcess, *, phone: bool = False, scheme: str = "dark", script: str = "") -> Tab:
        context = browser.new_context(
            viewport=PHONE if phone else DESK,  # type: ignore[arg-type]
            color_scheme=scheme,  # type: ignore[arg-type]
            has_touch=phone,
            permissions=["clipboard-read", "clipboard-write"],
        )
        context.add_init_script(script)
        tabs.append(Tab(context.new_page(), daemon))
        return tabs[-1].open()

    yield open_tab
    for tab in tabs:
        tab.page.context.close()
    assert [complaint for tab in tabs for complaint in tab.complaints] == []


@pytest.fixture
def tab(open_tab: OpenTab, daemon: DaemonProcess) -> Tab:
    """A page at desk size."""
    return open_tab(daemon)
