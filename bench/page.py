"""The page in a real Chromium: switching sessions, the whole history in place, a cold reload.

Measured in the page, by its own clock: from the click (or the start of the document) to the frame that is drawn with
the session in it, and to the whole scrollback in the terminal that is shown.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Final

from playwright.sync_api import Browser, Page, sync_playwright

from attn.cli.link import Link
from attn.wire.client_events import LoginResult, WaitResult
from attn.wire.client_requests import NewLogin, WaitSession
from bench.hub import running_hub, spawn
from bench.results import Result, median, percentile

HISTORY_LINES: Final = 10_000
# In the whole history, and not among the lines that are visible.
WHOLE_ROWS: Final = 9_000
PLACES: Final = 12
RELOADS: Final = 5
TIMEOUT_MS: Final = 30_000
ARGUMENTS: Final = ("--no-sandbox", "--no-first-run", "--disable-background-networking", "--disable-component-update")
# Chooses a session and tells when its last line was drawn and when its scrollback was there, in ms after the choice.
CHOOSE: Final = """async ([id, last, rows]) => {
  const begun = performance.now()
  const passed = () => performance.now() - begun
  location.hash = `session=${id}`
  const shown = () => document.querySelector(".screen:not([hidden]) .face:not(.behind)")?.textContent.includes(last)
  const there = () => window.attn.terminal(id)?.buffer.active.length >= rows
  const when = async (done) => {
    while (!done()) await new Promise((again) => setTimeout(again))
    await new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn)))
    return passed()
  }
  const frame = await when(shown)
  return [frame, await when(there)]
}"""
# The same from the start of the document.
LOADED: Final = """async ([id, last]) => {
  const face = () => document.querySelector(".screen:not([hidden]) .face:not(.behind)")
  while (!face()?.textContent.includes(last)) await new Promise((again) => setTimeout(again))
  await new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn)))
  return performance.now()
}"""


def measure() -> Iterator[Result]:
    """Switching among sessions without and with a history, again and for the first time, and reloading."""
    chromium = shutil.which("chromium")
    assert chromium is not None, "missing: chromium; install: sudo apt-get install chromium"
    with running_hub() as hub, hub.connect() as link, sync_playwright() as playwright:
        link.wait_recovered(10)
        short, long = _sessions(link, 40), _sessions(link, HISTORY_LINES)
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield from _switching(_page(browser, link), short, long)
        yield from _reloading(_page(browser, link), long[0])
        browser.close()


def _sessions(link: Link, lines: int) -> list[str]:
    """Sessions whose programs wrote so many lines each and wait."""
    script = f"seq -f 'line %g of the history of a session, as long as lines are' {lines}; echo last-line; read -r"
    made = [spawn(link, "bash", "--norc", "-c", script).session.id for _ in range(PLACES // 2)]
    for session in made:
        link.request(WaitSession(id=0, session=session, text="last-line", timeout_ms=TIMEOUT_MS), WaitResult)
    return made


def _page(browser: Browser, link: Link) -> Page:
    """A page that is logged in and connected."""
    page = browser.new_context(viewport={"width": 1200, "height": 760}).new_page()
    page.set_default_timeout(TIMEOUT_MS)
    page.goto(link.request(NewLogin(id=0), LoginResult).url)
    page.wait_for_selector(".row")
    return page


def _choose(page: Page, session: str, rows: int) -> tuple[float, float]:
    frame, whole = page.evaluate(CHOOSE, [session, "last-line", rows])
    return frame, whole


def _switching(page: Page, short: list[str], long: list[str]) -> Iterator[Result]:
    """The first look at each session in turn, then again: the page keeps some of them alive."""
    for session in short[:2]:
        _choose(page, session, 1)  # the page's own code has to be warm
    few = [_choose(page, session, 1)[0] for session in short[2:]]
    first = [_choose(page, session, WHOLE_ROWS) for session in long]
    again = [_choose(page, session, WHOLE_ROWS)[0] for session in long[-4:] * 3]
    yield Result("page: switch to a session not opened yet, 40 lines, p50", "ms", median(few), "value <= 50")
    frames = [frame for frame, _ in first]
    yield Result("page: the same, 10,000 lines, p50", "ms", median(frames), "value <= 50")
    yield Result("page: the whole history of 10,000 lines, p50", "ms", median([at for _, at in first]), "value <= 250")
    yield Result("page: switch to a session opened before, p50", "ms", median(again), "value <= 50")
    yield Result("page: the same, p99", "ms", percentile(again, 99))


def _reloading(page: Page, session: str) -> Iterator[Result]:
    """From the start of the document, nothing cached, to the drawn frame of a session with a history."""
    page.evaluate("id => { location.hash = `session=${id}` }", session)
    page.context.new_cdp_session(page).send("Network.setCacheDisabled", {"cacheDisabled": True})
    times = []
    for _ in range(RELOADS):
        page.reload()
        times.append(float(page.evaluate(LOADED, [session, "last-line"])))
    yield Result("page: cold reload to the drawn frame, 10,000 lines, p50", "ms", median(times), "value <= 1500")
