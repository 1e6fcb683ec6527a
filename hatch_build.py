"""Build hook: both archives carry the built page, so that installing attn needs no Node."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PageBuildHook(BuildHookInterface[Any]):
    """Takes the page that stands if it belongs to web/, else builds it, else stops with `node_missing`."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it collects files; an editable install builds its page on its own (`make run`)."""
        if version == "editable":
            return
        sys.path.insert(0, str(Path(self.root) / "tools"))
        page = importlib.import_module("page")
        if page.is_current():
            return
        try:
            page.build()
        except page.NodeMissingError as error:
            raise SystemExit(str(error)) from None
