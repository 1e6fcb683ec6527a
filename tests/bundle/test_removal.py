"""A removal that was cut off anywhere is completed, and a bundle that was never whole is no session."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from attn.bundle.bundle import Bundle, BundleBusy, list_bundles
from attn.bundle.files import BundleDamaged
from attn.bundle.removal import drop_socket, drop_unborn, list_removals, retire
from tests.bundle.test_bundle import ID, META
from tests.bundle.test_records import SCREEN, SPEC


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    made = Bundle(tmp_path / ID)
    made.create(SPEC, META)
    made.write_screen(SCREEN)
    return made


def test_a_removal_is_decided_at_once_and_forgotten_last(bundle: Bundle, tmp_path: Path) -> None:
    removal = retire(bundle)
    assert (removal.session_id, list_bundles(tmp_path)) == (ID, [])
    (again,) = list_removals(tmp_path)
    again.erase()
    assert [found.session_id for found in list_removals(tmp_path)] == [ID]
    assert os.listdir(tmp_path / f"{ID}.removed") == []
    again.erase()
    again.forget()
    assert list_removals(tmp_path) == [] and os.listdir(tmp_path) == []


def test_a_living_worker_keeps_its_bundle(bundle: Bundle, tmp_path: Path) -> None:
    lock = bundle.acquire_lock()
    with pytest.raises(BundleBusy):
        retire(bundle)
    os.close(lock)
    assert [found.session_id for found in list_bundles(tmp_path)] == [ID]


def test_what_was_cut_off_in_its_making_goes(bundle: Bundle, tmp_path: Path) -> None:
    for name in ("aaaaaaaaaa.new", "bbbbbbbbbb.new", "not an id.new", "cccccccccc.other"):
        (tmp_path / name).mkdir()
    (tmp_path / "aaaaaaaaaa.new" / "control").write_text("t")
    assert drop_unborn(tmp_path) == ["aaaaaaaaaa", "bbbbbbbbbb"]
    assert sorted(os.listdir(tmp_path)) == [ID, "cccccccccc.other", "not an id.new"]
    assert drop_unborn(tmp_path / "none") == []


def test_what_attn_did_not_write_stays(tmp_path: Path) -> None:
    (tmp_path / "aaaaaaaaaa.new").mkdir()
    (tmp_path / "aaaaaaaaaa.new" / "notes.txt").write_text("mine")
    with pytest.raises(BundleDamaged, match=r"notes\.txt"):
        drop_unborn(tmp_path)
    assert (tmp_path / "aaaaaaaaaa.new" / "notes.txt").exists()


def test_a_directory_in_a_files_place_keeps_no_secret(bundle: Bundle, tmp_path: Path) -> None:
    (bundle.path / "spec.json").unlink()
    (bundle.path / "spec.json").mkdir()
    with pytest.raises(BundleDamaged, match=r"holds spec\.json"):
        retire(bundle).erase()
    assert os.listdir(tmp_path / f"{ID}.removed") == ["spec.json"]


def test_links_are_no_leftovers(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "zzzzzzzzzz.removed").symlink_to(bundle.path)
    (tmp_path / "zzzzzzzzzz.new").symlink_to(bundle.path)
    assert list_removals(tmp_path) == [] and drop_unborn(tmp_path) == []


def test_a_dead_workers_socket_goes_and_a_living_ones_stays(bundle: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "w"
    path.touch()
    lock = bundle.acquire_lock()
    drop_socket(bundle, path)
    assert path.exists()
    os.close(lock)
    drop_socket(bundle, path)
    assert not path.exists()
    drop_socket(bundle, path)
