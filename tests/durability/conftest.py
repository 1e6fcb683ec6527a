"""Databases and homes as the tests of the store make them."""

from __future__ import annotations

from tests.store.conftest import home

__all__ = ["home"]
