"""Homes for the real agents: settings in a temporary folder, pointing at the stub, past every first-run dialog."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

MODULES: Final = Path(__file__).parent / "node_modules"
# Nobody's key: claude wants one to be there, and its last 20 characters among the approved ones.
API_KEY: Final = "sk-ant-stub-0000000000000000000000000000"
CODEX_CONFIG: Final = """\
model = "stub-model"
model_provider = "stub"
check_for_update_on_startup = false

[model_providers.stub]
name = "stub"
base_url = "{url}/v1"
wire_api = "responses"
requires_openai_auth = false

[features]
daemon_auto_start = false

[projects."{project}"]
trust_level = "trusted"
"""


@dataclass(frozen=True)
class AgentHome:
    """One agent, ready to start: its program, its environment, and what its screen shows when it takes a prompt."""

    name: str
    binary: Path
    project: Path
    env: dict[str, str]
    ready: str


def _project(folder: Path) -> Path:
    project = folder / "project"
    project.mkdir()
    (project / "README.md").write_text("# A project for the agents under test\n")
    return project


def _installed(path: Path) -> Path:
    if not path.exists():
        raise AssertionError(f"{path} is missing: run `npm ci` in {MODULES.parent}")
    return path


def codex_home(folder: Path, url: str) -> AgentHome:
    """Codex with a model provider of its own, in a trusted project."""
    project, settings = _project(folder), folder / "codex"
    settings.mkdir()
    (settings / "config.toml").write_text(CODEX_CONFIG.format(url=url, project=project))
    binary = _installed(MODULES / ".bin" / "codex")
    return AgentHome("codex", binary, project, {"CODEX_HOME": str(settings)}, "stub-model")


def claude_home(folder: Path, url: str) -> AgentHome:
    """Claude past its onboarding, with an approved key, in a trusted project."""
    project, settings = _project(folder), folder / "claude"
    settings.mkdir()
    state = {
        "hasCompletedOnboarding": True,
        "lastOnboardingVersion": "2.1.197",
        "theme": "dark",
        "autoUpdates": False,
        "customApiKeyResponses": {"approved": [API_KEY[-20:]], "rejected": []},
        "projects": {str(project): {"hasTrustDialogAccepted": True, "hasCompletedProjectOnboarding": True}},
    }
    (settings / ".claude.json").write_text(json.dumps(state))
    env = {
        "CLAUDE_CONFIG_DIR": str(settings),
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_KEY": API_KEY,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        # Claude refuses some of its modes to root unless it is told that the machine is disposable.
        "IS_SANDBOX": "1",
    }
    return AgentHome("claude", _installed(MODULES / ".bin" / "claude"), project, env, "? for shortcuts")


def claude_full_screen_home(folder: Path, url: str) -> AgentHome:
    """Claude in the alternate screen, with the mouse."""
    home = claude_home(folder, url)
    return replace(home, env={**home.env, "CLAUDE_CODE_NO_FLICKER": "1"})


HOMES: Final[dict[str, Callable[[Path, str], AgentHome]]] = {
    "codex": codex_home,
    "claude": claude_home,
    "claude-full-screen": claude_full_screen_home,
}
# Each agent as it starts when nobody asks for anything else.
USUAL: Final = ("claude", "codex")


def login_profile(home: AgentHome, folder: Path) -> Path:
    """Makes `folder` a home whose login shell finds the agent, as on a person's machine: attn launches from there."""
    path = os.pathsep.join([str(home.binary.parent), str(Path(shutil.which("node") or "").parent), os.defpath])
    exports = "".join(f"export {name}='{value}'\n" for name, value in {**home.env, "PATH": path}.items())
    (folder / ".bash_profile").write_text(exports)
    (folder / ".bashrc").write_text(exports)
    return folder
