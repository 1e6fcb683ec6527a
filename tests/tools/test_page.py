"""The page is built again exactly when its sources changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools import page
from tools.web_hash import web_hash


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Sources, and a page that says it was built from them."""
    web, built = tmp_path / "web", tmp_path / "page"
    web.mkdir()
    built.mkdir()
    (web / "main.ts").write_text("export {}")
    (built / "index.html").write_text("<!doctype html>")
    (built / "build.json").write_text(json.dumps({"build": web_hash(web)}))
    monkeypatch.setattr(page, "WEB", web)
    monkeypatch.setattr(page, "PAGE", built)
    return tmp_path


@pytest.mark.usefixtures("project")
def test_a_page_of_these_sources_is_current() -> None:
    assert page.is_current()


def test_a_changed_source_wants_a_new_page(project: Path) -> None:
    (project / "web/main.ts").write_text("export const x = 1")
    assert not page.is_current()


@pytest.mark.parametrize("record", ["", "{", "[]", '{"build": "0000000000000000"}'])
def test_a_page_of_unknown_origin_is_not_current(project: Path, record: str) -> None:
    (project / "page/build.json").write_text(record)
    assert not page.is_current()


def test_half_a_page_is_not_current(project: Path) -> None:
    (project / "page/index.html").unlink()
    assert not page.is_current()


@pytest.mark.parametrize(("version", "enough"), [("v18.20.4", False), ("v20.19.0", True), ("v22.1.0", True)])
def test_node_has_to_be_there_and_new_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, enough: bool
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(page.NodeMissingError, match="node_missing"):
        page.require_node()
    for name in ("node", "npm"):
        (tmp_path / name).write_text(f"#!/bin/sh\necho {version}\n")
        (tmp_path / name).chmod(0o755)
    if enough:
        page.require_node()
    else:
        with pytest.raises(page.NodeMissingError, match=version):
            page.require_node()
