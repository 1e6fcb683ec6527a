"""What a person at the page sees of the database: its condition in full, settings that are kept or said not to be."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator

import pytest

from attn.paths import Home
from tests.browser.conftest import OpenTab
from tests.store.losses import EDITS, LOSSES, overwritten
from tests.system.conftest import DaemonProcess, make_daemon

FULL = bool(os.environ.get("ATTN_TEST_FULL"))
# All kinds of damage with ATTN_TEST_FULL, else one of SQLite's own words, one of the files and one of the schema.
SAMPLE = {"cut_in_the_middle", "dangling", "trigger_added"}
CASES = [case for case in (*LOSSES, *EDITS) if FULL or case[0].__name__ in SAMPLE]


@pytest.fixture
def broken() -> Iterator[DaemonProcess]:
    """A home with a session, a database and a backup of it, and no daemon: to be damaged."""
    daemon = make_daemon()
    try:
        client = daemon.start().client()
        session = client.spawn("true")["id"]
        client.until(lambda: client.state(session) == "exited")
        client.request("make_backup")
        daemon.end()
        yield daemon
    finally:
        daemon.close()


@pytest.mark.parametrize(("damage", "code"), CASES, ids=lambda value: getattr(value, "__name__", ""))
def test_the_banner_says_everything_and_stays(
    open_tab: OpenTab, broken: DaemonProcess, damage: Callable[[Home], None], code: str
) -> None:
    damage(broken.home)
    broken.start()
    [condition] = [each for each in broken.client().request("get_status")["conditions"] if each["code"] == code]
    for _ in range(2):  # a second window sees it too
        tab = open_tab(broken)
        banner = tab.page.get_by_label("Conditions")
        banner.wait_for()
        text = " ".join(banner.inner_text().split())
        for fact in ("title", "detail", "db_path", "sqlite_name", "sqlite_message", "migration", "last_good_backup"):
            assert condition[fact] is None or " ".join(str(condition[fact]).split()) in text, fact
        assert "Nothing saved since" in text and "Last good backup" in text
        for command in condition["commands"]:
            assert banner.get_by_role("button", name=f"Copy: {command}").count() == 1
    tab.page.reload()
    banner.wait_for()


def test_a_failure_reaches_open_pages_and_leaves_them_when_it_is_over(open_tab: OpenTab, daemon: DaemonProcess) -> None:
    tab = open_tab(daemon)
    banner = tab.page.get_by_label("Conditions").filter(has_text="replaced while attn was using it")
    assert banner.count() == 0
    shutil.copy(daemon.home.database, daemon.home.root / "other.db")
    (daemon.home.root / "other.db").replace(daemon.home.database)
    banner.wait_for()
    assert str(daemon.home.backups) in banner.inner_text(), "what was open was kept as a backup"
    daemon.client().request("store_retry")
    tab.until(lambda: banner.count() == 0, "the banner to go")


def test_settings_come_back_in_every_browser_and_are_said_not_to_be_saved(
    open_tab: OpenTab, daemon: DaemonProcess
) -> None:
    first = open_tab(daemon)
    first.page.get_by_label("Colours: as the system").click()
    first.page.get_by_label("Larger text").click()
    settings = {"theme": "light", "font": "14"}
    client = daemon.client()
    first.until(lambda: daemon.client().hello_body["settings"] == settings, "the settings to be saved")
    second = open_tab(daemon)
    second.page.get_by_label("Colours: light").wait_for()
    client.socket.close()

    daemon.end()
    overwritten(daemon.home)
    daemon.start()
    first.page.get_by_label("Conditions").wait_for()
    first.page.get_by_label("Colours: light").click()
    first.page.get_by_text("Settings are kept in this browser only").wait_for()
    daemon.home.database.unlink()
    daemon.home.sentinel.unlink()
    for backup in daemon.home.backups.iterdir():
        backup.unlink()
    daemon.client().request("store_retry")
    first.until(lambda: daemon.client().hello_body["settings"].get("theme") == "dark", "what waited to be saved")
