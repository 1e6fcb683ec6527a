"""Every way a database can be unusable, made for real: what a person sees, three times the same, and the way out."""

from __future__ import annotations

import json
import os
from collections.abc import Callable

import pytest

from attn.errors import EXIT_BY_CODE
from attn.paths import Home
from tests.durability.scene import LABELS, Scene
from tests.store.conftest import ROW
from tests.store.losses import EDITS, LOSSES
from tests.system.client import Refused

# Which of the printed commands is typed; the first where nothing stands here. The others are no less printed.
TYPED = {"schema_newer": 1, "symlink": 2}
# Two ways to each code, all of them with ATTN_TEST_FULL; tests/store opens every one of them in its own process.
WAYS = 1000 if os.environ.get("ATTN_TEST_FULL") else 2
ALL = [*LOSSES, *EDITS]
CASES = [case for at, case in enumerate(ALL) if [code for _, code in ALL[:at]].count(case[1]) < WAYS]


def test_the_slice_is_told() -> None:
    print(f"{len(CASES)} of {len(ALL)} kinds of damage")
    assert {code for _, code in CASES} == {code for _, code in ALL}


def shown_everywhere(scene: Scene, code: str) -> list[str]:
    """The condition in every place where it must stand; its commands."""
    condition = scene.condition(code)
    assert condition["severity"] == "error" and condition["db_path"] == str(scene.home.database)
    assert condition["not_saved_since_ms"] and condition["last_good_backup"] and condition["last_good_backup_ms"]
    assert str(scene.home.root) in condition["detail"]
    listed = scene.run("attn ls")
    [line] = listed.stderr.splitlines()
    assert listed.returncode == 0 and line.startswith(f"attn: {code}: ") and condition["commands"][0] in line
    text = scene.attn("status", 78)
    assert code in text and condition["last_good_backup"] in text and all(c in text for c in condition["commands"])
    assert scene.health("?require=store")[0] == 503 and scene.health()[0] == 200
    assert code in [each["code"] for each in scene.health("?require=store")[1]["conditions"]]
    with scene.client() as client:
        assert code in [each["code"] for each in client.hello_body["conditions"]]
        with pytest.raises(Refused) as refused:
            client.request("set_setting", key="theme", value="dark")
        assert refused.value.code == "persistence_unavailable"
    commands: list[str] = condition["commands"]
    return commands


def sessions_go_on(scene: Scene) -> None:
    """A program starts, is renamed, talks and ends while there is no database."""
    scene.attn("new --label fresh -- cat")
    scene.attn("rename fresh renamed")
    scene.attn("send renamed 'still here' --enter")
    scene.attn("wait renamed --for 'still here'")
    scene.attn("kill renamed")


@pytest.mark.parametrize(("damage", "code"), CASES, ids=lambda value: getattr(value, "__name__", ""))
def test_what_a_person_sees_and_the_way_out(scene: Scene, damage: Callable[[Home], None], code: str) -> None:
    damage(scene.home)
    before = scene.bytes_of_the_database()
    refused = scene.run("attn daemon start --require-store")
    assert refused.returncode == EXIT_BY_CODE[code] and refused.stderr.startswith(f"{code}: ")
    assert str(scene.home.root) in refused.stderr
    commands: list[str] = []
    since = set()
    for start in range(3):
        scene.attn("daemon start")
        since.add(scene.condition(code)["not_saved_since_ms"])
        commands = shown_everywhere(scene, code) if start == 0 else scene.condition(code)["commands"]
        assert set(commands) <= set(refused.stderr.splitlines()), "a daemon that refuses prints the same commands"
        if start == 1:
            sessions_go_on(scene)
        assert [label for _, label in scene.sessions()] == [*LABELS, *(["renamed"] if start else [])]
        if start < 2:
            scene.attn("daemon stop")
        assert scene.bytes_of_the_database() == before
    assert len(since) == 1, "since when nothing is saved does not begin anew with every daemon"
    known = scene.sessions()
    typed = scene.run(commands[TYPED.get(code, 0)])
    assert typed.returncode == 0, (commands, typed.stdout, typed.stderr)
    for _ in range(2):
        scene.attn("status")
        # A log that stood there may hold one more, which nothing says is no session.
        assert [each for each in scene.sessions() if each[0] != ROW.id] == known
        scene.attn("daemon restart")
    assert json.loads(scene.attn("status --json"))["store"]["state"] == "ok" and not scene.home.unsaved.exists()
