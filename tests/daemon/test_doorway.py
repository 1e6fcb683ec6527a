"""The clients' socket stays where clients look for it."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from attn.daemon import doorway
from attn.daemon.doorway import Doorway

LIMIT_S = 20.0


class Greeter(asyncio.Protocol):
    """Says one word to whoever comes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"welcome\n")


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(doorway, "LOOK_EVERY_S", 0.01)
    (tmp_path / "attn").mkdir()
    return tmp_path / "attn" / "d"


def take_away(path: Path, *, whole_directory: bool) -> None:
    """As a cleaner, or as the end of a login."""
    if whole_directory:
        shutil.rmtree(path.parent)
    else:
        path.unlink()


def obstruct(path: Path) -> None:
    """No directory can be there for now."""
    shutil.rmtree(path.parent)
    path.parent.write_text("in the way")


async def greeted(path: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection, as soon as there is one to be had."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(path)
                assert await reader.readline() == b"welcome\n"
                return reader, writer
            except OSError:
                await asyncio.sleep(0)


@pytest.mark.parametrize("whole_directory", [False, True])
async def test_a_socket_that_was_taken_away_comes_back(path: Path, whole_directory: bool) -> None:
    door = Doorway(path, Greeter)
    await door.open()
    keeping = asyncio.create_task(door.keep_open())
    _, first = await greeted(path)
    take_away(path, whole_directory=whole_directory)
    _, second = await greeted(path)
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert not first.is_closing(), "who was connected stays"
    keeping.cancel()
    for writer in (first, second):
        writer.close()
    door.remove()
    assert path.name not in os.listdir(path.parent)


async def test_a_place_that_is_gone_is_told_once(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    door = Doorway(path, Greeter)
    await door.open()
    keeping = asyncio.create_task(door.keep_open())
    obstruct(path)
    async with asyncio.timeout(LIMIT_S):
        while not caplog.records:
            await asyncio.sleep(0)
    os.unlink(path.parent)
    _, writer = await greeted(path)
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    keeping.cancel()
    writer.close()
    door.remove()
