"""Databases and homes as the tests of the store make them, and homes with a past."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.durability.scene import Scene, copied, make_past
from tests.store.conftest import home

__all__ = ["home"]


@pytest.fixture(scope="session")
def past() -> Iterator[Path]:
    """A home with sessions, a setting and a backup; to be copied."""
    with tempfile.TemporaryDirectory(prefix="ap-", ignore_cleanup_errors=True) as folder:
        root = Path(folder) / "h"
        make_past(root)
        yield root


@pytest.fixture
def scene(past: Path) -> Iterator[Scene]:
    """A home with a past of its own, under a name that is short enough for its sockets; no daemon runs."""
    with tempfile.TemporaryDirectory(prefix="as-", ignore_cleanup_errors=True) as folder:
        made = copied(past, Path(folder) / "h")
        try:
            yield made
        finally:
            made.close()
